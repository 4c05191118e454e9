"""SE-Conformer: its size, the output of public code under the same weights, and what its layers look at.

Golden: github.com/yskim3271/taps-baselines, commit b7fb027c, with the conformer layer of PyTorch's audio library
2.11.1: seconformer(hidden=4, depth=3, conformer_dim=16, conformer_ffn_dim=6, conformer_num_attention_heads=2,
conformer_depth=2, depthwise_conv_kernel_size=5) with resample=4 and 1.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.support.methods.asteroid_files import weights
from trainables.networks.se_conformer import ConformerLayer, SEConformer
from trainables.networks.se_conformer_weights import our_key

GOLDEN = json.loads((Path(__file__).parent / "golden_se_conformer.json").read_text())
SMALL: dict[str, Any] = {"depth": 3, "layers": 2, "heads": 2, "feed_forward": 6, "taps": 5}


@pytest.mark.parametrize(
    ("sizes", "parameters"),
    [
        ({"hidden": 64}, 12_092_033),
        ({"hidden": 64, "conv_norm": "batch"}, 12_092_033),
        ({"hidden": 64, "feed_forward": 2048, "taps": 31}, 28_393_601),
        ({"hidden": 8, "layers": 1, "feed_forward": 16, "taps": 7}, 100_209),
    ],
)
def test_parameters(sizes: dict[str, Any], parameters: int) -> None:
    with torch.device("meta"):
        network = SEConformer(**sizes)
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters


@pytest.mark.parametrize(("name", "resample"), [("se_conformer", 4), ("se_conformer, no upsampling", 1)])
def test_it_computes_what_public_code_computes(name: str, resample: int) -> None:
    ours, state = SEConformer(4, resample=resample, conv_norm="batch", **SMALL).eval(), {}
    for key, value in weights(GOLDEN[name]["shapes"]).items():
        key = our_key(key)
        state[key] = value.abs() + 0.5 if key.endswith("running_var") else value
    missing, unexpected = ours.load_state_dict(state, strict=False)
    assert not unexpected
    assert all(key.endswith("num_batches_tracked") for key in missing)
    for samples, output in GOLDEN[name]["output"].items():
        mixture = np.random.default_rng(int(samples)).normal(size=(1, int(samples)))
        with torch.no_grad():
            found = ours(torch.tensor(mixture, dtype=torch.float32))[0]
        torch.testing.assert_close(found, torch.tensor(output), atol=1e-5, rtol=1e-5)


def test_lengths_that_leave_no_sample_out() -> None:
    network = SEConformer(8)
    assert [network.valid_samples(samples) for samples in (1, 149, 150, 64_000)] == [149, 149, 213, 64_021]


def test_its_layers_know_no_positions() -> None:
    """With a single tap a permutation of the frames permutes the output."""
    torch.manual_seed(1)
    sizes: dict[str, Any] = {"heads": 2, "feed_forward": 6, "conv_norm": "layer", "dropout": 0.1}
    frames, order = torch.randn(2, 12, 8), torch.randperm(12)
    with torch.no_grad():
        single = ConformerLayer(8, taps=1, **sizes).eval()
        torch.testing.assert_close(single(frames[:, order]), single(frames)[:, order], atol=1e-6, rtol=1e-5)
        wide = ConformerLayer(8, taps=3, **sizes).eval()
        assert not torch.allclose(wide(frames[:, order]), wide(frames)[:, order])


def test_batch_statistics_leave_padding_out() -> None:
    """In training BatchNorm depends on the batch, but not on how far that is padded."""
    torch.manual_seed(1)
    layer = ConformerLayer(8, heads=2, feed_forward=6, taps=3, conv_norm="batch", dropout=0.0).train()
    frames, counts = torch.randn(2, 9, 8), torch.tensor([9, 6])
    valid = (torch.arange(9) < counts[:, None]).float()
    longer = torch.nn.functional.pad(frames, (0, 0, 0, 4), value=5.0)
    with torch.no_grad():
        expected = layer(frames, valid)
        found = layer(longer, torch.nn.functional.pad(valid, (0, 4)))
    torch.testing.assert_close(found[:, :9] * valid[..., None], expected * valid[..., None], atol=1e-5, rtol=1e-4)


def test_dropout_is_of_training_alone() -> None:
    torch.manual_seed(1)
    network, mixture = SEConformer(4, **SMALL), torch.randn(1, 300)
    with torch.no_grad():
        network.eval()
        torch.testing.assert_close(network(mixture), network(mixture))
        network.train()
        assert not torch.allclose(network(mixture), network(mixture))


@pytest.mark.parametrize("values", [{"taps": 4}, {"conv_norm": "group"}])
def test_other_convolutions_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="taps="):
        SEConformer(4, **{**SMALL, **values})


def test_it_learns_to_pass_a_signal_on() -> None:
    torch.manual_seed(1)
    network, mixture = SEConformer(4, resample=1, **{**SMALL, "dropout": 0.0}), torch.randn(1, 300)
    optimizer, losses = torch.optim.Adam(network.parameters(), lr=1e-2), []
    for _ in range(40):
        loss = (network(mixture) - mixture).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.8 * losses[0]
