"""Levels of what a model gives for a recording: least squares, by the loudest voice where there are several."""

import numpy as np
import pytest
import torch

from trainables.enhancer import Enhancer, level_gain, loudest
from trainables.job.assignment import Assignment
from trainables.method import Method

RATE = 16000


def tone(pitch: float, seconds: float = 0.5) -> np.ndarray:
    return np.sin(2 * np.pi * pitch * np.arange(round(RATE * seconds)) / RATE).astype(np.float32)


@pytest.mark.parametrize("gain", [1.0, 0.1, 0.1 * 10**-3, -1.0, -250.0])
def test_level_and_sign_of_an_estimate_do_not_matter(gain: float) -> None:
    speech, noise = tone(300), 0.5 * tone(1700)
    assert level_gain(speech + noise, np.float32(gain) * speech) == pytest.approx(1 / gain, rel=1e-5)


def test_a_constant_offset_of_the_recording_or_the_estimate_is_no_level() -> None:
    speech = tone(300)
    assert level_gain(speech + 3, 0.25 * speech - 2) == pytest.approx(4.0, rel=1e-5)


@pytest.mark.parametrize("estimate", [np.zeros(8000, np.float32), np.full(8000, 0.3, np.float32)])
def test_a_silent_estimate_stays_as_it_is(estimate: np.ndarray) -> None:
    assert level_gain(tone(300), estimate) == 1.0


def test_a_silent_recording_has_a_silent_estimate() -> None:
    assert level_gain(np.zeros(8000, np.float32), tone(300)) == 0.0


def test_the_loudest_voice_is_the_one_that_varies_most() -> None:
    voices = np.stack([0.1 * tone(300) + 5, 0.2 * tone(500)])
    np.testing.assert_array_equal(loudest(voices), voices[1])


class QuietSeparator(Method):
    """A network that knows its two voices, and gives them at a tenth of their level and upside down."""

    sources = 2

    def __init__(self, voices: np.ndarray) -> None:
        super().__init__()
        self.voices = torch.nn.Parameter(torch.from_numpy(voices))

    def infer(self, mixture: torch.Tensor) -> torch.Tensor:
        return -0.1 * self.voices[None, :, : mixture.shape[1]]


def test_voices_keep_their_levels_among_each_other() -> None:
    voices = np.stack([0.1 * tone(300), 0.4 * tone(500)])
    enhance = Enhancer(QuietSeparator(voices), Assignment(job="all/final/none/seed-1001"))
    np.testing.assert_allclose(enhance(voices.sum(0), RATE), voices, atol=1e-5)
    channels = np.stack([voices.sum(0), 3 * voices.sum(0)], axis=1)
    np.testing.assert_allclose(enhance(channels, RATE), 2 * voices, atol=1e-5)
