"""STOI and ESTOI are pystoi's, with a status where it has no number."""

from collections.abc import Callable

import numpy as np
import pystoi
import pytest

from tests.support.audio.signals import RATE, noisy, speech_like
from trainables.metrics import Unscorable
from trainables.metrics.scorer import Scorer
from trainables.metrics.stoi import estoi, stoi


@pytest.mark.parametrize(("ours", "extended"), [(stoi, False), (estoi, True)])
@pytest.mark.parametrize("rate", [RATE, 8000])
def test_it_is_the_library_s_figure(ours: Callable[..., float], extended: bool, rate: int) -> None:
    clean = speech_like(2.0)
    for snr in (-5, 5, 15):
        estimate = noisy(clean, snr)
        expected = pystoi.stoi(clean, estimate, rate, extended=extended)
        assert ours(clean, estimate, rate) == pytest.approx(expected, abs=1e-12)


def test_the_extended_measure_is_another_one_and_also_1_for_the_clean_signal() -> None:
    clean = speech_like(2.0)
    assert estoi(clean, clean, RATE) == pytest.approx(1.0, abs=1e-6)
    assert estoi(clean, noisy(clean, 0), RATE) < stoi(clean, noisy(clean, 0), RATE) - 0.05


@pytest.mark.parametrize("samples", [0, 100, 410, 5000])
@pytest.mark.parametrize("ours", [stoi, estoi])
def test_under_30_frames_there_is_no_score(ours: Callable[..., float], samples: int) -> None:
    clean = speech_like(1.0)[:samples]
    with pytest.raises(Unscorable, match="too_short"):
        ours(clean, clean, RATE)


def test_the_scorer_has_both() -> None:
    clean = speech_like(1.0)
    rows = Scorer(["stoi", "estoi"]).score(["u", "short"], [clean, clean[:900]], [noisy(clean, 5), clean[:900]])
    assert [row["status"] for row in rows] == ["ok", "ok", "too_short", "too_short"]
    assert rows[0]["value"] > rows[1]["value"]
    assert np.isfinite([row["value"] for row in rows[:2]]).all()


def test_the_same_audio_has_the_same_bits_and_other_draws_are_left_alone() -> None:
    clean = speech_like(1.0)
    np.random.seed(3)
    first, drawn = estoi(clean, noisy(clean, 0), RATE), np.random.standard_normal()
    np.random.seed(3)
    assert drawn == np.random.standard_normal()
    assert {estoi(clean, noisy(clean, 0), RATE) for _ in range(5)} == {first}
