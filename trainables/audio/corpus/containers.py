"""Header against content: does a file hold the audio that its header promises, no less and no more?

libsndfile reads what is there and says in a log what it missed; for SPHERE files, and for what follows the audio of a
RIFF or AIFF file, it says nothing, so those are walked here.
"""

import hashlib
import re
import struct
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

# libsndfile's names of the containers that audio is collected in; of others it cannot be said whether they are whole.
CONTAINERS = ("WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "NIST", "FLAC", "OGG", "MP3")

# "data : 96000 (should be 47978)": in bytes, what the header says and what is there.
_AUDIO_SIZE = re.compile(r"^\s*(?:data|SSND|Data Size)\s*: (\d+) \(should be (\d+)\)", re.MULTILINE)
_FILE_SIZE = re.compile(r"^\s*(?:riff|Riff size)\s*: (\d+) \(should be (\d+)\)", re.MULTILINE)
_UNKNOWN_LENGTH = 2**31 - 2**16  # streaming writers leave a huge number where the length should be
_SLACK = 16  # bytes by which writers miscount the size of a whole file, or pad it
_MISSING_END = (
    "truncated",
    "lacks an end-of-stream bit",
    "Junk after the last page",
    "does not match value from 'ds64'",
)
_TRAILERS = (b"LIST", b"id3 ", b"ID3 ", b"bext", b"iXML", b"_PMX", b"JUNK", b"junk", b"PAD ", b"FLLR", b"TAG")


def damage(path: Path, info: Any) -> str:
    """What is wrong between the file's header, soundfile's `info`, and its bytes; "" if nothing is."""
    return _cut_short(info.extra_info) or _WALKS.get(info.format, _nothing)(path, info)


def md5_mismatch(path: Path, info: Any, samples: NDArray[np.float64]) -> bool:
    """Does a FLAC file carry a checksum of other samples than `samples`, (frames, channels) in [-1, 1)?"""
    if info.format != "FLAC":
        return False
    with path.open("rb") as file:
        block = file.read(42)
    if block[:4] != b"fLaC" or not any(block[26:42]):  # an ID3 tag comes first, or the encoder left it out
        return False
    bits = ((block[20] & 1) << 4 | block[21] >> 4) + 1
    width = -(-bits // 8)
    whole = np.round(samples * 2 ** (bits - 1)).astype("<i4")
    packed = np.ascontiguousarray(whole).view(np.uint8).reshape(-1, 4)[:, :width]
    return hashlib.md5(packed.tobytes(), usedforsecurity=False).digest() != block[26:42]


def _cut_short(log: str) -> str:
    for said, there in _AUDIO_SIZE.findall(log):
        if int(there) < int(said) < _UNKNOWN_LENGTH:
            return f"{there} of {said} bytes of audio are there"
    for said, there in _FILE_SIZE.findall(log):
        if int(there) + _SLACK < int(said):
            return f"{there} of {said} bytes are there"
    return "its end is missing" if any(words in log for words in _MISSING_END) else ""


def _nothing(path: Path, info: Any) -> str:
    return ""


def _riff(path: Path, info: Any) -> str:
    with path.open("rb") as file:
        form = file.read(12)
        return _chunks(file, path.stat().st_size, "<", form[:4] == b"RF64")


def _aiff(path: Path, info: Any) -> str:
    with path.open("rb") as file:
        file.read(12)
        return _chunks(file, path.stat().st_size, ">", False)


def _chunks(file: BinaryIO, size: int, order: str, long: bool) -> str:
    """Walks the chunks; after the audio there may be more of them, but no bytes that are none."""
    position, audio_ended, long_size = 12, False, 0
    while position + 8 <= size:
        file.seek(position)
        name, length = struct.unpack(f"{order}4sI", file.read(8))
        if name == b"ds64":
            long_size = struct.unpack("<Q", file.read(16)[8:])[0]
        if name == b"fmt " and (problem := _block_size(file.read(16))):
            return problem
        if audio_ended and not _is_chunk(name, length, size - position - 8):
            return _left_over(file, position, size)
        audio = name in (b"data", b"SSND")
        length = long_size if audio and long else length
        if audio and length >= _UNKNOWN_LENGTH and not long:
            return ""
        audio_ended = audio_ended or audio
        position += 8 + length + length % 2
    return ""


def _is_chunk(name: bytes, length: int, left: int) -> bool:
    return name.startswith(_TRAILERS) or (name.isascii() and name.decode().isprintable() and length <= left)


def _block_size(form: bytes) -> str:
    kind, channels, _, _, block, bits = struct.unpack("<HHIIHH", form.ljust(16, b"\0"))
    if kind in (1, 3) and block < channels * -(-bits // 8):
        return f"its header contradicts itself: {channels} x {bits} bits in blocks of {block} bytes"
    return ""


def _sphere(path: Path, info: Any) -> str:
    with path.open("rb") as file:
        head = file.read(1024).decode("ascii", "replace")
        facts = dict(re.findall(r"^(\w+) -\w+ (.*?)\s*$", head, re.MULTILINE))
        start, size = int(head.split()[1]), path.stat().st_size
        promised = start + int(facts["sample_count"]) * info.channels * int(facts.get("sample_n_bytes", 1))
        if size < promised:
            return f"{size - start} of {promised - start} bytes of audio are there"
        return _left_over(file, promised, size)


def _au(path: Path, info: Any) -> str:
    with path.open("rb") as file:
        order = ">" if file.read(4) == b".snd" else "<"
        start, length = struct.unpack(f"{order}II", file.read(8))
        return "" if length == 0xFFFFFFFF else _left_over(file, start + length, path.stat().st_size)


def _left_over(file: BinaryIO, position: int, size: int) -> str:
    """Bytes that belong to nothing; a few, or zeros, are padding."""
    file.seek(position)
    if size - position <= _SLACK or not any(file.read()):
        return ""
    return f"its header ends the audio {size - position} bytes before the file's end"


_WALKS = {"WAV": _riff, "WAVEX": _riff, "RF64": _riff, "AIFF": _aiff, "NIST": _sphere, "AU": _au}
