"""The monitors next to the deciding metric: each fault shows in one of them."""

import numpy as np
import pytest

from trainables.metrics.level_monitors import level_monitors
from trainables.metrics.scorer import Scorer


def references(clips: int = 4) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [0.1 * rng.standard_normal(8000).astype(np.float32) for _ in range(clips)]


def monitored(estimates: list[np.ndarray]) -> dict[str, float]:
    clean = references(len(estimates))
    ids = [str(index) for index in range(len(clean))]
    return level_monitors(Scorer(["si_sdr", "segsnr"]).score(ids, clean, estimates))


def noisy(scale: float = 0.05) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return [wave + np.float32(scale) * rng.standard_normal(8000).astype(np.float32) for wave in references()]


def test_a_sound_estimate_has_gain_1_and_no_flips() -> None:
    found = monitored(noisy())
    assert found["estimate_gain"] == pytest.approx(1.0, abs=0.05)
    assert found["flipped_share"] == 0.0


def test_a_wrong_level_shows_as_gain_and_in_the_segmental_snr() -> None:
    loud = monitored([np.float32(2.6) * wave for wave in noisy()])
    assert loud["estimate_gain"] == pytest.approx(2.6, abs=0.15)
    assert loud["segsnr"] < monitored(noisy())["segsnr"] - 5.0


def test_a_turned_sign_is_counted() -> None:
    waves = noisy()
    found = monitored([-waves[0], *waves[1:]])
    assert found["flipped_share"] == 0.25


def test_a_clip_that_cannot_be_scored_does_not_count() -> None:
    waves = noisy()
    assert monitored([np.zeros(8000, dtype=np.float32), *waves[1:]])["estimate_gain"] == pytest.approx(1.0, abs=0.05)
    assert monitored([np.full(8000, np.nan, dtype=np.float32)]) == {}
