"""TIMIT's speech: which file is whose, and the split of the report's contrastive protocol.

The tree is <set>/<dialect>/<speaker>/<sentence>.WAV in upper or lower case; the files have NIST SPHERE headers, which
libsndfile reads. 4120 utterances for training and 500 for testing make up the 4620 of TRAIN, so the 462 speakers of
TRAIN are split: 412 and 50, ten utterances each.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from trainables.audio.corpus.audio_folders import bare_name, find_audio, is_hidden, without_copies
from trainables.audio.corpus.listing import splits_in_order
from trainables.base.errors import UserError

TEST_SHARE = 50 / 462  # of the speakers of TRAIN
VALID_SHARE = 0.05  # of those left for training
READ_BY_ALL = ("sa1", "sa2")  # the two sentences that every speaker reads
LAYOUT = "TRAIN/DR1/FCJF0/SA1.WAV and so on"


@dataclass(frozen=True)
class Utterance:
    """One file of TRAIN. `id` is "dr1/fcjf0/sa1", in lower case whatever the disc has."""

    id: str
    speaker: str
    sentence: str
    path: Path


def train_utterances(source: Path) -> list[Utterance]:
    """Every utterance of TRAIN anywhere below `source`, by id; of a file and its converted copies, the file.

    Raises:
        UserError: no TRAIN folder or two, or nothing in it that lies where TIMIT puts it.
    """
    folder = _train_folder(source)
    found = [_utterance(path, folder) for path in without_copies(find_audio(folder))[0]]
    utterances = sorted((each for each in found if each), key=lambda each: each.id)
    if not utterances:
        raise UserError(f"{folder}: no TIMIT utterances; they should lie as {LAYOUT}: check the copy")
    return utterances


def split_of_speakers(speakers: set[str]) -> dict[str, str]:
    """Speaker -> split, by a stable hash: 50 of 462 to test, 5 % of the others to valid.

    Raises:
        UserError: fewer than three speakers.
    """
    if len(speakers) < 3:
        raise UserError(f"TIMIT: {len(speakers)} speakers in TRAIN; at least 3 are needed for three splits")
    ordered = sorted(speakers, key=lambda speaker: hashlib.sha256(f"timit/{speaker}".encode()).digest())
    test = max(1, round(TEST_SHARE * len(ordered)))
    valid = max(1, round(VALID_SHARE * (len(ordered) - test)))
    return splits_in_order(ordered, test, valid)


def _train_folder(source: Path) -> Path:
    folders = sorted(path for path in source.rglob("*") if path.name.lower() == "train" and path.is_dir())
    folders = [path for path in folders if not any(map(is_hidden, path.relative_to(source).parts))]
    if not folders:
        raise UserError(f"{source}: no TIMIT here; somewhere below there should be {LAYOUT}")
    if len(folders) > 1:
        raise UserError(f"{source}: holds {' and '.join(map(str, folders[:2]))}; give the folder above one of them")
    return folders[0]


def _utterance(path: Path, folder: Path) -> Utterance | None:
    """None for a file outside TIMIT's layout."""
    parts = path.relative_to(folder).with_name(bare_name(path)).parts
    if len(parts) != 3:
        return None
    dialect, speaker, sentence = (part.lower() for part in parts)
    return Utterance(id=f"{dialect}/{speaker}/{sentence}", speaker=speaker, sentence=sentence, path=path)
