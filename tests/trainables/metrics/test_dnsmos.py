"""DNSMOS against the function that its authors publish with the model."""

import sys
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest

from tests.support.audio.signals import RATE, noisy, speech_like
from trainables.base.errors import UserError
from trainables.metrics import Unscorable, dnsmos
from trainables.metrics.dnsmos import Ratings, ratings
from trainables.metrics.scorer import Scorer


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> Callable[[np.ndarray], tuple[float, ...]]:
    """speechmos' own run(); its other score reads a mel spectrogram of librosa's, which is left empty here."""
    mel = SimpleNamespace(melspectrogram=lambda **_: np.ones((120, 900)))
    librosa = SimpleNamespace(feature=mel, power_to_db=lambda power, ref: power)
    monkeypatch.setitem(sys.modules, "librosa", librosa)
    from speechmos import dnsmos as module

    def run(audio: np.ndarray) -> tuple[float, ...]:
        found = module.run(audio, RATE)
        return tuple(float(found[name]) for name in ("sig_mos", "bak_mos", "ovrl_mos"))

    return run


@pytest.mark.parametrize("seconds", [0.7, 4.0, 9.01, 9.5, 11.0, 18.02])
def test_all_three_are_what_the_authors_script_says(
    published: Callable[[np.ndarray], tuple[float, ...]], seconds: float
) -> None:
    audio = noisy(speech_like(seconds), snr_db=10.0)
    assert ratings(audio, audio, RATE) == pytest.approx(published(audio), abs=1e-5)


def test_a_listener_prefers_the_clean_recording() -> None:
    clean = speech_like(4.0)
    for better, worse in zip(ratings(clean, clean, RATE), ratings(clean, noisy(clean, snr_db=0.0), RATE), strict=True):
        assert better > worse


def test_what_is_too_loud_is_heard_clipped() -> None:
    loud = 30 * speech_like(2.0)
    assert ratings(loud, loud, RATE) == ratings(loud, np.clip(loud, -1, 1), RATE)


@pytest.mark.parametrize("samples", [0, 1, 100, 3999])
def test_under_a_quarter_of_a_second_there_is_no_opinion(samples: int) -> None:
    clean = speech_like(0.5)[:samples]
    with pytest.raises(Unscorable, match="too_short"):
        ratings(clean, clean, RATE)


def test_the_scorer_gives_each_a_row_from_one_inference(monkeypatch: pytest.MonkeyPatch) -> None:
    clean = speech_like(2.0)
    estimate = noisy(clean, snr_db=10.0)
    expected = ratings(clean, estimate, RATE)
    calls: list[int] = []
    raw = dnsmos._raw

    def counted(window: np.ndarray) -> np.ndarray:
        calls.append(len(window))
        return raw(window)

    monkeypatch.setattr(dnsmos, "_raw", counted)
    rows = Scorer(["dnsmos", "dnsmos_sig", "dnsmos_bak"]).score(["u"], [clean], [estimate])
    assert Ratings(rows[1]["value"], rows[2]["value"], rows[0]["value"]) == expected
    assert {row["status"] for row in rows} == {"ok"}
    assert calls == [int(9.01 * RATE)] * 7  # the windows of the clip, doubled to 16 s, each once


@pytest.mark.parametrize("name", ["dnsmos", "dnsmos_sig", "dnsmos_bak"])
def test_they_are_defined_at_16_khz_only(name: str) -> None:
    with pytest.raises(UserError, match=f"'{name}' needs audio at 16000 Hz, this is at 8000 Hz"):
        Scorer([name], sample_rate=8000)
