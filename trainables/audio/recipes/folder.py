"""The `folder` recipe: your own recordings, in one of two layouts.

    speech/<speaker>/*.wav|flac|...   and   noise/<type>/*.wav|flac|...
    clean/*.wav|flac|...              and   noisy/*.wav|flac|..., same names ("p226_001.wav" is of speaker p226)

A MANIFEST.csv next to the folders, with columns path, split and if wanted speaker_or_noise_type and text, decides the
splits (train, valid, test) and which files count. Without one, folders named after splits decide
(speech/train/<speaker>/, noise/dev/<type>/, clean/test/), else a stable hash. In any case no speaker, no noise type
and no recording is in two splits.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from trainables.audio.corpus.audio_folders import find_audio, left_out
from trainables.audio.corpus.listing import SPLITS, Listing, assign_splits, digest, require_answerable, require_utf8
from trainables.audio.corpus.remarks import first_of, number_of_files
from trainables.audio.recipes.duplicates import without_duplicates
from trainables.audio.recipes.folder_manifest import (
    MANIFEST,
    ManifestRow,
    find_manifest,
    has_transcripts,
    read_manifest,
)
from trainables.audio.recipes.recipe import Recipe
from trainables.audio.recipes.recordings import Recording, file_facts, headers_of, pairs, speech_and_noise
from trainables.audio.recipes.split_folders import split_folders, split_named
from trainables.base.errors import UserError

VERSION = 2  # raise it when the same files would give another corpus
FOLDERS = ("speech", "noise", "clean", "noisy")
LAYOUT = "speech/<speaker>/ and noise/<type>/, or clean/ and noisy/, with .wav, .flac or other audio files"


def matches(source: Path) -> bool:
    """Does the source look like one of the layouts?"""
    return any((source / name).is_dir() for name in FOLDERS)


def identity(source: Path) -> str:
    """A hash of paths, sizes and times of change, found without opening a file."""
    manifest = find_manifest(source, FOLDERS)
    files = [*_audio_of(source, FOLDERS), *([manifest] if manifest else [])]
    transcribed = ["text"] if has_transcripts(manifest) else []  # earlier versions passed over that column
    return digest(["folder", VERSION, file_facts(source, files), *transcribed])


def list_source(source: Path) -> Listing:
    """Every row the corpus will have, from headers only.

    Raises:
        UserError: nothing there, no known layout, an unreadable or truncated header, a manifest that does not
            fit the files, too few speakers or noise types, or pairs that do not match.
    """
    if not source.is_dir():
        raise UserError(f"no folder at {source}: check the path; it should hold {LAYOUT}")
    if not matches(source):
        inside = [
            path for name in FOLDERS for path in sorted(source.glob(f"*/{name}")) if split_named(path.parent.name)
        ]
        hint = f"; splits belong below these: {inside[0].name}/{inside[0].parent.name}/" if inside else ""
        raise UserError(f"{source} holds no corpus: it should hold {LAYOUT}{hint}")
    paired = (source / "clean").is_dir() or (source / "noisy").is_dir()
    if paired:
        _refuse_a_second_layout(source)
        entries, notes = _entries(source, ("clean",))
        noisy = _noisy_files(source, entries)
        headers, repeated = without_duplicates(headers_of(entries, [noisy[each.id] for each in entries]), noisy)
        notes = [*notes, *repeated, *_elsewhere(source, ("clean", "noisy"))]
        listing = pairs(headers, noisy, identity(source), "replace or remove the pair", notes)
    else:
        entries, notes = _entries(source, ("speech", "noise"))
        headers, repeated = without_duplicates(headers_of(entries))
        notes = [*notes, *repeated, *_elsewhere(source, ("speech", "noise"))]
        listing = speech_and_noise(headers, identity(source), notes)
    require_answerable(listing, str(source))
    return listing


def _elsewhere(source: Path, folders: Sequence[str]) -> list[str]:
    """Notes on files that no part of the layout takes."""
    notes = [note for name in folders for note in left_out(source / name)]
    taken = tuple(source / name for name in folders)
    others: list[Path] = []
    with suppress(UserError):  # what lies elsewhere need not be in order
        others = [path for path in find_audio(source) if not any(path.is_relative_to(folder) for folder in taken)]
    if others:
        named = first_of([path.relative_to(source).as_posix() for path in others])
        notes.append(f"{number_of_files(len(others))} outside {'/ and '.join(folders)}/ left out: {named}")
    return notes


def _refuse_a_second_layout(source: Path) -> None:
    """With pairs, folders of voices and noises would be ignored."""
    for name in ("speech", "noise"):
        if find_audio(source / name):
            raise UserError(
                f"{source}: holds recordings in {name}/ as well as clean/ and noisy/; a corpus has one layout, "
                f"{LAYOUT}: move one of them elsewhere"
            )


# -- which files, whose, in which split -------------------------------------------------------------------


def _entries(source: Path, folders: Sequence[str]) -> tuple[list[Recording], list[str]]:
    """The future rows with their splits, sorted by part and id, and notes on how they came about."""
    manifest = read_manifest(source, FOLDERS)
    _require_known_folders(source, manifest)
    placed: list[Recording] = []
    notes: list[str] = []
    unlisted = 0
    for name in folders:
        files = find_audio(source / name)
        listed = [path for path in files if manifest is None or path in manifest]
        unlisted += len(files) - len(listed)
        named = split_folders(source / name, listed, _OWNER_FOLDER[name]) if _needs_folders(listed, manifest) else {}
        entries = [_entry(source, path, manifest[path] if manifest else None, named) for path in listed]
        _require_distinct(entries)
        if named and not manifest:
            chosen = ", ".join(
                f"{each}/ is {named[each]}" for each in sorted(named, key=lambda n: SPLITS.index(named[n]))
            )
            notes.append(f"folders in {name}/ are named after splits and decide them: {chosen}")
        placed += _with_splits(source, name, entries, manifest is not None or bool(named))
    if unlisted:
        notes.append(f"{unlisted} audio files that {MANIFEST} does not list were left out")
    return placed, notes


_OWNER_FOLDER = {"speech": "speaker", "noise": "type", "clean": ""}  # what a folder of its own is needed for


def _needs_folders(files: Sequence[Path], manifest: Mapping[Path, ManifestRow] | None) -> bool:
    """Not where the manifest names every owner."""
    return manifest is None or any(not manifest[path].owner for path in files)


def _audio_of(source: Path, folders: Sequence[str]) -> list[Path]:
    return [path for folder in folders for path in find_audio(source / folder)]


def _entry(source: Path, path: Path, row: ManifestRow | None, named: Mapping[str, str]) -> Recording:
    folder, *below = path.relative_to(source).with_suffix("").parts
    part = "paired" if folder == "clean" else folder
    split = named.get(below[0], "")
    own = below[1:] if split else below  # without the split's folder
    owner = row.owner if row else ""
    owner = owner or (_prefix(own[-1]) if part == "paired" and len(own) == 1 else _owner(path, own))
    text = row.text if row and part != "noise" else None
    return Recording(part, "/".join(below), owner, path, row.split if row else split, text)


def _owner(path: Path, below: Sequence[str]) -> str:
    if len(below) < 2:
        raise UserError(f"{path}: lies outside a folder of its own speaker or noise type; allowed is {LAYOUT}: move it")
    return below[0]


def _prefix(name: str) -> str:
    """ "p226_001" is of speaker p226; a name without a prefix counts as a speaker of its own."""
    return name.split("_")[0]


def _with_splits(source: Path, name: str, entries: list[Recording], decided: bool) -> list[Recording]:
    if not entries:
        folder = source / name
        if decided:
            raise UserError(f"{folder}: {MANIFEST} lists no audio file in it; add rows, or remove {MANIFEST}")
        raise UserError(
            "; ".join([f"{folder}: missing, or no audio file in it; it should hold {LAYOUT}", *left_out(folder)])
        )
    require_utf8({entry.id for entry in entries}, str(source))
    chosen = sorted(entries, key=lambda entry: entry.id)
    if decided:
        return chosen
    split_of = assign_splits({entry.owner for entry in chosen}, chosen[0].part, str(source))
    return [replace(entry, split=split_of[entry.owner]) for entry in chosen]


def _require_known_folders(source: Path, manifest: Mapping[Path, ManifestRow] | None) -> None:
    for path in sorted((manifest or {}).keys() - set(_audio_of(source, FOLDERS))):
        raise UserError(f"{source / MANIFEST}: {path.relative_to(source)} is not where it counts; allowed is {LAYOUT}")


def _require_distinct(entries: list[Recording]) -> None:
    counts = Counter((entry.part, entry.id) for entry in entries)
    for entry in entries:
        if counts[entry.part, entry.id] > 1:
            raise UserError(f"{entry.path}: another file has this name with another ending: remove one of them")


# -- pairs ------------------------------------------------------------------------------------------------


def _noisy_files(source: Path, entries: list[Recording]) -> dict[str, Path]:
    folder = source / "noisy"
    noisy: dict[str, Path] = {}
    for path in find_audio(folder):
        if noisy.setdefault(path.relative_to(folder).with_suffix("").as_posix(), path) != path:
            raise UserError(f"{path}: another file has this name with another ending: remove one of them")
    clean = {entry.id for entry in entries}
    for name in sorted(clean - noisy.keys()):
        raise UserError(f"{source}: clean/{name} has no partner noisy/{name}; every pair needs both: add or remove")
    if find_manifest(source, FOLDERS) is None:
        for name in sorted(noisy.keys() - clean):
            raise UserError(f"{source}: noisy/{name} has no partner clean/{name}; every pair needs both: add or remove")
    return noisy


RECIPE = Recipe(
    list_source,
    identity,
    matches,
    summary="your own recordings: speech/<speaker>/ and noise/<type>/, or clean/ and noisy/ (same names)",
    source="the folder that holds them, with MANIFEST.csv if you want to choose the splits",
)
