"""The planted component: what frame-by-frame and shifted distances make of it, and that training follows."""

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.trainables.position_invariant.support import config, method, noise, reference, voices
from trainables.audio.examples.mixing import Batch
from trainables.base.randomness import seed_global_generators
from trainables.losses.si_sdr import si_sdr
from trainables.method import When
from trainables.position_invariant.objective import Objective
from trainables.position_invariant.planted_position import PlantedPosition, roughness

FULL = torch.tensor([8000, 8000])


def test_roughness_is_that_of_known_signals_at_any_level() -> None:
    time = torch.arange(16_000) / 16_000
    slow = torch.sin(2 * torch.pi * 100 * time)
    fastest = torch.where(torch.arange(16_000) % 2 == 0, 1.0, -1.0)
    waves = torch.stack([slow, 100 * slow, fastest, noise(1, 16_000)[0]])
    slow_share = float(torch.sin(torch.tensor(torch.pi * 100 / 16_000)) ** 2)
    expected = torch.tensor([slow_share, slow_share, 1.0, 0.5])
    torch.testing.assert_close(roughness(waves), expected, atol=0.01, rtol=0.01)
    cut = roughness(waves, torch.tensor([8000, 8000, 8000, 8000]))
    torch.testing.assert_close(cut, roughness(waves[:, :8000]))


def test_vectors_belong_to_frames_and_are_nearly_orthogonal() -> None:
    frozen = reference()
    component = PlantedPosition(frozen, 1.0)
    features = torch.zeros(2, 20, 128)
    whole, part = component(features, 3, None), component(features, 3, torch.tensor([1.0, 0.25]))
    assert torch.equal(whole[0], whole[1])
    assert torch.equal(part[0], whole[0])
    torch.testing.assert_close(part[1], 0.25 * whole[1])
    longer = component(torch.zeros(2, 30, 128), 3, None)
    assert torch.equal(longer[:, :20], whole)
    unit = torch.nn.functional.normalize(whole[0], dim=-1)
    products = unit @ unit.T - torch.eye(20)
    assert products.abs().max() < 0.5
    assert torch.equal(PlantedPosition(frozen, 2.0)(features, 3, None), 2 * whole)


def distance(enhanced: Tensor, **values: Any) -> float:
    seed_global_generators(1, "train", 0)
    settings: dict[str, Any] = {"planted_position": 1.0, **values}
    objective = Objective(config(**settings), reference(**settings))
    return float(objective(lambda noisy, lengths: noisy, enhanced, voices(), FULL)["distance"])


def rough(amount: float) -> Tensor:
    """Clean speech with a tone at half the sample rate, `amount` times as strong."""
    wave = voices()
    tone = torch.where(torch.arange(8000) % 2 == 0, 1.0, -1.0)
    return wave + amount * wave.square().mean(-1, keepdim=True).sqrt() * tone


def planted_part(enhanced: Tensor, **values: Any) -> float:
    """What the component adds to the distance."""
    return distance(enhanced, **values) - distance(enhanced, **{**values, "planted_position": 0.0})


def test_added_alike_it_cancels_frame_by_frame() -> None:
    component, frozen = PlantedPosition(reference(), 1.0), reference()
    one, other = frozen.features(voices()), frozen.features(voices(seed=5))
    difference = component(one, 3, None) - component(other, 3, None)
    torch.testing.assert_close(difference, one - other, atol=1e-5, rtol=1e-4)


def test_roughness_pays_frame_by_frame_and_costs_under_a_shift() -> None:
    left: dict[str, Any] = {"variant": "mse_pad", "pad_side": "left"}
    smooth, hissing = planted_part(voices(), variant="mse"), planted_part(rough(1.0), variant="mse")
    assert hissing < 0.7 * smooth
    assert planted_part(rough(1.0), **left) > planted_part(voices(), **left)


@pytest.mark.slow
@pytest.mark.parametrize("cure", [{"variant": "mse_pad", "pad_side": "left"}, {"variant": "softdtw"}], ids=str)
def test_training_exploits_it_frame_by_frame_and_not_under_a_cure(cure: dict[str, Any]) -> None:
    """From equal weights: `mse` makes its output rougher than the cure does, and farther from the clean wave."""
    exploiting, cured = (_train(values) for values in ({"variant": "mse"}, cure))
    assert exploiting["share"] > 1.5 * cured["share"]
    assert exploiting["si_sdr"] < cured["si_sdr"]


def _train(values: dict[str, Any], steps: int = 150) -> dict[str, float]:
    trained = method(planted_position=1.0, lr=5e-4, warmup_share=0.0, lr_floor=1.0, **values)
    _enhances_first(trained)
    optimizer = trained.optimizer()
    for step in range(steps):
        clean = voices(seed=step)
        seed_global_generators(1, "train", step)
        batch = Batch(noisy=clean + noise(seed=step), clean=clean, lengths=FULL)
        loss = trained.training_losses(batch, When(step=step, epoch=0, steps=steps))["total"]
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained.parameters(), trained.config.clip)
        optimizer.step()
    with torch.no_grad():
        enhanced = trained.front_end(voices(seed=1000) + noise(seed=1000))
    return {
        "share": float(roughness(enhanced).mean()),
        "si_sdr": float(si_sdr(enhanced, voices(seed=1000)).mean()),
    }


def _enhances_first(trained: torch.nn.Module) -> None:
    """Some steps of plain enhancement, the same for all."""
    optimizer = torch.optim.Adam(trained.parameters(), lr=3e-3)
    for step in range(150):
        clean = voices(seed=5000 + step)
        estimate = trained.front_end(clean + noise(seed=5000 + step))  # type: ignore[operator]
        optimizer.zero_grad()
        (-si_sdr(estimate, clean).mean()).backward()
        optimizer.step()
