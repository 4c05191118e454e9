"""The front-ends: published sizes, padding, pre-training, and files of weights."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.methods.asteroid_files import content_of_network, write
from tests.trainables.position_invariant.support import config, noise, voices
from trainables.audio.corpus.corpus import Corpus
from trainables.base.errors import UserError
from trainables.base.tensors import unpack
from trainables.config.registry import check_weights, run_stage
from trainables.job.stages import Artifacts, Stage
from trainables.networks.masking_separator import MaskingSeparator
from trainables.position_invariant.front_end_pretraining import enhancement_loss
from trainables.position_invariant.front_ends import FrontEnd, build_front_end, load_front_end, sizes_of

FRONT_ENDS = ["demucs", "conv_tasnet"]


def front_end_of(**values: Any) -> FrontEnd:
    return build_front_end(config(**values).front_end_fields(), 1)


def stage_of(**values: Any) -> Stage:
    return config(**values).stages(1, corpus_uri="", corpus_fingerprint="")[0]


@pytest.mark.parametrize(
    ("values", "parameters"),
    [
        ({"front_end": "demucs"}, 33_533_569),
        ({"front_end": "demucs", "hidden": 48}, 18_867_937),
        ({"front_end": "conv_tasnet"}, 5_000_881),
    ],
)
def test_base_sizes_are_the_published_ones(values: dict[str, Any], parameters: int) -> None:
    with torch.device("meta"):
        network = FrontEnd(config(size="base", **values).front_end_fields())
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters


@pytest.mark.parametrize("name", FRONT_ENDS)
def test_padding_has_no_part_in_an_estimate(name: str) -> None:
    network, lengths = front_end_of(front_end=name).eval(), torch.tensor([8000, 5013, 8000, 100])
    batch = noise(4)
    for item, length in zip(batch, lengths, strict=True):
        item[length:] = 0.0
    with torch.no_grad():
        together = network(batch, lengths)
        for item, length in enumerate(lengths.tolist()):
            alone = network(batch[item : item + 1, :length])
            torch.testing.assert_close(together[item, :length], alone[0], atol=1e-6, rtol=1e-4)
            assert not together[item, length:].any()


@pytest.mark.parametrize("name", FRONT_ENDS)
@pytest.mark.parametrize("samples", [400, 401, 4321])
def test_an_estimate_is_as_long_as_its_mixture(name: str, samples: int) -> None:
    assert front_end_of(front_end=name)(noise(2, samples)).shape == (2, samples)


@pytest.mark.parametrize("name", FRONT_ENDS)
def test_pretraining_learns_and_loads(name: str, corpus: Corpus, artifacts: Artifacts) -> None:
    place = {"corpus_uri": corpus.uri, "corpus_fingerprint": corpus.fingerprint}
    stage = config(front_end=name, front_steps=40).stages(1, **place)[0]  # type: ignore[arg-type]
    run_stage(stage, corpus, artifacts)
    content = artifacts.read(stage.key)
    curve = unpack(content)["info"]["loss"]
    assert curve[-1] < curve[0] - 3.0  # dB
    loaded = front_end_of(front_end=name)
    load_front_end(loaded, content)
    assert not torch.equal(loaded(noise()), front_end_of(front_end=name)(noise()))


@pytest.mark.parametrize("size", ["tiny", "base"])
def test_the_pretraining_loss_sees_level_and_sign_and_no_padding(size: str) -> None:
    clean, lengths = voices(), torch.tensor([8000, 5000])
    near, quiet, opposite = (
        float(enhancement_loss(size, gain * clean, clean, lengths)) for gain in (0.999, 0.1, -0.999)
    )
    assert near < min(quiet, opposite)
    disturbed = clean.clone()
    disturbed[1, 5000:] += 1.0
    assert float(enhancement_loss(size, 0.1 * disturbed, clean, lengths)) == pytest.approx(quiet, rel=1e-5)


def test_a_published_demucs_is_read_and_another_size_refused(
    tmp_path: Path, corpus: Corpus, artifacts: Artifacts
) -> None:
    path = tmp_path / "weights.th"
    network = build_front_end(config(front_end="demucs", size="tiny").front_end_fields(), 8).network
    kwargs = {**sizes_of(config().front_end_fields()), "sample_rate": 16_000}
    torch.save({"class": "Demucs", "args": (), "kwargs": kwargs, "state": network.state_dict()}, path)
    stage = stage_of(front_end="demucs", front_checkpoint=str(path))
    check_weights(stage)
    run_stage(stage, corpus, artifacts)
    loaded = front_end_of()
    load_front_end(loaded, artifacts.read(stage.key))
    assert torch.equal(loaded.network(noise()), network(noise()))
    with pytest.raises(UserError, match="hidden=12, here 64"):
        check_weights(stage_of(front_end="demucs", size="base", front_checkpoint=str(path)))


def test_a_published_conv_tasnet_is_read_and_another_size_refused(tmp_path: Path) -> None:
    sizes = sizes_of(config(front_end="conv_tasnet").front_end_fields())
    network = build_front_end(config(front_end="conv_tasnet").front_end_fields(), 8).network
    assert isinstance(network, MaskingSeparator)
    content = content_of_network("convtasnet", network, sizes, n_src=1, sample_rate=16000)
    path = write(tmp_path / "model.bin", content)
    check_weights(stage_of(front_end="conv_tasnet", front_checkpoint=str(path)))
    with pytest.raises(UserError, match="n_filters=64, here 512"):
        check_weights(stage_of(front_end="conv_tasnet", size="base", front_checkpoint=str(path)))
    with pytest.raises(UserError):
        check_weights(stage_of(front_end="demucs", front_checkpoint=str(path)))


def test_a_folder_or_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file.th").write_text("no weights")
    for path in (tmp_path, tmp_path / "file.th"):
        with pytest.raises(UserError, match=str(path)):
            check_weights(stage_of(front_checkpoint=str(path)))
