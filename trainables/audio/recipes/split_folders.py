"""Folders that are named after splits: speech/train/<speaker>/, noise/dev/<type>/, clean/test/.

A name counts as a split's only where all folders next to it do: noise/train/ between noise/birds/ and noise/wind/ is a
railway.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath

from trainables.base.errors import UserError

SPLIT_NAMES = {
    "train": ("train", "training", "tr", "trainset"),
    "valid": ("valid", "validation", "val", "dev", "devel", "development", "cv", "validset", "devset"),
    "test": ("test", "testing", "tt", "eval", "evaluation", "testset", "evalset"),
}
_SPLIT_OF = {name: split for split, names in SPLIT_NAMES.items() for name in names}


def split_named(folder: str) -> str | None:
    """The split that a folder's name stands for, in any letter case and punctuation: "Train_Set" is train."""
    return _SPLIT_OF.get(re.sub(r"[^a-z0-9]", "", folder.lower()))


def split_folders(folder: Path, files: Iterable[Path], owners: str) -> Mapping[str, str]:
    """Name of each split's folder below `folder` -> split; empty where the folders are those of owners.

    `owners` says what belongs between a split's folder and its files, "" where files may lie in it directly.

    Raises:
        UserError: split folders and others next to each other, or files where a folder of their owner should be.
    """
    below = [path.relative_to(folder) for path in files]
    splits = {path.parts[0]: split_named(path.parts[0]) for path in below if len(path.parts) > 1}
    named = {name: split for name, split in splits.items() if split}
    loose = [path for path in below if len(path.parts) == 1]
    if len(named) == len(splits) and not loose:
        for path in below if owners else ():
            if len(path.parts) == 2:
                raise UserError(
                    f"{folder / path}: folder {path.parts[0]!r} is named after a split, so a folder of its {owners} is "
                    f"needed between: {folder.name}/{path.parts[0]}/<{owners}>/; move it, or give split and {owners} "
                    "in MANIFEST.csv"
                )
        return named
    if any(_is_deep(path) for path in below if path.parts[0] in named):
        others = [*(name for name in splits if name not in named), *(path.name for path in loose)]
        raise UserError(
            f"{folder}: holds folders named after splits ({', '.join(sorted(named))}) next to others "
            f"({', '.join(sorted(others)[:3])}); a corpus has one layout: move them, or give splits in MANIFEST.csv"
        )
    return {}


def _is_deep(path: PurePath) -> bool:
    return len(path.parts) > 2
