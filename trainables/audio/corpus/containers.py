"""Header against content: does a file hold the audio that its header promises, no less and no more?

libsndfile reads what is there and says in a log what it missed; for SPHERE files, and for what follows the audio of a
RIFF or AIFF file, it says nothing, so those are walked here.
"""

import hashlib
import re
import struct
from dataclasses import dataclass
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
    "lacks an end-of-stream bit",
    "Junk after the last page",
    "does not match value from 'ds64'",
)
_TRAILERS = (b"LIST", b"id3 ", b"ID3 ", b"bext", b"iXML", b"_PMX", b"JUNK", b"junk", b"PAD ", b"FLLR", b"TAG")


def damage(path: Path, info: Any) -> str:
    """What is wrong between the file's header, soundfile's `info`, and its bytes; "" if nothing is."""
    return _cut_short(info.extra_info) or _fault(path, info)


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


def _fault(path: Path, info: Any) -> str:
    walk = _WALKS.get(info.format)
    return walk(path, info) if walk else ""


def _cut_short(log: str) -> str:
    for said, there in _AUDIO_SIZE.findall(log):
        if int(there) < int(said) < _UNKNOWN_LENGTH:
            return f"{there} of {said} bytes of audio are there"
    for said, there in _FILE_SIZE.findall(log):
        if int(there) + _SLACK < int(said):
            return f"{there} of {said} bytes are there"
    return "its end is missing" if any(words in log for words in _MISSING_END) else ""


@dataclass(frozen=True)
class _Chunks:
    """How a container's chunks lie: where they begin, name and size, to how many bytes they are padded."""

    start: int
    head: str
    padding: int
    counts_itself: bool = False  # the size is that of the whole chunk

    def fault(self, path: Path, info: Any) -> str:
        """Walks the chunks; after the audio there may be more of them, but no bytes that are none."""
        size, position, long_size, audio_ended = path.stat().st_size, self.start, 0, False
        head = struct.calcsize(self.head)
        with path.open("rb") as file:
            while position + head <= size:
                file.seek(position)
                name, length = struct.unpack(self.head, file.read(head))
                length -= head * self.counts_itself
                if name == b"ds64":
                    long_size = struct.unpack("<Q", file.read(16)[8:])[0]
                if name == b"fmt " and (problem := _block_size(file.read(16))):
                    return problem
                if audio_ended and not _is_chunk(name[:4], length, size - position - head):
                    return _left_over(file, position, size)
                if audio := name[:4] in (b"data", b"SSND"):
                    length = long_size or length
                    if length >= _UNKNOWN_LENGTH and length > size:
                        return ""  # written as a stream: whatever follows is the audio
                audio_ended = audio_ended or audio
                position += head + length + -length % self.padding
            return _left_over(file, position, size) if audio_ended else ""


def _is_chunk(name: bytes, length: int, left: int) -> bool:
    return name.startswith(_TRAILERS) or (name.isascii() and name.decode().isprintable() and 0 <= length <= left)


def _block_size(form: bytes) -> str:
    kind, channels, _, _, block, bits = struct.unpack("<HHIIHH", form.ljust(16, b"\0"))
    if kind in (1, 3) and block < channels * -(-bits // 8):
        return f"its header contradicts itself: {channels} x {bits} bits in blocks of {block} bytes"
    return ""


def _sphere(path: Path, info: Any) -> str:
    with path.open("rb") as file:
        start, size = int(file.read(16).split()[1]), path.stat().st_size
        facts = dict(re.findall(r"^(\w+) -\w+ (.*?)\s*$", file.read(start - 16).decode("latin-1"), re.MULTILINE))
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
    file.seek(position - 1)
    tail = file.read()  # from a byte before: writers forget to pad an odd number of bytes
    if size - position <= _SLACK or not any(tail[1:]) or any(name in tail[:5] for name in _TRAILERS):
        return ""
    return f"its header ends the audio {size - position} bytes before the file's end"


_RIFF = _Chunks(12, "<4sI", 2)
_WALKS = {
    "WAV": _RIFF.fault,
    "WAVEX": _RIFF.fault,
    "RF64": _RIFF.fault,
    "W64": _Chunks(40, "<16sQ", 8, counts_itself=True).fault,
    "AIFF": _Chunks(12, ">4sI", 2).fault,
    "CAF": _Chunks(8, ">4sQ", 1).fault,
    "NIST": _sphere,
    "AU": _au,
}
