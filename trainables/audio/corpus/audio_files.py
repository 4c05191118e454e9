"""Reading WAV and FLAC files into 16 kHz mono int16, or an error of one line that says why not."""

import os
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.audio.corpus.shards import SAMPLE_RATE
from trainables.base.errors import UserError

SUFFIXES = (".wav", ".flac")
LOWEST_RATE, HIGHEST_RATE = 8_000, 192_000  # Hz
SILENCE = -80.0  # dBFS (root mean square) at and below which a file counts as silent

# libsndfile's log of a file whose data ends before its header says: "data : 96000 (should be 47978)".
_CUT_SHORT = re.compile(r"^data\s*: (\d+) \(should be (\d+)\)", re.MULTILINE)
_UNKNOWN_LENGTH = 2**31 - 2**16  # streaming writers leave a huge number where the length should be


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


def find_audio(folder: Path) -> list[Path]:
    """Every WAV and FLAC file below `folder`, sorted; hidden files are skipped. Empty if there is no folder.

    Raises:
        UserError: a folder or file cannot be read; skipping it would leave it out of the corpus silently.
    """
    found = [
        Path(parent, name)
        for parent, _, names in os.walk(folder, onerror=_refuse_unreadable, followlinks=True)
        for name in names
        if name.lower().endswith(SUFFIXES) and not name.startswith(".")
    ]
    for path in found:
        if not os.path.exists(path):
            problem = "a link to a file that is not there" if os.path.islink(path) else "cannot be reached"
            raise UserError(f"{path}: {problem}; repair or remove it")
    return sorted(found)


def _refuse_unreadable(error: OSError) -> None:
    """`os.walk`'s handler of folders it cannot list; one that does not exist counts as empty."""
    if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
        raise UserError(
            f"{error.filename}: its recordings cannot be listed ({error.strerror}); make it readable or remove it"
        ) from error


def read_header(path: Path) -> Header:
    """The header alone; `UserError` if it is unreadable, empty, cut short or outside 8 to 192 kHz."""
    import soundfile

    try:
        info = soundfile.info(os.fsencode(path))
    except (soundfile.SoundFileError, OSError) as error:
        _require_openable(path)
        raise UserError(
            f"{path}: no audio that can be read ({_reason(error)}); allowed are WAV and FLAC: remove it"
        ) from error
    if not LOWEST_RATE <= info.samplerate <= HIGHEST_RATE:
        raise UserError(
            f"{path}: sample rate {info.samplerate} Hz; {LOWEST_RATE} to {HIGHEST_RATE} Hz are allowed: "
            "resample or remove it"
        )
    cut = _CUT_SHORT.search(info.extra_info)
    if cut and int(cut[2]) < int(cut[1]) < _UNKNOWN_LENGTH:
        raise _truncated(path, f"{cut[2]} of {cut[1]} bytes of audio are there")
    if not 0 < info.frames < 2**40:
        raise UserError(f"{path}: holds no samples, or its header does not say how many; replace or remove it")
    return Header(frames=info.frames, sample_rate=info.samplerate, channels=info.channels)


def _require_openable(path: Path) -> None:
    """libsndfile reports every failure to open a file as a system error; this names the reason."""
    try:
        path.open("rb").close()
    except OSError as error:
        raise UserError(f"{path}: cannot be opened ({error.strerror}); check its name and its permissions") from error


def read_audio(path: Path) -> NDArray[np.int16]:
    """The file as int16 (samples,) at 16 kHz: channels averaged, other rates resampled (soxr VHQ).

    16-bit mono files at 16 kHz are returned bit for bit.

    Raises:
        UserError: as `read_header`, and if the audio ends early or is silent.
    """
    import soundfile

    header = read_header(path)
    try:
        data, _ = soundfile.read(os.fsencode(path), dtype="float64", always_2d=True)
    except (soundfile.SoundFileError, OSError) as error:
        raise _truncated(path, _reason(error)) from error
    if len(data) < header.frames:
        raise _truncated(path, f"{len(data)} of {header.frames} samples are there")
    if not np.isfinite(data).all():
        raise UserError(f"{path}: holds values that are not finite numbers; replace or remove it")
    samples = to_16_khz(data.mean(axis=1), header.sample_rate)
    _require_sound(path, samples)
    return samples


def to_16_khz(samples: NDArray[np.floating], rate: int) -> NDArray[np.int16]:
    """Float samples in [-1, 1] at any rate -> int16 at 16 kHz; samples beyond full scale are clipped."""
    if rate != SAMPLE_RATE:
        import soxr

        samples = soxr.resample(samples, rate, SAMPLE_RATE, quality="VHQ")
    return np.clip(np.round(samples * 32768), -32768, 32767).astype(np.int16)


def conversion_notes(headers: Iterable[Header]) -> list[str]:
    """What `read_audio` will change, as notes for the user: one line per kind of change."""
    listed = list(headers)
    rates = Counter(header.sample_rate for header in listed if header.sample_rate != SAMPLE_RATE)
    notes = [f"{_files(count)} resampled from {rate} to {SAMPLE_RATE} Hz" for rate, count in sorted(rates.items())]
    several = sum(header.channels > 1 for header in listed)
    return notes + ([f"{_files(several)} with several channels averaged to one"] if several else [])


def _require_sound(path: Path, samples: NDArray[np.int16]) -> None:
    power = np.mean((samples / 32768.0) ** 2) if len(samples) else 0.0
    if power <= 10 ** (SILENCE / 10):
        raise UserError(f"{path}: silent (at or below {SILENCE:.0f} dBFS); replace or remove it")


def _truncated(path: Path, detail: str) -> UserError:
    return UserError(f"{path}: truncated or damaged ({detail}); replace or remove it")


def _reason(error: Exception) -> str:
    """libsndfile's message without the path, which ours names already."""
    text = getattr(error, "error_string", None) or str(error)
    return " ".join(text.split()).removeprefix("Error : ").rstrip(".")


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"
