"""MANIFEST.csv of a folder of recordings: which files count, in which split, of whom.

Columns: path (relative to the folder), split (train, valid, test) and optionally speaker_or_noise_type, which
otherwise is the name of the file's folder, and text (or transcript), what is said; in any letter case. Other columns
are left alone.
"""

import csv
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from trainables.audio.corpus.listing import SPLITS
from trainables.base.errors import UserError

MANIFEST = "MANIFEST.csv"
_TEXT = ("text", "transcript")


@dataclass(frozen=True)
class ManifestRow:
    """What a manifest says about one file; `owner` is empty if it does not."""

    split: str
    owner: str  # "" where the folder's name decides
    text: str | None = None  # what is said; None where there is no such column, or nothing in it


def find_manifest(source: Path, folders: Iterable[str]) -> Path | None:
    """MANIFEST.csv of the source, in any letter case; None where there is no manifest.

    Raises:
        UserError: there are two, or none but a file that was probably meant to be it.
    """
    near = [path for path in _files_of(source) if path.name.lower().strip().startswith("manifest")]
    found = [path for path in near if path.name.lower() == MANIFEST.lower()]
    if len(found) > 1:
        raise UserError(f"{source}: holds {' and '.join(path.name for path in found)}; keep one of them")
    if found:
        return found[0]
    near += [path for name in folders for path in _files_of(source / name) if path.name.lower() == MANIFEST.lower()]
    if near:
        raise UserError(
            f"{near[0]}: is it the manifest? It counts as {source / MANIFEST} only: rename, move or remove it"
        )
    return None


def has_transcripts(path: Path | None) -> bool:
    """Whether this manifest has a column for what is said; False also for one that `read_manifest` refuses."""
    if path is None:
        return False
    with suppress(OSError, UnicodeDecodeError, csv.Error), path.open(newline="", encoding="utf-8-sig") as file:
        header = next(csv.reader(file), [])
        return bool(set(_TEXT) & {name.strip().lower() for name in header})
    return False


def _files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir()) if folder.is_dir() else []


def read_manifest(source: Path, folders: Iterable[str]) -> dict[Path, ManifestRow] | None:
    """Rows by absolute path, None where there is no manifest.

    Raises:
        UserError: as `find_manifest`, it is no UTF-8 or no CSV, a column is missing, there is no row, a split is
            unknown, or a row's file does not exist, lies elsewhere or is listed twice.
    """
    path = find_manifest(source, folders)
    if path is None:
        return None
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = _rows(source, path, csv.DictReader(file))
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not written in UTF-8 (byte {error.start}): save it as UTF-8") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); make it readable or remove it") from error
    if not rows:
        raise UserError(f"{path}: has a header and no row: list the files that count, or remove it")
    return rows


def _rows(source: Path, path: Path, reader: csv.DictReader) -> dict[Path, ManifestRow]:
    rows: dict[Path, ManifestRow] = {}
    try:
        _require_columns(path, reader)
        for row in reader:
            where = f"{path}, line {reader.line_num}"
            audio, parsed = _parse(source, where, row)
            if audio in rows:
                raise UserError(f"{where}: {row['path']} is listed twice: remove one of the rows")
            rows[audio] = parsed
    except csv.Error as error:  # a quotation mark without its partner makes a field of all that follows
        raise UserError(
            f"{path}: {error} after line {reader.line_num}; is a quotation mark missing? correct the file"
        ) from error
    return rows


def _require_columns(path: Path, reader: csv.DictReader) -> None:
    header = reader.fieldnames or ()
    reader.fieldnames = [name.strip().lower() for name in header]
    missing = {"path", "split"} - set(reader.fieldnames)
    if missing:
        raise UserError(
            f"{path}: no column {' and no column '.join(sorted(missing))} in the header {','.join(header)[:80]!r}; "
            "path and split are needed, separated by commas"
        )


def _parse(source: Path, where: str, row: dict[str, str]) -> tuple[Path, ManifestRow]:
    name, split = (row["path"] or "").strip(), (row["split"] or "").strip()
    audio = source / name
    if not os.path.isfile(audio):  # unlike Path's, it says no to a name too long for any file
        raise UserError(f"{where}: no file {name[:200] or '(empty path)'}; add the file or remove the row")
    if not audio.is_relative_to(source):
        raise UserError(f"{where}: {name} lies outside {source}; write paths relative to that folder")
    if split not in SPLITS:
        raise UserError(f"{where}: split {split!r} of {name}; allowed are {', '.join(SPLITS)}")
    text = next((row[name] for name in _TEXT if row.get(name)), "").strip()
    return audio, ManifestRow(split=split, owner=(row.get("speaker_or_noise_type") or "").strip(), text=text or None)
