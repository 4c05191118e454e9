"""DNSMOS against the function that its authors publish with the model."""

import sys
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest

from tests.support.audio.signals import RATE, noisy, speech_like
from trainables.base.errors import UserError
from trainables.metrics import Unscorable
from trainables.metrics.dnsmos import dnsmos
from trainables.metrics.scorer import Scorer


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> Callable[[np.ndarray], float]:
    """speechmos' own run(); its other score reads a mel spectrogram of librosa's, which is left empty here."""
    mel = SimpleNamespace(melspectrogram=lambda **_: np.ones((120, 900)))
    librosa = SimpleNamespace(feature=mel, power_to_db=lambda power, ref: power)
    monkeypatch.setitem(sys.modules, "librosa", librosa)
    from speechmos import dnsmos as module

    return lambda audio: float(module.run(audio, RATE)["ovrl_mos"])


@pytest.mark.parametrize("seconds", [0.7, 4.0, 9.01, 9.5, 11.0, 18.02])
def test_it_is_what_the_authors_script_says(published: Callable[[np.ndarray], float], seconds: float) -> None:
    audio = noisy(speech_like(seconds), snr_db=10.0)
    assert dnsmos(audio, audio, RATE) == pytest.approx(published(audio), abs=1e-5)


def test_a_listener_prefers_the_clean_recording() -> None:
    clean = speech_like(4.0)
    assert dnsmos(clean, clean, RATE) > dnsmos(clean, noisy(clean, snr_db=0.0), RATE)


def test_what_is_too_loud_is_heard_clipped() -> None:
    loud = 30 * speech_like(2.0)
    assert dnsmos(loud, loud, RATE) == dnsmos(loud, np.clip(loud, -1, 1), RATE)


@pytest.mark.parametrize("samples", [0, 1, 100, 3999])
def test_under_a_quarter_of_a_second_there_is_no_opinion(samples: int) -> None:
    clean = speech_like(0.5)[:samples]
    with pytest.raises(Unscorable, match="too_short"):
        dnsmos(clean, clean, RATE)


def test_the_scorer_gives_it_a_row_at_16_khz_only() -> None:
    clean = speech_like(2.0)
    (row,) = Scorer(["dnsmos"]).score(["u"], [clean], [noisy(clean, snr_db=10.0)])
    assert row["status"] == "ok"
    assert 1 <= row["value"] <= 5
    with pytest.raises(UserError, match="'dnsmos' needs audio at 16000 Hz, this is at 8000 Hz"):
        Scorer(["dnsmos"], sample_rate=8000)
