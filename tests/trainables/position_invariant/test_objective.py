"""The variants: what equals what, that padding and shifts cost little, and that each loss can be learned."""

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.trainables.position_invariant.support import config, method, noise, reference, voices
from trainables.audio.examples.mixing import Batch
from trainables.audio.speed import at_speed
from trainables.base.randomness import seed_global_generators
from trainables.method import When
from trainables.position_invariant.disturbances import Draws
from trainables.position_invariant.objective import Objective

FULL = torch.tensor([8000, 8000])


def losses(enhanced: Tensor, clean: Tensor, step: int = 0, **values: Any) -> dict[str, Tensor]:
    """With a front-end that gives `enhanced` out, or its argument where its speed was changed."""
    seed_global_generators(1, "train", step)
    objective = Objective(config(**values), reference(**values))
    return objective(lambda noisy, lengths: noisy, enhanced, clean, FULL)


def distance(enhanced: Tensor, clean: Tensor, **values: Any) -> float:
    return float(losses(enhanced, clean, **values)["distance"])


def test_padding_without_zeros_is_mse_to_the_bit() -> None:
    pair = noise() + voices(), voices()
    none: dict[str, Any] = {"pad_min": 0.0, "pad_max": 0.0, "guard": 0}
    for branch in ("clean", "enhanced"):
        found = distance(*pair, variant="mse_pad", padded_branch=branch, **none)
        assert found == distance(*pair, variant="mse")


def test_the_untouched_candidate_reports_the_loss_of_mse() -> None:
    pair = noise() + voices(), voices()
    assert distance(*pair, variant="none") == distance(*pair, variant="mse")


@pytest.mark.parametrize("l2norm", ["on", "off"])
@pytest.mark.parametrize("variant", ["mse", "softdtw", "mse_speed_interp"])
def test_equal_waves_at_equal_speed_are_at_no_distance(variant: str, l2norm: str) -> None:
    same: dict[str, Any] = {"variant": variant, "l2norm": l2norm, "speed_low": 1.0, "speed_high": 1.0}
    assert distance(voices(), voices(), **same) == pytest.approx(0.0, abs=1e-4)
    assert distance(voices(), voices(seed=5), **same) > 1e-2


@pytest.mark.parametrize("branch", ["clean", "enhanced"])
@pytest.mark.parametrize("side", ["split", "left", "right"])
def test_a_clean_estimate_pays_little_for_zeros(side: str, branch: str) -> None:
    """Less than a twentieth of what another utterance pays."""
    settings: dict[str, Any] = {"variant": "mse_pad", "pad_side": side, "padded_branch": branch}
    shifted, other = (distance(voices(), each, **settings) for each in (voices(), voices(seed=5)))
    assert 0 < shifted < 0.05 * other


@pytest.mark.parametrize("variant", ["softdtw", "mse_speed_interp"])
def test_other_content_is_dearer_than_the_same_at_another_speed(variant: str) -> None:
    """Little for an untrained reference, which hears the pitch that moves with the speed."""
    slow: dict[str, Any] = {"variant": variant, "l2norm": "on", "speed_low": 0.95, "speed_high": 0.95}
    same, other = distance(voices(), voices(), **slow), distance(voices(), voices(seed=5), **slow)
    assert 0 < same < 0.95 * other


def test_the_branch_that_is_asked_for_changes_its_speed() -> None:
    """Each against the same distance made by hand from the other branch."""
    noisy, clean = noise() + voices(), voices()
    fast: dict[str, Any] = {"variant": "softdtw", "speed_low": 1.2, "speed_high": 1.2, "lambda_sisdr": 0.1}
    by_clean, by_noisy = losses(noisy, clean, **fast), losses(noisy, clean, speed_branch="noisy", **fast)
    assert float(by_clean["distance"]) != float(by_noisy["distance"])
    # The signal term compares at one speed.
    assert float(by_clean["si_sdr"]) == pytest.approx(float(by_noisy["si_sdr"]), abs=2.0)
    seen: list[Tensor] = []

    def enhance(wave: Tensor, lengths: Tensor) -> Tensor:
        seen.append(wave)
        return wave

    for branch in ("clean", "noisy"):
        objective = Objective(config(speed_branch=branch, **fast), reference())
        objective(enhance, noisy, clean, FULL)
    faster = at_speed(clean, 1.2)
    assert torch.equal(seen[0], noisy)
    torch.testing.assert_close(seen[1], faster + (noisy - clean)[:, : faster.shape[1]])


def test_branches_are_swapped_in_about_half_of_the_steps() -> None:
    settings = config(swap_branches=True)
    objective = Objective(settings, reference())
    found = []
    for step in range(100):
        seed_global_generators(1, "train", step)
        found.append(objective._changing_branch(Draws()))
    assert set(found) == {"clean", "enhanced"}
    assert 30 < found.count("clean") < 70
    value = losses(noise() + voices(), voices(), swap_branches=True, pitch_semitones=2.0)["total"]
    assert torch.isfinite(value)


def test_the_total_is_the_weighted_sum() -> None:
    found = losses(noise() + voices(), voices(), lambda_sisdr=0.3, lav_weight=0.2)
    expected = found["distance"] + 0.3 * found["si_sdr"] + 0.2 * found["lav"]
    torch.testing.assert_close(found["total"], expected)
    assert set(losses(noise() + voices(), voices())) == {"distance", "total"}


@pytest.mark.parametrize(
    "values",
    [
        {"variant": "mse"},
        {"variant": "mse", "l2norm": "on"},
        {"variant": "mse_pad"},
        {"variant": "softdtw"},
        {"variant": "softdtw", "divergence": False, "l2norm": "off"},
        {"variant": "mse_speed_interp"},
        {"variant": "softdtw", "speed_branch": "noisy", "band": 0.2},
    ],
    ids=str,
)
def test_each_loss_is_learned(values: dict[str, Any]) -> None:
    """60 updates on two half-second clips; the mean of the last tenth lies below that of the first."""
    trained = method(lr=1e-3, **values)
    optimizer, steps, seen = trained.optimizer(), 60, []
    batch = Batch(noisy=voices() + noise(), clean=voices(), lengths=FULL)
    for step in range(steps):
        seed_global_generators(1, "train", step)
        loss = trained.training_losses(batch, When(step=step, epoch=0, steps=steps))["total"]
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained.parameters(), trained.config.clip)
        optimizer.step()
        seen.append(float(loss.detach()))
    tenth = steps // 6
    assert sum(seen[-tenth:]) < 0.95 * sum(seen[:tenth])


@pytest.mark.parametrize(
    "values",
    [
        {"variant": "mse_pad", "padded_branch": "enhanced"},
        {"variant": "softdtw", "lav_weight": 0.4, "lambda_sisdr": 0.1},
        {"variant": "softdtw", "speed_branch": "noisy", "pitch_semitones": 2.0},
        {"variant": "softdtw", "swap_branches": True, "pitch_semitones": 2.0, "band": 0.2},
    ],
    ids=str,
)
def test_gradients_under_autocast_are_those_without_it(values: dict[str, Any]) -> None:
    """As on a GPU: the network and the reference in halves, distances and disturbances in float32."""
    trained = method(**values)
    batch = Batch(noisy=voices() + noise(), clean=voices(), lengths=FULL)

    def gradient(halves: bool) -> Tensor:
        seed_global_generators(1, "train", 3)
        with torch.autocast("cpu", torch.bfloat16, enabled=halves):
            found = trained.training_losses(batch, When(step=3, epoch=0, steps=9))
        assert {loss.dtype for loss in found.values()} == {torch.float32}
        trained.zero_grad()
        found["total"].backward()
        return torch.cat([each.grad.flatten() for each in trained.parameters() if each.grad is not None])

    assert torch.cosine_similarity(gradient(False), gradient(True), dim=0) > 0.9
