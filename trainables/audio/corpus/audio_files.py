"""The one way into the product for audio: what a file's own header says, scaled to +-1, whole, finite and not silent.

WAV (also RF64 and W64), AIFF, AU, CAF, SPHERE, FLAC, Ogg and MP3; integers, floats, A-law, mu-law and ADPCM. Whatever
is ambiguous or damaged is an error of one line that names the file.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainables.audio.corpus.containers import CONTAINERS, damage, md5_mismatch
from trainables.audio.corpus.remarks import Remarks, number_of_files
from trainables.audio.corpus.shards import SAMPLE_RATE
from trainables.audio.levels import decibels, offset_matters, power
from trainables.base.errors import UserError
from trainables.base.paths import shown

LOWEST_RATE, HIGHEST_RATE = 8_000, 192_000  # Hz
SILENCE = -80.0  # dBFS (root mean square, constant offset left out) at and below which a file counts as silent
NOTED_OFFSET = -20.0  # dB below the rest of a file: a constant offset from which it is worth a note
LARGEST_CANCELLATION = -10.0  # dB: by which channels may cancel, compared with the mean of unrelated ones

SEVERAL_CHANNELS = "with several channels averaged to one"  # in a note

FULL_SCALE = 1 + 2**-15  # a float may pass 1 by its rounding
INTEGERS = 16.0  # a float beyond this is no hot recording: integers were stored as floats
_FLOATS = ("FLOAT", "DOUBLE")


@dataclass(frozen=True)
class Header:
    """What a file's header says: frames per channel, Hz, channels."""

    frames: int
    sample_rate: int
    channels: int

    @property
    def samples(self) -> int:
        """The length after resampling to 16 kHz."""
        return round(self.frames * SAMPLE_RATE / self.sample_rate)


def read_header(path: Path) -> Header:
    """The header alone; `UserError` if it is unreadable, empty, at odds with the file or outside 8 to 192 kHz."""
    info = _info(path)
    return Header(frames=info.frames, sample_rate=info.samplerate, channels=info.channels)


def read_sound(path: Path, loudest: float = FULL_SCALE) -> tuple[NDArray[np.float64], int]:
    """The file as float64 (frames, channels) in [-1, 1], and its rate in Hz.

    Floats may reach `loudest`; lossy encodings overshoot full scale when decoded.

    Raises:
        UserError: as `read_header`, and if the audio ends early, is another than its checksum says, holds values
            that are not finite or beyond `loudest`, or is silent, a constant included.
    """
    import soundfile

    info = _info(path)
    try:
        data, _ = soundfile.read(os.fsencode(path), dtype="float64", always_2d=True)
    except (soundfile.SoundFileError, OSError) as error:
        raise _damaged(path, _reason(error) or "its audio cannot be decoded") from error
    if len(data) < info.frames:
        raise _damaged(path, f"{len(data)} of {info.frames} samples are there")
    if md5_mismatch(path, info, data):
        raise _damaged(path, "its checksum is of other audio")
    _require_finite(path, data)
    if info.subtype in _FLOATS:
        _require_range(path, data, loudest)
    _require_sound(path, max(map(power, data.T)))
    return data, info.samplerate


def read_audio(path: Path, rate: int | None = SAMPLE_RATE, remarks: Remarks | None = None) -> NDArray[np.int16]:
    """The file as int16 (samples,) at `rate` Hz, None for its own: channels averaged, resampled by soxr (VHQ).

    16-bit mono files at that rate are returned bit for bit. What passes full scale only when it is decoded or
    resampled is clipped there and, like a constant offset, noted in `remarks`.

    Raises:
        UserError: as `read_sound`, and if the channels cancel when averaged.
    """
    mono, own_rate = read_mono(path)
    samples = _at_rate(mono, own_rate, rate or own_rate)
    _require_sound(path, power(samples))
    if remarks is not None:
        if np.abs(samples).max(initial=0.0) > FULL_SCALE:
            remarks.append(("passed full scale when decoded or resampled and were clipped there", str(path)))
        if offset_matters(samples, NOTED_OFFSET):
            remarks.append(("with a constant offset, which levels and mixtures leave out", str(path)))
    return _rounded(samples)


def read_mono(path: Path) -> tuple[NDArray[np.float64], int]:
    """As `read_sound` with the channels averaged: (samples,) and the rate. Raises `UserError` if they cancel."""
    data, rate = read_sound(path)
    mono = data[:, 0] if data.shape[1] == 1 else data.mean(axis=1)
    unrelated = sum(map(power, data.T)) / data.shape[1] ** 2
    if decibels(power(mono), unrelated) < LARGEST_CANCELLATION:
        raise UserError(
            f"{shown(path)}: its {data.shape[1]} channels cancel when averaged to one (one may be inverted); "
            "keep the channel that you want"
        )
    return mono, rate


def digest_of_samples(path: Path, frames: int = -1) -> bytes:
    """A hash of the samples, the first `frames` or all, at 16 bits; of the path where they are damaged or constant."""
    import soundfile

    try:
        samples, _ = soundfile.read(os.fsencode(path), frames=frames, dtype="float64")
    except (soundfile.SoundFileError, OSError):
        return os.fsencode(path)
    if frames < 0 and not np.ptp(samples):
        return os.fsencode(path)
    return hashlib.sha256(np.round(32768 * samples).astype(np.int32).tobytes()).digest()


def to_16_khz(samples: NDArray[np.floating], rate: int) -> NDArray[np.int16]:
    """Float samples in [-1, 1] at any rate -> int16 at 16 kHz; what resampling lifts beyond full scale is clipped."""
    return _rounded(_at_rate(samples, rate, SAMPLE_RATE))


def _at_rate(samples: NDArray[np.floating], rate: int, wanted: int) -> NDArray[np.floating]:
    if rate == wanted:
        return samples
    import soxr

    return soxr.resample(samples, rate, wanted, quality="VHQ")


def _rounded(samples: NDArray[np.floating]) -> NDArray[np.int16]:
    return np.clip(np.round(samples * 32768), -32768, 32767).astype(np.int16)


def conversion_notes(headers: Iterable[Header]) -> list[str]:
    """What `read_audio` will change, as notes for the user: one line per kind of change."""
    listed = list(headers)
    rates = Counter(header.sample_rate for header in listed if header.sample_rate != SAMPLE_RATE)
    notes = [
        f"{number_of_files(count)} resampled from {rate} to {SAMPLE_RATE} Hz" for rate, count in sorted(rates.items())
    ]
    several = sum(header.channels > 1 for header in listed)
    return notes + ([f"{number_of_files(several)} {SEVERAL_CHANNELS}"] if several else [])


# -- checks ---------------------------------------------------------------------------------------------------


def _info(path: Path) -> Any:
    """soundfile's view of the header, checked against the file."""
    import soundfile

    if os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path)):
        raise UserError(f"{shown(path)}: no regular file, which cannot be checked; save the audio to a file")
    try:
        info = soundfile.info(os.fsencode(path))
    except (soundfile.SoundFileError, OSError) as error:
        _require_openable(path)
        raise UserError(
            f"{shown(path)}: no audio that can be read ({_reason(error)}); WAV and FLAC always can: "
            "convert or remove it"
        ) from error
    if info.format not in CONTAINERS:
        raise UserError(
            f"{shown(path)}: holds {info.format_info}, which is not read; WAV and FLAC are: convert or remove it"
        )
    if not LOWEST_RATE <= info.samplerate <= HIGHEST_RATE:
        raise UserError(
            f"{shown(path)}: sample rate {info.samplerate} Hz; {LOWEST_RATE} to {HIGHEST_RATE} Hz are allowed: "
            "resample or remove it"
        )
    try:
        problem = damage(path, info)
    except (OSError, ValueError, LookupError) as error:
        raise _damaged(path, "its header cannot be followed") from error
    if problem:
        raise _damaged(path, problem)
    if not 0 < info.frames < 2**40:
        raise UserError(f"{shown(path)}: holds no samples, or its header does not say how many; replace or remove it")
    return info


def _require_openable(path: Path) -> None:
    """libsndfile reports every failure to open a file as a system error; this names the reason."""
    try:
        path.open("rb").close()
    except OSError as error:
        raise UserError(
            f"{shown(path)}: cannot be opened ({error.strerror}); check its name and its permissions"
        ) from error


def _require_finite(path: Path, data: NDArray[np.float64]) -> None:
    if not np.isfinite(data).all():
        frame, channel = (int(each) for each in np.argwhere(~np.isfinite(data))[0])
        raise UserError(
            f"{shown(path)}: holds values that are not finite numbers, the first ({data[frame, channel]}) at sample "
            f"{frame}; replace or remove it"
        )


def _require_range(path: Path, data: NDArray[np.float64], loudest: float) -> None:
    peak = float(np.abs(data).max(initial=0.0))
    if peak <= loudest:
        return
    if peak <= INTEGERS:
        beyond = int((np.abs(data) > FULL_SCALE).sum())
        raise UserError(
            f"{shown(path)}: floats beyond full scale (peak {peak:.4g}, {beyond} samples above 1): scale it down, "
            "and what belongs with it by the same factor"
        )
    bits = next((bits for bits in (16, 24, 32) if peak <= 2 ** (bits - 1)), None)
    looks = f"like {bits}-bit integers stored as floats: divide by {2 ** (bits - 1)}" if bits else "like no audio"
    raise UserError(f"{shown(path)}: floats far beyond full scale (peak {peak:.6g}), which looks {looks}, or remove it")


def _require_sound(path: Path, level: float) -> None:
    if decibels(level) <= SILENCE:
        raise UserError(
            f"{shown(path)}: silent (at or below {SILENCE:.0f} dBFS without its constant offset); replace or remove it"
        )


def _damaged(path: Path, detail: str) -> UserError:
    return UserError(f"{shown(path)}: truncated or damaged ({detail}); replace or remove it")


def _reason(error: Exception) -> str:
    """libsndfile's message without the path, which ours names already."""
    text = getattr(error, "error_string", None) or str(error)
    return " ".join(text.split()).removeprefix("Error : ").rstrip(".")
