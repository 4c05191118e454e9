"""The listening page as a file: whole in itself, small enough, with sounds and pictures that decode."""

import base64
import io
import re

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from PIL import Image

from sweep.report.listening.clips import ListeningClip, Version
from sweep.report.listening.page import listening_page
from sweep.report.listening.spectrogram import COLUMNS, ROWS, picture, power_db

RATE = 16000


def tone(hertz: float, seconds: float = 0.5, rate: int = RATE) -> NDArray[np.float32]:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


def clip(number: int) -> ListeningClip:
    scores = {"si_sdr": 3.14159, "wb_pesq": 1.2345}
    versions = (Version("noisy", "", tone(1000), {}), Version("layer2", "winner", tone(2000), scores))
    return ListeningClip(f"<babble>, {number} dB", "s1, u01", RATE, versions)


@pytest.fixture(scope="module")
def page() -> str:
    return listening_page("Listen & judge", ["A question?"], [clip(0), clip(5)])


def embedded(page: str, kind: str) -> list[bytes]:
    return [base64.b64decode(content) for content in re.findall(rf'"data:{kind};base64,([^"]+)"', page)]


def test_nothing_is_asked_of_any_server(page: str) -> None:
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert "http" not in page.replace("http-equiv", "")
    assert "@import" not in page


def test_every_version_has_a_sound_of_its_own_length(page: str) -> None:
    sounds = [soundfile.read(io.BytesIO(content)) for content in embedded(page, "audio/flac")]
    assert [(len(samples), rate) for samples, rate in sounds] == [(RATE // 2, RATE)] * 4
    assert np.allclose(sounds[1][0], tone(2000), atol=2**-15)


def test_every_version_has_a_spectrogram(page: str) -> None:
    pictures = [Image.open(io.BytesIO(content)) for content in embedded(page, "image/png")]
    assert [each.size for each in pictures] == [(COLUMNS, ROWS)] * 4


def test_scores_stand_under_their_version(page: str) -> None:
    (winner, *_) = re.findall(r'class="winner">winner.*?</button>', page, re.DOTALL)
    assert "<span>SI-SDR</span> 3.1 dB" in winner
    assert "<span>WB-PESQ</span> 1.23" in winner


def test_words_from_outside_cannot_become_markup(page: str) -> None:
    assert "<babble>" not in page
    assert "&lt;babble&gt;" in page
    assert "<title>Listen &amp; judge</title>" in page


def test_it_says_that_levels_are_matched_and_up_to_which_frequency(page: str) -> None:
    assert "Levels are matched" in page
    assert "0 to 8 kHz" in page


def test_clips_beyond_the_largest_size_are_left_out_and_counted() -> None:
    clips = [clip(number) for number in range(6)]
    largest = len(listening_page("t", [], clips[:2])) + 1000
    small = listening_page("t", [], clips, largest)
    assert len(small) < largest + 5000
    assert small.count('class="clip"') == 2
    assert "4 more clips were left out" in small


@pytest.mark.parametrize("rate", [8000, 16000])
def test_a_tone_is_bright_in_its_own_row(rate: int) -> None:
    decibels = power_db(tone(rate / 8, rate=rate), rate)
    assert decibels.shape == (ROWS, COLUMNS)
    assert abs(int(decibels[:, COLUMNS // 2].argmax()) - ROWS // 4) <= 1


def test_low_frequencies_lie_at_the_bottom_and_silence_is_dark() -> None:
    decibels = power_db(tone(500), RATE)
    image = np.asarray(Image.open(io.BytesIO(picture(decibels, float(decibels.max())))).convert("L"))
    assert image[:, COLUMNS // 2].argmax() > 0.8 * ROWS
    assert image[0].max() < image.max() / 4
