"""APC's checkpoints of s3prl: the numbers of its definition, and refusals by name of what a file says otherwise."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from trainables.audio.features import utterance_cmvn
from trainables.audio.filterbank import log_filterbank
from trainables.base.errors import UserError
from trainables.normalized_ssl.config import NormalizedSSLConfig
from trainables.ssl.bodies.recurrent_body import RecurrentBody
from trainables.ssl.bodies.upstreams import build_body
from trainables.ssl.published_weights.reading import load_weights

CONFIG: dict[str, Any] = {
    "model": {"paras": {"num_layers": 3, "hidden_size": 512, "dropout": 0.1, "residual": True}},
    "task": {"sequence_length": 1500, "n_future": 5},
    "data": {
        "audio": {"feat_type": "fbank", "feat_dim": 80, "frame_length": 25, "frame_shift": 10, "decode_wav": False}
    },
}


class Reference(nn.Module):
    """s3prl's APC by its names, written from its definition: packed GRUs, a residual from the second on, a head."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn_layers = nn.ModuleList(nn.GRU(width, 512, batch_first=True) for width in (80, 512, 512))
        self.postnet = nn.Linear(512, 80)

    def forward(self, features: Tensor, counts: Tensor) -> list[Tensor]:
        outputs = [features]
        for number, layer in enumerate(self.rnn_layers):
            packed = pack_padded_sequence(outputs[-1], counts, batch_first=True, enforce_sorted=False)
            output, _ = pad_packed_sequence(layer(packed)[0], batch_first=True, total_length=features.shape[1])
            outputs.append(output + outputs[-1] if number else output)
        return outputs[1:]


@pytest.fixture
def body() -> RecurrentBody:
    config = NormalizedSSLConfig.from_dict({"upstream": "apc", "size": "base", "init": "random"})
    body = build_body(config.ssl, 0).eval()
    assert isinstance(body, RecurrentBody)
    return body


@pytest.fixture
def reference() -> Reference:
    torch.manual_seed(5)
    return Reference().eval()


def write(folder: Path, state: dict[str, Any], config: dict[str, Any] = CONFIG, key: str = "config") -> Path:
    path = folder / "apc_960hr.ckpt"
    torch.save({"model": state, key: config, "optimizer": {"state": {}}, "global_step": 7}, path)
    return path


@pytest.mark.parametrize("key", ["config", "Upstream_Config"])
def test_layers_are_s3prls(key: str, body: RecurrentBody, reference: Reference, tmp_path: Path) -> None:
    assert sum(each.numel() for each in reference.parameters()) == 4_064_256 + 41_040
    load_weights(body, "apc", write(tmp_path, reference.state_dict(), key=key))
    wave = 0.1 * torch.randn(2, 8000, generator=torch.Generator().manual_seed(1))
    lengths = torch.tensor([8000, 5013])
    wave[1, 5013:] = 0.0
    counts = 1 + lengths // 160
    with torch.no_grad():
        features = utterance_cmvn(log_filterbank(wave, lengths), counts)
        expected = reference(features, counts)
        found = body(wave, lengths)
    torch.testing.assert_close(found[0].transpose(1, 2), features)
    for ours, theirs in zip(found[1:], expected, strict=True):
        for item, count in enumerate(counts.tolist()):
            torch.testing.assert_close(ours[item, :, :count].T, theirs[item, :count], atol=1e-5, rtol=0)


CHANGES: list[tuple[tuple[str, str], str, Any]] = [
    (("model", "paras"), "hidden_size", 256),
    (("model", "paras"), "num_layers", 4),
    (("model", "paras"), "residual", False),
    (("model", "paras"), "vq", {"codebook_size": [128]}),
    (("model", "paras"), "a_setting_of_tomorrow", 1),
    (("data", "audio"), "feat_type", "mfcc"),
    (("data", "audio"), "feat_dim", 240),
    (("data", "audio"), "frame_length", 32),
    (("data", "audio"), "frame_shift", 12.5),
    (("data", "audio"), "cmvn", False),
    (("data", "audio"), "use_energy", True),
]


@pytest.mark.parametrize(("section", "name", "value"), CHANGES)
def test_every_setting_that_differs_is_refused_by_name(
    section: tuple[str, str], name: str, value: Any, body: RecurrentBody, reference: Reference, tmp_path: Path
) -> None:
    config = copy.deepcopy(CONFIG)
    config[section[0]][section[1]][name] = value
    path = write(tmp_path, reference.state_dict(), config)
    with pytest.raises(UserError) as found:
        load_weights(body, "apc", path)
    message = str(found.value)
    assert f"{name}={value!r}" in message
    assert str(path) in message
    assert "\n" not in message


def test_other_files_are_named(body: RecurrentBody, reference: Reference, tmp_path: Path) -> None:
    state = reference.state_dict()
    quantized = {**state, "vq_layers.0.embedding": torch.ones(1)}
    lacking = {name: value for name, value in state.items() if name != "rnn_layers.2.bias_hh_l0"}
    for changed, words in ((quantized, "vq_layers.0.embedding"), (lacking, "rnn_layers.2.bias_hh_l0")):
        with pytest.raises(UserError, match=words):
            load_weights(body, "apc", write(tmp_path, changed))
    with pytest.raises(UserError, match=r"no data\.audio"):
        load_weights(body, "apc", write(tmp_path, state, {"hparas": {}}))
    path = tmp_path / "apc_960hr.ckpt"
    torch.save({"Transformer": state}, path)
    with pytest.raises(UserError, match="no 'model' in it"):
        load_weights(body, "apc", path)
