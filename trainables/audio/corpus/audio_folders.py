"""Which files of a folder are audio: hidden ones are passed over, links are followed, never in circles."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from trainables.audio.corpus.remarks import first_of, number_of_files
from trainables.base.errors import UserError

SUFFIXES = (
    *(".wav", ".wave", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".aif", ".aiff", ".aifc"),
    *(".au", ".snd", ".caf", ".w64", ".rf64", ".sph", ".nist"),
)
# What archivers, file servers and desktops leave behind; names that begin with a dot are hidden anyway.
CLUTTER = ("__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information", "lost+found", "Thumbs.db", "desktop.ini")


def find_audio(folder: Path) -> list[Path]:
    """Every audio file below `folder`, sorted; hidden files and folders are skipped. Empty if there is no folder.

    Raises:
        UserError: a folder or file cannot be read, or a link leads nowhere; skipping it would leave it out of the
            corpus silently.
    """
    return sorted(path for path in _files(folder) if path.name.lower().endswith(SUFFIXES))


def bare_name(path: Path) -> str:
    """The file's name without endings of audio, however many: "SI10.WAV.wav" is SI10."""
    name = path.name
    while name.lower().endswith(SUFFIXES):
        name = name[: name.rindex(".")]
    return name


def without_copies(paths: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """Paths sorted apart: originals, and copies next to them under the same name with more endings or another one."""
    kept: dict[tuple[Path, str], Path] = {}
    ordered = sorted(paths, key=lambda path: (len(path.name), path))
    copies = [path for path in ordered if kept.setdefault((path.parent, bare_name(path).lower()), path) != path]
    return sorted(kept.values()), sorted(copies)


def left_out(folder: Path) -> list[str]:
    """A note on the files that `find_audio` does not take, by ending, with an example of each; none without such."""
    others = sorted(path for path in _files(folder) if not path.name.lower().endswith(SUFFIXES))
    if not others:
        return []
    counts = Counter(path.suffix.lower() for path in others)
    example = {path.suffix.lower(): path.relative_to(folder).as_posix() for path in reversed(others)}
    kinds = [f"{count} {kind or 'without ending'} ({example[kind]})" for kind, count in counts.most_common()]
    return [f"{number_of_files(len(others))} in {folder.name}/ left out, no audio by ending: {first_of(kinds)}"]


def _files(folder: Path) -> Iterator[Path]:
    came_through: dict[str, tuple[str, ...]] = {}  # folder below a link -> the real folders on the way to it
    for parent, folders, names in os.walk(folder, onerror=_refuse_unreadable, followlinks=True):
        trail = (*came_through.get(parent, ()), os.path.realpath(parent))
        folders[:] = [name for name in folders if not is_hidden(name) and not _leads_back(Path(parent, name), trail)]
        came_through |= {os.path.join(parent, name): trail for name in folders}
        for path in (Path(parent, name) for name in names if not is_hidden(name)):
            if not os.path.isfile(path):
                problem = "no regular file, or cannot be reached"
                if os.path.islink(path) and not os.path.exists(path):
                    problem = "a link to a file that is not there"
                raise UserError(f"{path}: {problem}; repair or remove it")
            yield path


def is_hidden(name: str) -> bool:
    return name.startswith(".") or name in CLUTTER


def _leads_back(folder: Path, trail: tuple[str, ...]) -> bool:
    """Is it a link to a folder that was entered on the way to it, or to one above?"""
    if not folder.is_symlink():
        return False
    target = os.path.join(os.path.realpath(folder), "")
    return any(os.path.join(entered, "").startswith(target) for entered in trail)


def _refuse_unreadable(error: OSError) -> None:
    """`os.walk`'s handler of folders it cannot list; one that does not exist counts as empty."""
    if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
        raise UserError(
            f"{error.filename}: its recordings cannot be listed ({error.strerror}); make it readable or remove it"
        ) from error
