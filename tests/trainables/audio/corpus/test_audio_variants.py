"""Audio as it is found in the world: every file is read right, compared with its 16-bit original, or refused in a line.

Encodings, containers, rates, channels, levels and damage; whole folders in test_folder_variants.py.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy.signal import firwin, lfilter

from trainables.audio.corpus.audio_files import SILENCE, Remarks, read_audio, read_header, read_sound
from trainables.base.errors import UserError

RATE = 16_000
SAMPLES = 8000


def original(samples: int = SAMPLES, seed: int = 0, level: float = 0.15) -> np.ndarray:
    """Soft noise below 3 kHz that swells, as whole 16-bit steps in [-1, 1]."""
    rng = np.random.default_rng(seed)
    noise = lfilter(firwin(63, 0.3), 1, rng.standard_normal(samples))
    swelling = noise * (1.2 + np.sin(2 * np.pi * 3 * np.arange(samples) / samples))
    return np.round(32768 * level * swelling / np.abs(swelling).max()) / 32768


ORIGINAL = original(level=0.8)

# -- encodings and containers ---------------------------------------------------------------------------------

PLAIN = {"PCM_16": 0.0, "PCM_24": 0.0, "PCM_32": 0.0, "FLOAT": 0.0, "DOUBLE": 0.0}  # largest error
COARSE = {"PCM_U8": 1 / 128, "PCM_S8": 1 / 128, "ULAW": 1 / 50, "ALAW": 1 / 50}
# Largest error of codecs that predict or transform, relative to the signal, root mean square.
LOSSY = {"IMA_ADPCM": 0.1, "MS_ADPCM": 0.15, "G721_32": 0.1, "GSM610": 0.6, "VORBIS": 0.25, "OPUS": 0.5}
LOSSY["MPEG_LAYER_III"] = 0.1
_RIFF = ["PCM_16", "PCM_24", "PCM_32", "PCM_U8", "FLOAT", "DOUBLE", "ULAW", "ALAW"]
WRITTEN = {
    "WAV": [*_RIFF, "IMA_ADPCM", "MS_ADPCM", "GSM610", "G721_32"],
    "WAVEX": _RIFF,
    "RF64": _RIFF,
    "W64": [*_RIFF, "IMA_ADPCM", "MS_ADPCM", "GSM610"],
    "AIFF": ["PCM_16", "PCM_24", "PCM_32", "PCM_S8", "PCM_U8", "FLOAT", "DOUBLE", "ULAW", "ALAW"],
    "AU": ["PCM_16", "PCM_24", "PCM_32", "PCM_S8", "FLOAT", "DOUBLE", "ULAW", "ALAW"],
    "CAF": ["PCM_16", "PCM_24", "PCM_32", "PCM_S8", "FLOAT", "DOUBLE", "ULAW", "ALAW"],
    "NIST": ["PCM_16", "PCM_24", "PCM_32", "PCM_S8", "ULAW", "ALAW"],
    "FLAC": ["PCM_16", "PCM_24", "PCM_S8"],
    "OGG": ["VORBIS", "OPUS"],
    "MP3": ["MPEG_LAYER_III"],
}
ENCODINGS = [(container, encoding) for container, encodings in WRITTEN.items() for encoding in encodings]


def write(path: Path, samples: np.ndarray, container: str = "WAV", encoding: str = "PCM_16", rate: int = RATE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, format=container, subtype=encoding)
    return path


@pytest.mark.parametrize(("container", "encoding"), ENCODINGS)
def test_every_encoding_is_read_at_its_scale(tmp_path: Path, container: str, encoding: str) -> None:
    path = write(tmp_path / "a.wav", ORIGINAL, container, encoding)  # the content says what it is, not the name
    samples = read_audio(path) / 32768
    assert SAMPLES <= len(samples) < SAMPLES + 1000  # block codecs fill their last block
    error = samples[:SAMPLES] - ORIGINAL
    if encoding in PLAIN | COARSE:
        assert np.abs(error).max() <= (PLAIN | COARSE)[encoding]
    else:
        assert np.std(error) <= LOSSY[encoding] * np.std(ORIGINAL)
    assert read_header(path).sample_rate == RATE


# -- rates and channels ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [8000, 11_025, 12_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000, 192_000])
@pytest.mark.parametrize("encoding", ["PCM_16", "FLOAT"])
def test_every_rate_keeps_level_and_length(tmp_path: Path, rate: int, encoding: str) -> None:
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(rate // 2) / rate)
    samples = read_audio(write(tmp_path / "a.wav", tone, encoding=encoding, rate=rate)) / 32768
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(8000) / 16_000)
    assert abs(len(samples) - 8000) <= 1
    assert np.abs(samples[500:7500] - expected[500:7500]).max() < 1e-3
    assert abs(len(read_audio(tmp_path / "a.wav", rate=None)) - rate // 2) == 0


OTHER = original(seed=1, level=0.8)
CHANNELS = {
    "two alike": ([ORIGINAL, ORIGINAL], ORIGINAL),
    "three alike": ([ORIGINAL] * 3, ORIGINAL),
    "two that differ": ([ORIGINAL, OTHER], (ORIGINAL + OTHER) / 2),
    "one silent": ([ORIGINAL, 0 * ORIGINAL], ORIGINAL / 2),
    "five of six silent": ([ORIGINAL, *[0 * ORIGINAL] * 5], ORIGINAL / 6),
    "one inverted": ([ORIGINAL, -ORIGINAL], r"its 2 channels cancel when averaged"),
    "both silent": ([0 * ORIGINAL, 0 * ORIGINAL], "silent"),
}


@pytest.mark.parametrize("case", CHANNELS)
def test_channels_are_averaged_or_refused(tmp_path: Path, case: str) -> None:
    channels, expected = CHANNELS[case]
    path = write(tmp_path / "a.wav", np.stack(channels, axis=1))
    if isinstance(expected, str):
        refused(path, expected)
    else:
        assert np.abs(read_audio(path) / 32768 - expected).max() <= 1 / 32768


# -- levels ---------------------------------------------------------------------------------------------------


def refused(path: Path, message: str, read: Callable[[Path], object] = read_audio) -> None:
    """In one line that begins with the file and matches `message`."""
    with pytest.raises(UserError, match=message) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@dataclass(frozen=True)
class Level:
    samples: np.ndarray
    encoding: str
    outcome: str  # what it is refused with, "" = read as it is


NOISE = original(level=1.0)
LEVELS = {
    "full scale floats": Level(NOISE, "FLOAT", ""),
    "full scale by a rounding": Level(NOISE / np.abs(NOISE).max() * (1 + 1e-7), "FLOAT", ""),
    "hot floats": Level(1.5 * NOISE, "FLOAT", r"floats beyond full scale \(peak 1\.5, \d+ samples above 1\)"),
    "hot doubles": Level(1.01 * NOISE, "DOUBLE", r"floats beyond full scale \(peak 1\.01"),
    "16 bits as floats": Level(32768 * 0.2 * NOISE, "FLOAT", r"peak 6553\.\d+\), which looks like 16-bit integers"),
    "quiet 16 bits as floats": Level(40 * NOISE, "FLOAT", r"peak 40\), which looks like 16-bit integers"),
    "24 bits as floats": Level(2**23 * 0.5 * NOISE, "FLOAT", "like 24-bit integers .*: divide by 8388608"),
    "32 bits as doubles": Level(2**31 * 0.5 * NOISE, "DOUBLE", "like 32-bit integers"),
    "no range at all": Level(1e12 * NOISE, "DOUBLE", "like no audio"),
    "zeros": Level(0 * NOISE, "PCM_16", f"silent .at or below {SILENCE:.0f} dBFS"),
    "a constant": Level(0 * NOISE + 0.25, "PCM_16", "silent"),
    "a constant of 8 bits": Level(0 * NOISE - 0.5, "PCM_U8", "silent"),
    "almost silent": Level(1e-5 * NOISE, "FLOAT", "silent"),
    "quiet": Level(1e-3 * NOISE, "FLOAT", ""),
    "integers cannot be hot": Level(np.clip(4 * NOISE, -1, 32767 / 32768), "PCM_16", ""),
    "not a number": Level(np.where(np.arange(SAMPLES) == 77, np.nan, NOISE), "FLOAT", r"\(nan\) at sample 77"),
    "infinity": Level(np.where(np.arange(SAMPLES) == 5000, -np.inf, NOISE), "DOUBLE", r"\(-inf\) at sample 5000"),
}


@pytest.mark.parametrize("case", LEVELS)
def test_levels(tmp_path: Path, case: str) -> None:
    level = LEVELS[case]
    path = write(tmp_path / "a.wav", level.samples, encoding=level.encoding)
    if level.outcome:
        refused(path, level.outcome)
    else:
        assert np.abs(read_audio(path) / 32768 - level.samples).max() <= 1 / 32768


def test_recordings_to_enhance_may_pass_full_scale_but_not_be_integers(tmp_path: Path) -> None:
    hot = write(tmp_path / "a.wav", 1.5 * NOISE, encoding="FLOAT")
    np.testing.assert_allclose(read_sound(hot, loudest=16.0)[0][:, 0], 1.5 * NOISE, atol=1e-6)
    refused(write(tmp_path / "b.wav", 6000 * NOISE, encoding="FLOAT"), "16-bit", lambda path: read_sound(path, 16.0))


def test_what_resampling_clips_and_offsets_are_noted(tmp_path: Path) -> None:
    remarks = Remarks()
    square = np.where(np.arange(24_000) // 20 % 2, 0.999, -0.999)
    read_audio(write(tmp_path / "square.wav", square, rate=48_000), remarks=remarks)
    read_audio(write(tmp_path / "offset.wav", 0.1 * ORIGINAL + 0.3), remarks=remarks)
    read_audio(write(tmp_path / "fine.wav", ORIGINAL), remarks=remarks)
    clipped, offset = remarks.notes()
    assert clipped.startswith("1 file passed full scale when decoded or resampled")
    assert clipped.endswith("square.wav")
    assert offset.startswith("1 file with a constant offset")
    assert offset.endswith("offset.wav")


# -- damage ---------------------------------------------------------------------------------------------------


def cut(path: Path, keep: float = 0.5) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content))])
    return path


@pytest.mark.parametrize("container", WRITTEN)
@pytest.mark.parametrize("keep", [0.5, 0.97])
def test_a_cut_file_is_refused(tmp_path: Path, container: str, keep: float) -> None:
    encoding = WRITTEN[container][0]
    refused(cut(write(tmp_path / "a.wav", original(32_000), container, encoding), keep), "truncated|no audio that can")


def test_a_cut_opus_file_is_refused(tmp_path: Path) -> None:
    refused(cut(write(tmp_path / "a.opus", original(64_000), "OGG", "OPUS")), "truncated|no audio that can")


def halve(path: Path, name: bytes, order: str, unit: int = 1) -> Path:
    """The number after `name` says half of what it said."""
    content = bytearray(path.read_bytes())
    place = content.index(name) + len(name)
    (said,) = struct.unpack_from(order, content, place)
    struct.pack_into(order, content, place, said // 2)
    path.write_bytes(content)
    return path


def half_a_sphere_header(path: Path) -> Path:
    path.write_bytes(path.read_bytes().replace(b"sample_count -i 8000", b"sample_count -i 4000"))
    return path


def half_a_flac_header(path: Path, total: int = SAMPLES // 2) -> Path:
    content = bytearray(path.read_bytes())
    struct.pack_into(">I", content, 22, total)
    path.write_bytes(content)
    return path


def with_bytes(path: Path, extra: bytes) -> Path:
    path.write_bytes(path.read_bytes() + extra)
    return path


def patched(path: Path, place: int, order: str, value: int) -> Path:
    content = bytearray(path.read_bytes())
    struct.pack_into(order, content, place, value)
    path.write_bytes(content)
    return path


def rotten(path: Path) -> Path:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    return path


LIST = b"LIST" + struct.pack("<I", 26) + b"INFOISFT" + struct.pack("<I", 14) + b"Lavf58.29.100\0"
W64_DATA = b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"
DAMAGE: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "header of WAV promises half": ("WAV", lambda path: halve(path, b"data", "<I"), "its header ends the audio"),
    "header of WAVEX promises half": ("WAVEX", lambda path: halve(path, b"data", "<I"), "its header ends the audio"),
    "header of AIFF promises half": ("AIFF", lambda path: halve(path, b"SSND", ">I"), "truncated or damaged"),
    "header of AU promises half": ("AU", lambda path: patched(path, 8, ">I", 8000), "its header ends the audio"),
    "header of W64 promises half": ("W64", lambda path: halve(path, W64_DATA, "<Q"), "truncated or damaged"),
    "header of CAF promises half": ("CAF", lambda path: halve(path, b"data", ">Q"), "truncated or damaged"),
    "header of SPHERE promises half": ("NIST", half_a_sphere_header, "its header ends the audio"),
    "header of FLAC promises half": ("FLAC", half_a_flac_header, "checksum"),
    "header of FLAC promises more": ("FLAC", lambda path: half_a_flac_header(path, 2 * SAMPLES), "truncated"),
    "header of FLAC promises nothing": ("FLAC", lambda path: half_a_flac_header(path, 0), "does not say how many"),
    "header of WAV promises nothing": ("WAV", lambda path: patched(path, 40, "<I", 0), "its header ends the audio"),
    "header of WAV contradicts itself": ("WAV", lambda path: patched(path, 34, "<H", 24), "contradicts itself"),
    "another file appended": ("WAV", lambda path: with_bytes(path, path.read_bytes()[44:]), "its header ends"),
    "bits flipped in FLAC": ("FLAC", rotten, "truncated or damaged"),
    "no channels": ("WAV", lambda path: patched(path, 22, "<H", 0), "no audio that can be read"),
    "no rate": ("WAV", lambda path: patched(path, 24, "<I", 0), "no audio that can be read|sample rate"),
    "too low a rate": ("WAV", lambda path: patched(path, 24, "<I", 4000), "sample rate 4000 Hz; 8000 to 192000"),
    "too high a rate": ("WAV", lambda path: patched(path, 24, "<I", 384_000), "sample rate 384000 Hz"),
    "no content": ("WAV", lambda path: path.write_bytes(b""), "no audio that can be read"),
    "text": (
        "WAV",
        lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\n"),
        "no audio that can be",
    ),
    "a bare header": ("WAV", lambda path: path.write_bytes(path.read_bytes()[:44]), "truncated"),
    "written as a stream": ("WAV", lambda path: patched(path, 40, "<I", 0xFFFFFFFF), ""),
    "written as a stream by SoX": ("WAV", lambda path: patched(path, 40, "<I", 0x7FFFFFFF - 36), ""),
    "tags after the audio": ("WAV", lambda path: with_bytes(path, LIST), ""),
    "zeros after the audio": ("WAV", lambda path: with_bytes(path, bytes(200)), ""),
    "a wrong size of the whole": ("WAV", lambda path: patched(path, 4, "<I", 100), ""),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_headers_at_odds_with_their_files(tmp_path: Path, case: str) -> None:
    container, spoil, message = DAMAGE[case]
    path = write(tmp_path / "a.wav", ORIGINAL, container)
    spoil(path)
    if message:
        refused(path, message)
    else:
        assert np.array_equal(read_audio(path) / 32768, ORIGINAL)


def test_tags_after_an_odd_number_of_bytes_need_no_padding(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", ORIGINAL[:-1], encoding="PCM_U8")
    path.write_bytes(path.read_bytes()[: 44 + SAMPLES - 1] + LIST)
    assert len(read_audio(path)) == SAMPLES - 1


@pytest.mark.parametrize("container", ["IRCAM", "PAF", "AVR", "VOC", "MAT5"])
def test_containers_that_cannot_be_checked_are_refused(tmp_path: Path, container: str) -> None:
    refused(
        write(tmp_path / "a.wav", ORIGINAL, container), "which is not read; WAV and FLAC are|no audio that can be read"
    )


@pytest.mark.parametrize("samples", [0, 1])
def test_next_to_nothing_is_refused(tmp_path: Path, samples: int) -> None:
    refused(write(tmp_path / "a.wav", ORIGINAL[:samples]), "holds no samples|silent")
