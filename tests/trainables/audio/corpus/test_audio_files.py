"""Any WAV or FLAC becomes 16 kHz mono int16, or one line says why not."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from scipy.signal import resample_poly

from tests.support.audio.recordings import write_sound
from trainables.audio.corpus.audio_files import conversion_notes, read_audio, read_header
from trainables.audio.corpus.audio_folders import find_audio
from trainables.base.errors import UserError


@pytest.mark.parametrize("ending", ["wav", "flac"])
def test_16_khz_mono_comes_through_to_the_bit(tmp_path: Path, ending: str) -> None:
    samples = np.random.default_rng(0).integers(-32768, 32767, 4000).astype(np.int16)
    soundfile.write(tmp_path / f"a.{ending}", samples, 16_000)
    assert np.array_equal(read_audio(tmp_path / f"a.{ending}"), samples)


def test_channels_are_averaged(tmp_path: Path) -> None:
    left = np.tile([0.5, -0.5], 800)
    soundfile.write(tmp_path / "a.wav", np.stack([left, 0 * left], axis=1), 16_000)
    assert np.array_equal(read_audio(tmp_path / "a.wav"), np.tile([8192, -8192], 800))


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000])
def test_other_rates_keep_their_tone_and_length(tmp_path: Path, rate: int) -> None:
    time = np.arange(rate) / rate
    soundfile.write(tmp_path / "a.wav", 0.5 * np.sin(2 * np.pi * 440 * time), rate, subtype="FLOAT")
    samples = read_audio(tmp_path / "a.wav") / 32768
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)
    assert len(samples) == 16_000
    assert np.abs(samples - expected)[800:-800].max() < 1e-3


def test_resampling_removes_what_16_khz_cannot_hold(tmp_path: Path) -> None:
    """Against an independent resampler: noise at 48 kHz, compared below the transition band."""
    noise = 0.1 * np.random.default_rng(0).standard_normal(48_000)
    soundfile.write(tmp_path / "a.wav", noise, 48_000, subtype="FLOAT")
    ours = np.abs(np.fft.rfft(read_audio(tmp_path / "a.wav") / 32768))[100:6500]
    theirs = np.abs(np.fft.rfft(resample_poly(noise, 1, 3, window=("kaiser", 12.0))))[100:6500]
    assert np.corrcoef(ours, theirs)[0, 1] > 0.999


def test_conversions_are_told() -> None:
    from trainables.audio.corpus.audio_files import Header

    headers = [Header(10, 48_000, 1), Header(10, 48_000, 2), Header(10, 16_000, 1)]
    assert conversion_notes(headers) == [
        "2 files resampled from 48000 to 16000 Hz",
        "1 file with several channels averaged to one",
    ]


def test_a_truncated_wav_is_known_from_its_header(tmp_path: Path) -> None:
    write_sound(tmp_path / "a.wav")
    _cut_in_half(tmp_path / "a.wav")
    with pytest.raises(UserError, match=r"a\.wav: truncated"):
        read_header(tmp_path / "a.wav")


def test_a_truncated_flac_is_known_once_it_is_read(tmp_path: Path) -> None:
    write_sound(tmp_path / "a.flac")
    _cut_in_half(tmp_path / "a.flac")
    with pytest.raises(UserError, match=r"a\.flac: truncated"):
        read_audio(tmp_path / "a.flac")


@pytest.mark.parametrize("level", [0.0, 5e-5])
def test_silence_is_refused(tmp_path: Path, level: float) -> None:
    """5e-5 of full scale is -86 dBFS."""
    write_sound(tmp_path / "a.wav", level=level)
    with pytest.raises(UserError, match=r"a\.wav: silent"):
        read_audio(tmp_path / "a.wav")


@pytest.mark.parametrize("rate", [4_000, 384_000])
def test_rates_nobody_handles_are_refused(tmp_path: Path, rate: int) -> None:
    write_sound(tmp_path / "a.wav", rate=rate, seconds=0.1)
    with pytest.raises(UserError, match=f"sample rate {rate} Hz; 8000 to 192000 Hz"):
        read_header(tmp_path / "a.wav")


@pytest.mark.parametrize("content", [b"", b"hello", b"RIFF\x00\x00\x00\x00WAVE"])
def test_what_is_no_audio_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_header(tmp_path / "a.wav")
    assert "a.wav" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "reason"), [("gone.wav", "No such file or directory"), ("folder.wav", "Is a directory")]
)
def test_what_cannot_be_opened_is_not_called_bad_audio(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "folder.wav").mkdir()
    with pytest.raises(UserError, match=rf"{name}: cannot be opened \({reason}\)"):
        read_header(tmp_path / name)


def test_a_folder_that_cannot_be_listed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may list every folder, so the refusal is made."""
    write_sound(tmp_path / "ann/a.wav")
    write_sound(tmp_path / "bea/b.wav")
    list_folder = os.scandir

    def refuse(folder: str | Path) -> Any:
        if Path(folder).name == "bea":
            raise PermissionError(13, "Permission denied", str(folder))
        return list_folder(folder)

    monkeypatch.setattr("os.scandir", refuse)
    with pytest.raises(UserError, match=r"bea: its recordings cannot be listed \(Permission denied\)"):
        find_audio(tmp_path)


def test_no_folder_holds_no_audio(tmp_path: Path) -> None:
    assert find_audio(tmp_path / "nowhere") == []


def test_a_file_without_samples_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(0), 16_000)
    with pytest.raises(UserError, match="holds no samples"):
        read_header(tmp_path / "a.wav")


def _cut_in_half(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
