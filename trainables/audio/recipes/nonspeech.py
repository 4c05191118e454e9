"""Nonspeech-100 (G. Hu): a hundred noises of twenty types, and the report's split of 75 to 25, by type.

Files are n1.wav to n100.wav in either case; many last less than two seconds and most copies are at 20 kHz. The
membership of the report's split is not given: here it is a stable hash within each type.

The files do not name their types. The copy at huggingface.co/datasets/s3prl/Nonspeech files them in a folder for each:
the sizes of its folders, and their order by number as far as it was seen there (56 to 69 water, 87 snoring), give the
ranges below. A type decides nothing but how evenly the splits are spread.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from trainables.audio.corpus.audio_folders import bare_name, find_audio, without_copies
from trainables.base.errors import UserError

TEST_SHARE = 0.25
VALID_SHARE = 0.05  # of what is left for training

# (first, last, type)
_TYPES = (
    (1, 17, "crowd"),
    (18, 29, "machine"),
    (30, 43, "alarm"),
    (44, 46, "traffic"),
    (47, 55, "animal"),
    (56, 69, "water"),
    (70, 78, "wind"),
    (79, 82, "bell"),
    (83, 85, "cough"),
    (86, 86, "clap"),
    (87, 87, "snore"),
    (88, 90, "click"),
    (91, 91, "laugh"),
    (92, 92, "yawn"),
    (93, 93, "cry"),
    (94, 94, "shower"),
    (95, 95, "toothbrush"),
    (96, 97, "footsteps"),
    (98, 98, "door"),
    (99, 100, "phone"),
)
_NAME = re.compile(r"n(\d{1,3})", re.IGNORECASE)


@dataclass(frozen=True)
class Noise:
    """One recording; `id` is "n17"."""

    id: str
    type: str
    path: Path


def noises(source: Path) -> list[Noise]:
    """Every n<number> recording anywhere below `source`, by number.

    Raises:
        UserError: none there, or one number twice.
    """
    found: dict[int, Noise] = {}
    for path in without_copies(find_audio(source))[0]:
        match = _NAME.fullmatch(bare_name(path))
        number = int(match[1]) if match else 0
        if not 1 <= number <= 100:
            continue
        if number in found:
            raise UserError(f"{path}: noise {number} is there twice, also as {found[number].path}: remove one")
        found[number] = Noise(id=f"n{number}", type=_type_of(number), path=path)
    if not found:
        raise UserError(f"{source}: no Nonspeech-100 here; somewhere below there should be n1.wav to n100.wav")
    return [found[number] for number in sorted(found)]


def split_of_noises(listed: Iterable[Noise]) -> dict[str, str]:
    """Noise id -> split: a quarter of all to test and 5 % of the others to valid, spread evenly over the types.

    Noises are lined up type by type, in a stable shuffled order within each, and every fourth is taken: so each
    type gives its share, and small types are drawn from in turn.
    """
    ordered = _by_type(listed)
    test = _evenly(ordered, TEST_SHARE)
    left = [noise for noise in ordered if noise not in test]
    valid = _evenly(left, VALID_SHARE)
    return {noise.id: "test" if noise in test else "valid" if noise in valid else "train" for noise in ordered}


def _type_of(number: int) -> str:
    return next(name for first, last, name in _TYPES if first <= number <= last)


def _by_type(listed: Iterable[Noise]) -> list[Noise]:
    groups: defaultdict[str, list[Noise]] = defaultdict(list)
    for noise in listed:
        groups[noise.type].append(noise)
    ranked = sorted(groups.values(), key=lambda group: (-len(group), group[0].type))
    return [noise for group in ranked for noise in sorted(group, key=_shuffled)]


def _shuffled(noise: Noise) -> bytes:
    return hashlib.sha256(f"nonspeech/{noise.id}".encode()).digest()


def _evenly(ordered: list[Noise], share: float) -> set[Noise]:
    """That share of the line, at equal distances; at least one."""
    count = max(1, round(share * len(ordered)))
    return {ordered[int((place + 0.5) * len(ordered) / count)] for place in range(count)}
