"""Speech from espeak-ng, spoken by a process of its own.

Two reasons for the process: espeak-ng keeps state from one utterance to the next, so only a fresh one gives
the same bits every time; and it is GPL-3, an optional extra that is never loaded into ours. Run as a script
this file is that process: a JSON list of utterances on standard input, raw samples in the named folder.
"""

import ctypes
import importlib.util
import json
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

RATE = 22_050  # Hz, of every espeak-ng voice

# Utterances spoken by one process, one after the other: a part of what decides the bits, so not the machine's choice.
_SHARE = 128

_SYNCHRONOUS, _DONT_EXIT = 2, 0x8000
_UTF8, _BY_CHARACTER = 1, 1
_SPEED, _PITCH, _PITCH_RANGE = 1, 3, 4  # espeak_PARAMETER


@dataclass(frozen=True)
class Utterance:
    """`voice` is "language+variant", speed in words a minute, pitch and its range 0..100 (50 = normal)."""

    voice: str
    speed: int
    pitch: int
    pitch_range: int
    text: str


def is_installed() -> bool:
    return importlib.util.find_spec("espeakng_loader") is not None


def speak(utterances: list[Utterance]) -> list[NDArray[np.int16]]:
    """Each utterance as int16 (samples,) at 22.05 kHz; the same list gives the same bits.

    Raises:
        RuntimeError: a voice does not exist, or espeak-ng failed.
    """
    from trainables.base.cores import usable_cores  # not at the top, where the process itself would need it

    shares = [utterances[start : start + _SHARE] for start in range(0, len(utterances), _SHARE)]
    with ThreadPoolExecutor(usable_cores()) as pool:
        return [sound for spoken in pool.map(_spoken_by_a_process, shares) for sound in spoken]


def _spoken_by_a_process(utterances: list[Utterance]) -> list[NDArray[np.int16]]:
    request = json.dumps([asdict(utterance) for utterance in utterances])
    with tempfile.TemporaryDirectory(prefix="speech-sweep-espeak-") as folder:
        command = [sys.executable, "-P", __file__, folder]
        finished = subprocess.run(command, input=request.encode(), capture_output=True, check=False)
        if finished.returncode:
            said = finished.stderr.decode(errors="replace").strip()
            raise RuntimeError(f"espeak-ng failed: {said.splitlines()[-1:]}")
        samples = np.fromfile(Path(folder) / "samples", dtype=np.int16)
        lengths = np.fromfile(Path(folder) / "lengths", dtype=np.int64)
    return np.split(samples, np.cumsum(lengths)[:-1])


def _main(folder: Path) -> None:
    spoken = _Espeak().speak([Utterance(**item) for item in json.load(sys.stdin)])
    np.concatenate(spoken).tofile(folder / "samples")
    np.array([len(samples) for samples in spoken], dtype=np.int64).tofile(folder / "lengths")


class _Espeak:
    """The C library: one voice at a time, samples through a callback."""

    def __init__(self) -> None:
        import espeakng_loader

        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        self._data = Path(espeakng_loader.get_data_path())
        rate = self._library.espeak_Initialize(_SYNCHRONOUS, 0, str(self._data).encode(), _DONT_EXIT)
        if rate != RATE:
            raise RuntimeError(f"espeak-ng did not start at {RATE} Hz (it answered {rate})")
        self._pieces: list[NDArray[np.int16]] = []
        kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
        self._callback = kind(self._collect)  # kept, or it would be freed under the library
        self._library.espeak_SetSynthCallback(self._callback)

    def speak(self, utterances: list[Utterance]) -> list[NDArray[np.int16]]:
        return [self._speak(utterance) for utterance in utterances]

    def _speak(self, utterance: Utterance) -> NDArray[np.int16]:
        self._set_voice(utterance.voice)
        for parameter, value in (
            (_SPEED, utterance.speed),
            (_PITCH, utterance.pitch),
            (_PITCH_RANGE, utterance.pitch_range),
        ):
            self._require(self._library.espeak_SetParameter(parameter, value, 0), f"parameter {parameter}")
        self._library.espeak_ng_SetRandSeed(ctypes.c_long(1))  # else breathy voices draw on the clock
        self._pieces = []
        text = utterance.text.encode() + b"\0"
        size = ctypes.c_size_t(len(text))
        status = self._library.espeak_Synth(text, size, 0, _BY_CHARACTER, 0, _UTF8, None, None)
        self._require(status, repr(utterance.text))
        return np.concatenate(self._pieces)

    def _set_voice(self, voice: str) -> None:
        """espeak-ng ignores an unknown variant without a word, which would make two speakers sound alike."""
        variant = voice.partition("+")[2]
        if not (self._data / "voices" / "!v" / variant).is_file():
            raise RuntimeError(f"espeak-ng has no variant for voice {voice}")
        self._require(self._library.espeak_SetVoiceByName(voice.encode()), f"voice {voice}")

    def _collect(self, samples: Any, count: int, events: Any) -> int:
        if samples and count > 0:
            self._pieces.append(np.ctypeslib.as_array(samples, shape=(count,)).copy())
        return 0

    @staticmethod
    def _require(status: int, what: str) -> None:
        if status != 0:
            raise RuntimeError(f"espeak-ng refused {what} (status {status})")


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
