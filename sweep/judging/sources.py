"""What was typed on the command line as tables: files, folders of ESPnet's, standard input; and each one's label."""

import bz2
import gzip
import io
import lzma
import re
import sys
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path, PurePath

from sweep.judging.file_table import FileTable
from sweep.judging.json_tables import read_json
from sweep.judging.plain_tables import read_delimited, read_parquet
from sweep.judging.toolkit_texts import is_espnet_folder, read_espnet_folder, read_toolkit
from trainables.base.errors import UserError

STANDARD_INPUT = "-"
_SEED = re.compile(r"[\W_]*(?:random)?seed[\W_]*(\d+)[\W_]*", re.IGNORECASE)
_PRINTED = re.compile(rb"^\{['\"][^'\"\n]+['\"]: \{", re.MULTILINE)  # below the words of a log
_SUFFIXES = {".csv", ".tsv", ".txt", ".json", ".jsonl", ".parquet", ".pq", ".gz", ".bz2", ".xz", ".zip", ".zst", ".dat"}


def is_file(name: str) -> bool:
    """Whether it is to be read as scores, there or not, rather than looked up as a sweep."""
    path = Path(name)
    try:
        if path.exists():
            return not path.is_dir() or is_espnet_folder(path)
    except OSError:  # a name too long, a circle of links, another user's folder
        return False
    is_path = "/" in name.rstrip("/") and "://" not in name
    return name == STANDARD_INPUT or is_path or path.suffix.lower() in _SUFFIXES


def read_source(name: str) -> FileTable:
    """One file's table, by its content. Raises `UserError` where it is none."""
    if name != STANDARD_INPUT and is_espnet_folder(Path(name)):
        return read_espnet_folder(Path(name))
    shown = "standard input" if name == STANDARD_INPUT else name
    content = _content(name)
    if content.startswith(b"PK") and b"xl/workbook.xml" in content:
        raise UserError(f"{shown}: an Excel workbook: save its sheet as CSV")
    content = _decompressed(shown, content)
    if content[:4] == b"PAR1":
        return read_parquet(shown, content)
    if not content.strip():
        raise UserError(f"{shown}: an empty file; it holds no scores")
    content = _as_utf8(shown, content)
    if content.lstrip()[:1] in (b"{", b"[") or _PRINTED.search(content):
        return read_json(shown, content)
    return read_toolkit(shown, content) or read_delimited(shown, content)


def labels(names: Sequence[str]) -> list[tuple[str, str | None]]:
    """(candidate, seed) of each file, by what tells their paths apart: runs/A/seed1.csv is seed 1 of runs/A.

    Raises `UserError` where two have the same.
    """
    parts = [_parts(name) for name in names]
    if len(parts) > 1:
        parts = _without_common(parts)
    found: list[tuple[str, str | None]] = []
    for name, own in zip(names, parts, strict=True):
        found.append(without_seed("/".join(own)))
        if found.count(found[-1]) > 1:
            raise UserError(f"{name}: given twice, or named as another file: give each system's file once")
    return found


def without_seed(label: str) -> tuple[str, str | None]:
    """A label and the seed in it: "conv_tasnet-seed3" is seed 3 of conv_tasnet."""
    seed = _SEED.search(label)
    without = _SEED.sub("/", label, count=1).strip("/") if seed else label
    return (without, seed[1]) if seed and without else (label, None)


def _parts(name: str) -> list[str]:
    path = PurePath(name)
    stem = path.name
    while PurePath(stem).suffix.lower() in _SUFFIXES:
        stem = PurePath(stem).stem
    return [*path.parts[:-1], stem]


def _without_common(paths: list[list[str]]) -> list[list[str]]:
    """Without the parts that all of them begin or end with."""
    shortest = min(map(len, paths))
    start = 0
    while start < shortest - 1 and len({path[start] for path in paths}) == 1:
        start += 1
    end = 0
    while end < shortest - 1 - start and len({path[len(path) - 1 - end] for path in paths}) == 1:
        end += 1
    return [path[start : len(path) - end] for path in paths]


def _content(name: str) -> bytes:
    if name == STANDARD_INPUT:
        if sys.stdin is None or sys.stdin.isatty():
            raise UserError("- reads the scores from standard input: pipe a table into it")
        try:
            return sys.stdin.buffer.read()
        except OSError as error:
            raise UserError(f"standard input cannot be read ({error}): pipe a table into it") from error
    path = Path(name)
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{name}: no such file; check its name and folder") from None
    except IsADirectoryError:
        raise UserError(f"{name}: a folder, but no sweep and no scoring folder of ESPnet's: give its files") from None
    except OSError as error:
        raise UserError(f"{name}: cannot be read ({error.strerror})") from error


def _decompressed(name: str, content: bytes) -> bytes:
    for mark, unpack in _PACKED.items():
        if content.startswith(mark):
            try:
                return unpack(content)
            except (OSError, EOFError, ValueError, lzma.LZMAError, zlib.error, zipfile.BadZipFile) as error:
                raise UserError(f"{name}: compressed, but damaged ({error}): write it again") from error
    return content


def _unzip(content: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [member for member in archive.infolist() if not member.is_dir()]
        if len(members) != 1:
            raise ValueError(f"{len(members)} files in it where one is expected")
        return archive.read(members[0])


def _unzstd(content: bytes) -> bytes:
    import pyarrow as pa

    return pa.CompressedInputStream(pa.BufferReader(content), "zstd").read()


_PACKED: dict[bytes, Callable[[bytes], bytes]] = {
    b"\x1f\x8b": gzip.decompress,
    b"BZh": bz2.decompress,
    b"\xfd7zXZ": lzma.decompress,
    b"PK\x03\x04": _unzip,
    b"\x28\xb5\x2f\xfd": _unzstd,
}


def _as_utf8(name: str, content: bytes) -> bytes:
    """Without a byte order mark; from UTF-16 where one says so, as Excel and PowerShell write it."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        try:
            content = content.decode("utf-16").encode()
        except UnicodeError as error:
            raise UserError(f"{name}: not whole UTF-16 text ({error}); save it as UTF-8") from None
    if not content.isascii():
        try:
            content.decode("utf-8")
        except UnicodeDecodeError as error:
            row = content.count(b"\n", 0, error.start) + 1
            raise UserError(f"{name}, row {row}: not UTF-8 text; save it as UTF-8, or give CSV or Parquet") from None
    if b"\0" in content:
        raise UserError(f"{name}: no text and no Parquet: give CSV, TSV, JSON lines or Parquet")
    return content.removeprefix(b"\xef\xbb\xbf")
