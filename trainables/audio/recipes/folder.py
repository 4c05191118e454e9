"""The `folder` recipe: your own recordings, in one of two layouts.

    speech/<speaker>/*.wav|flac   and   noise/<type>/*.wav|flac
    clean/*.wav|flac              and   noisy/*.wav|flac, same names ("p226_001.wav" is of speaker p226)

A MANIFEST.csv next to the folders, with columns path, split and if wanted speaker_or_noise_type, decides
the splits (train, valid, test) and which files count; without one a stable hash decides. Either way no
speaker and no noise type is in two splits.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from trainables.audio.corpus.audio_files import find_audio
from trainables.audio.corpus.listing import Listing, assign_splits, digest, require_answerable
from trainables.audio.recipes.folder_manifest import MANIFEST, ManifestRow, read_manifest
from trainables.audio.recipes.recipe import Recipe
from trainables.audio.recipes.recordings import Recording, file_facts, pairs, speech_and_noise
from trainables.base.errors import UserError

VERSION = 1  # raise it when the same files would give another corpus
FOLDERS = ("speech", "noise", "clean", "noisy")
LAYOUT = "speech/<speaker>/ and noise/<type>/, or clean/ and noisy/, with .wav or .flac files"


def matches(source: Path) -> bool:
    """Does the source look like one of the layouts?"""
    return any((source / name).is_dir() for name in FOLDERS)


def identity(source: Path) -> str:
    """A hash of paths, sizes and times of change, found without opening a file."""
    manifest = source / MANIFEST
    files = [*_audio_of(source, FOLDERS), *([manifest] if manifest.is_file() else [])]
    return digest(["folder", VERSION, file_facts(source, files)])


def list_source(source: Path) -> Listing:
    """Every row the corpus will have, from headers only.

    Raises:
        UserError: nothing there, no known layout, an unreadable or truncated header, a manifest that does not
            fit the files, too few speakers or noise types, or pairs that do not match.
    """
    if not source.is_dir():
        raise UserError(f"no folder at {source}: check the path; it should hold {LAYOUT}")
    if not matches(source):
        raise UserError(f"{source} holds no corpus: it should hold {LAYOUT}")
    paired = (source / "clean").is_dir() or (source / "noisy").is_dir()
    if paired:
        _refuse_a_second_layout(source)
        entries, notes = _entries(source, ("clean",))
        listing = pairs(entries, _noisy_files(source, entries), identity(source), "replace or remove the pair", notes)
    else:
        entries, notes = _entries(source, ("speech", "noise"))
        listing = speech_and_noise(entries, identity(source), notes)
    require_answerable(listing, str(source))
    return listing


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
    """The future rows with their splits, sorted by part and id, and notes on what was left out."""
    manifest = read_manifest(source)
    _require_known_folders(source, manifest)
    files = _audio_of(source, folders)
    listed = [path for path in files if manifest is None or path in manifest]
    entries = [_entry(source, path, manifest[path] if manifest else None) for path in listed]
    _require_distinct(entries)
    parts = sorted({"paired" if folder == "clean" else folder for folder in folders}, reverse=True)
    placed = [entry for part in parts for entry in _with_splits(source, part, entries, manifest is not None)]
    left_out = len(files) - len(listed)
    notes = [f"{left_out} audio files that {MANIFEST} does not list were left out"] if left_out else []
    return placed, notes


def _audio_of(source: Path, folders: Sequence[str]) -> list[Path]:
    return [path for folder in folders for path in find_audio(source / folder)]


def _entry(source: Path, path: Path, row: ManifestRow | None) -> Recording:
    folder, *below = path.relative_to(source).with_suffix("").parts
    part = "paired" if folder == "clean" else folder
    named = row.owner if row else ""
    owner = named or (_prefix(below[-1]) if part == "paired" and len(below) == 1 else _owner(path, below))
    return Recording(part=part, id="/".join(below), owner=owner, path=path, split=row.split if row else "")


def _owner(path: Path, below: Sequence[str]) -> str:
    if len(below) < 2:
        raise UserError(f"{path}: lies outside a folder of its own speaker or noise type; allowed is {LAYOUT}: move it")
    return below[0]


def _prefix(name: str) -> str:
    """ "p226_001" is of speaker p226; a name without a prefix counts as a speaker of its own."""
    return name.split("_")[0]


def _with_splits(source: Path, part: str, entries: list[Recording], decided: bool) -> list[Recording]:
    chosen = sorted((entry for entry in entries if entry.part == part), key=lambda entry: entry.id)
    if not chosen:
        folder = source / ("clean" if part == "paired" else part)
        if decided:
            raise UserError(f"{folder}: {MANIFEST} lists no .wav or .flac file in it; add rows, or remove {MANIFEST}")
        raise UserError(f"{folder}: missing, or no .wav or .flac file in it counts; it should hold {LAYOUT}")
    if decided:
        return chosen
    split_of = assign_splits({entry.owner for entry in chosen}, part, str(source))
    return [replace(entry, split=split_of[entry.owner]) for entry in chosen]


def _require_known_folders(source: Path, manifest: dict[Path, ManifestRow] | None) -> None:
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
    noisy = {path.relative_to(folder).with_suffix("").as_posix(): path for path in find_audio(folder)}
    clean = {entry.id for entry in entries}
    for name in sorted(clean - noisy.keys()):
        raise UserError(f"{source}: clean/{name} has no partner noisy/{name}; every pair needs both: add or remove")
    if not (source / MANIFEST).is_file():
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
