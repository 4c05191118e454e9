"""How one recording lies in another: closed forms."""

import numpy as np
import pytest

from trainables.audio.published.causes import likely_causes
from trainables.audio.published.evidence import Evidence, Match, match


def white(samples: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(samples).astype(np.float32)


@pytest.mark.parametrize("gain", [1.0, 0.25, -2.0])
@pytest.mark.parametrize("delay", [0, 37, -500])
def test_delay_gain_and_correlation_of_a_delayed_copy_in_noise(gain: float, delay: int) -> None:
    clean = white(16_000, 1)
    shifted = np.zeros_like(clean)
    shifted[max(delay, 0) : len(clean) + min(delay, 0)] = clean[max(-delay, 0) : len(clean) - max(delay, 0)]
    found = match(clean, np.float32(gain) * (shifted + np.float32(0.5) * white(16_000, 2)))
    assert found.delay == delay
    assert found.gain == pytest.approx(gain, rel=0.05)
    assert found.correlation == pytest.approx(1 / np.sqrt(1.25), abs=0.03)


def test_of_other_lengths_and_of_nothing_in_common() -> None:
    clean = white(4000, 3)
    inside = np.concatenate([white(9000, 4) * 0.1, clean, white(3000, 5) * 0.1])
    assert match(clean, inside).delay == 9000
    assert match(clean, white(16_000, 6)).correlation < 0.1
    assert match(clean, np.zeros(100, np.float32)).correlation == 0.0


def test_a_constant_offset_is_no_speech_in_common() -> None:
    assert match(white(4000, 3) + 5, white(4000, 7) + 5).correlation < 0.1


def test_a_few_rows_that_drown_in_noise_are_no_wrong_pairs() -> None:
    def seen(strangers: int, partner: tuple[str, str] | None = None) -> list[str]:
        matches = [Match(0.2, 300, 0.5)] * strangers + [Match(0.9, 0, 1.0)] * (100 - strangers)
        evidence = Evidence(tuple(matches), partner, None, None, 8000.0, 8000.0, frozenset(), None, False)
        return [cause.name for cause in likely_causes(evidence)]

    assert seen(0) == seen(5) == []
    assert seen(6) == ["pairing"]
    assert seen(1, ("a", "b")) == ["pairing"]
