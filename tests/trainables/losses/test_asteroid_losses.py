"""SI-SDR losses are asteroid's numbers, quiet outputs and silence included.

golden_asteroid.json holds what asteroid 0.7.0 gives (`pairwise_neg_sisdr` and `singlesrc_neg_sisdr` of
asteroid/losses/sdr.py, `PITLossWrapper(..., pit_from="pw_mtx")` of asteroid/losses/pit_wrapper.py, MIT licence) for the
signals and the networks below.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from trainables.losses.permutation import best_assignment, pairwise_si_sdr, pit_loss
from trainables.losses.si_sdr import si_sdr
from trainables.separation.config import SeparationConfig
from trainables.separation.separators import build_separator

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parent / "golden_asteroid.json").read_text())
SAMPLES, STEPS = 2000, 20
SCALES = (1.0, 1e-2, 1e-4, 1e-6, 1e-8, 0.0)  # of the estimates
MODELS = ("convtasnet", "dprnn", "dptnet")


def tones(batch: int, sources: int, first: int = 0) -> Tensor:
    """(batch, sources, samples) of two chirped tones each, with an offset; the same on every machine."""
    number = torch.arange(first, first + batch * sources, dtype=torch.float64).view(batch, sources, 1)
    time = torch.arange(SAMPLES, dtype=torch.float64)
    waves = torch.sin((0.05 + 0.013 * number) * time) + 0.5 * torch.sin(0.31 * time + 1e-5 * (number + 1) * time**2)
    return (0.05 * (1 + number % 3) * waves + 0.01 * torch.cos(number)).float()


def estimates(sources: int) -> Tensor:
    """Every source with some of the others and of tones that are in none."""
    clean = tones(3, sources)
    return clean.roll(1, dims=1) + 0.4 * clean + 0.3 * tones(3, sources, first=40)


def with_a_silent_reference() -> Tensor:
    clean = tones(3, 2)
    clean[1, 0] = 0.0
    return clean


def initial_outputs(model: str, sources: int) -> tuple[Tensor, Tensor]:
    """What untrained networks of ten seeds make of mixtures, and the voices."""
    outputs, voices = [], []
    for seed in range(10):
        network = build_separator(SeparationConfig.from_dict({"model": model}), sources, seed)
        voices.append(tones(6, sources, first=seed))
        with torch.no_grad():
            outputs.append(network(voices[-1].sum(1)))
    return torch.cat(outputs), torch.cat(voices)


def first_losses(model: str, loss: Any) -> list[float]:
    """Of the first steps of a training with Adam."""
    network = build_separator(SeparationConfig.from_dict({"model": model}), 2, seed=1)
    optimizer, losses = torch.optim.Adam(network.parameters(), lr=1e-3), []
    for step in range(STEPS):
        voices = tones(4, 2, first=3 * step)
        value = loss(network(voices.sum(1))[:, :2], voices)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        losses.append(float(value.detach()))
    return losses


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("sources", [2, 3])
def test_pairwise_values_at_every_level(sources: int, scale: float) -> None:
    found = pairwise_si_sdr(scale * estimates(sources), tones(3, sources))
    expected = -torch.tensor(GOLDEN["pairwise"][f"{sources} sources, scale {scale:g}"]).transpose(1, 2)
    torch.testing.assert_close(found, expected, atol=2e-3, rtol=0)  # asteroid computes in float32


@pytest.mark.parametrize("scale", SCALES)
def test_values_of_single_sources_at_every_level(scale: float) -> None:
    found = si_sdr(scale * estimates(2)[:, 0], tones(3, 2)[:, 1])
    torch.testing.assert_close(found, -torch.tensor(GOLDEN["single"][f"scale {scale:g}"]), atol=2e-3, rtol=0)


def test_a_silent_reference_gives_minus_80_db_and_no_gradient() -> None:
    silent = with_a_silent_reference()
    outputs = estimates(2).requires_grad_()
    found = pairwise_si_sdr(outputs, silent)
    expected = -torch.tensor(GOLDEN["silent reference"]).transpose(1, 2)
    torch.testing.assert_close(found.detach(), expected, atol=2e-3, rtol=0)
    assert found[1, 0].tolist() == pytest.approx([-80.0, -80.0], abs=1e-5)
    (gradient,) = torch.autograd.grad(found[1, 0].sum(), outputs)
    assert gradient.abs().max() == 0.0


@pytest.mark.parametrize("sources", [2, 3])
@pytest.mark.parametrize("model", MODELS)
def test_initial_assignments_are_the_same(model: str, sources: int) -> None:
    """All sixty of each."""
    order = best_assignment(pairwise_si_sdr(*initial_outputs(model, sources))).order
    assert order.tolist() == GOLDEN["orders"][f"{model}, {sources} sources"]


@pytest.mark.parametrize("model", MODELS)
def test_the_first_losses_of_training_are_the_same(model: str) -> None:
    found = first_losses(model, lambda outputs, voices: pit_loss(outputs, voices)[0])
    assert found == pytest.approx(GOLDEN["first losses"][model], abs=0.02)
