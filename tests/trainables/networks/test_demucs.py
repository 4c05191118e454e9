"""DEMUCS: its published sizes, and the outputs of its authors' code under the same weights."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from trainables.networks.demucs import Demucs
from trainables.networks.waveform_unet import downsampled, upsampled

GOLDEN: list[dict[str, Any]] = json.loads((Path(__file__).parent / "golden_demucs.json").read_text())["models"]


@pytest.mark.parametrize(
    ("sizes", "parameters"),
    [
        ({"hidden": 48}, 18_867_937),
        ({"hidden": 64}, 33_533_569),
        ({"hidden": 64, "stride": 2, "resample": 2, "causal": False}, 60_813_953),
        ({"hidden": 8, "depth": 4, "resample": 2}, 132_113),
    ],
)
def test_published_models_have_their_number_of_parameters(sizes: dict[str, Any], parameters: int) -> None:
    with torch.device("meta"):
        network = Demucs(**sizes)
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters


@torch.no_grad()
def with_known_weights(network: nn.Module) -> nn.Module:
    for place, parameter in enumerate(network.parameters()):
        steps = torch.arange(parameter.numel(), dtype=torch.float64)
        parameter.copy_(0.5 * torch.sin(steps * (1 + 0.1 * place) + place).reshape(parameter.shape))
    return network.eval()


def waves() -> Tensor:
    """(2, 200), one loud and one quiet."""
    shape = torch.sin(torch.arange(400, dtype=torch.float64) ** 1.5 / 7).float().reshape(2, 200)
    return shape * torch.tensor([[0.5], [0.02]])


def ours(golden: dict[str, Any]) -> Demucs:
    return Demucs(**{name.removesuffix("_size"): value for name, value in golden["kwargs"].items()})


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: str(golden["kwargs"]))
def test_outputs_are_those_of_the_authors_code(golden: dict[str, Any]) -> None:
    """Golden: denoiser 0.1.5 itself."""
    network = ours(golden)
    assert {key: list(value.shape) for key, value in network.state_dict().items()} == golden["shapes"]
    with torch.no_grad():
        found = with_known_weights(network)(waves())
    torch.testing.assert_close(found, torch.tensor(golden["output"]), atol=2e-7, rtol=1e-5)
    for samples, valid in golden["valid_length"].items():
        assert network.valid_samples(int(samples)) == valid


@pytest.mark.parametrize("samples", [2, 7, 64, 1000, 1501])
def test_an_estimate_is_as_long_as_its_mixture(samples: int) -> None:
    assert Demucs(2, depth=3)(torch.randn(2, samples)).shape == (2, samples)


def test_an_estimate_follows_the_level_of_its_mixture() -> None:
    """But for the floor of 1e-3 under the level."""
    network, wave = with_known_weights(Demucs(2, depth=3)), torch.randn(1, 800, generator=torch.manual_seed(3))
    with torch.no_grad():
        torch.testing.assert_close(network(100 * wave), 100 * network(wave), atol=1e-4, rtol=5e-3)
        assert torch.count_nonzero(network(torch.zeros(1, 800))) == 0


def test_fresh_weights_are_scaled_towards_a_deviation_of_a_tenth() -> None:
    torch.manual_seed(0)
    plain = nn.Conv1d(1, 4, 8, 4).weight.std()
    torch.manual_seed(0)
    network = Demucs(4, depth=3)
    weights = dict(network.named_parameters())
    torch.testing.assert_close(weights["encoder.0.0.weight"].std(), (0.1 * plain).sqrt())
    network(waves()).square().mean().backward()
    assert all(weight.grad is not None for weight in weights.values())


def test_four_seconds_are_padded_to_64085_samples() -> None:
    assert Demucs(2).valid_samples(64_000) == 64_085


def test_a_causal_network_does_not_hear_the_future() -> None:
    """But for the lookahead of its filters, and but for the level of the whole clip, which is held here."""
    network = with_known_weights(Demucs(2, depth=2, resample=1))
    wave = torch.randn(1, 4000, generator=torch.Generator().manual_seed(1))
    other = wave.clone()
    other[:, 2000:] = other[:, 2000:].flip(-1)  # same standard deviation
    with torch.no_grad():
        difference = (network(wave) - network(other)).abs()[0]
    assert difference[:1960].max() < 1e-5
    assert difference[2000:].max() > 1e-3


def test_resampling_keeps_what_both_rates_can_hold() -> None:
    time = torch.arange(2000, dtype=torch.float64) / 16_000
    tone = torch.sin(2 * torch.pi * 1000 * time)[None]
    there = upsampled(tone)
    fine = torch.sin(2 * torch.pi * 1000 * torch.arange(4000, dtype=torch.float64) / 32_000)
    assert (there[0] - fine)[200:-200].abs().max() < 1e-3
    assert (downsampled(there) - tone)[0, 200:-200].abs().max() < 1e-3


def test_other_upsampling_is_refused() -> None:
    with pytest.raises(ValueError, match="resample=3"):
        Demucs(2, resample=3)
