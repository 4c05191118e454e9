"""Raw narrow-band PESQ, recovered from the mapped score the library gives."""

import math

import numpy as np
import pesq as library
import pytest

from trainables.metrics import Unscorable
from trainables.metrics.pesq import nb_pesq, raw_from_lqo, wb_pesq

RATE = 16000


def speech_like(seconds: float = 3.0) -> np.ndarray:
    """Harmonics with a syllable rhythm: enough for PESQ to find utterances in."""
    time = np.arange(int(seconds * RATE)) / RATE
    voice = sum(np.sin(2 * np.pi * 130 * n * time + n) / n for n in range(1, 20))
    return (0.1 * voice * np.clip(np.sin(2 * np.pi * 2.5 * time), 0, None)).astype(np.float32)


def noisy(level: float) -> np.ndarray:
    clean = speech_like()
    return clean + level * np.random.default_rng(0).standard_normal(len(clean)).astype(np.float32)


def test_the_documented_point() -> None:
    assert raw_from_lqo(1.6072) == pytest.approx(1.9686, abs=1e-4)


@pytest.mark.parametrize("raw", [-0.4, 1.0, 2.5, 4.4])
def test_it_undoes_the_mapping_of_p862_1(raw: float) -> None:
    mapped = 0.999 + 4.0 / (1.0 + math.exp(-1.4945 * raw + 4.6607))
    assert raw_from_lqo(mapped) == pytest.approx(raw, abs=1e-9)


def test_it_is_the_narrow_band_score() -> None:
    clean, degraded = speech_like(), noisy(0.02)
    mapped = library.pesq(RATE, clean, degraded, "nb")
    assert nb_pesq(clean, degraded) == pytest.approx(raw_from_lqo(mapped))
    assert nb_pesq(clean, degraded) != pytest.approx(wb_pesq(clean, degraded), abs=0.05)


def test_less_noise_scores_higher_up_to_four_and_a_half() -> None:
    clean = speech_like()
    scores = [nb_pesq(clean, noisy(level)) for level in (0.1, 0.03, 0.01)]
    assert scores == sorted(scores)
    assert nb_pesq(clean, clean) == pytest.approx(4.5, abs=0.05)


def test_too_short_a_clip_is_unscorable() -> None:
    with pytest.raises(Unscorable):
        nb_pesq(speech_like()[:2000], noisy(0.01)[:2000])
