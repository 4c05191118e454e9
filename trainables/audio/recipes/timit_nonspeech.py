"""The recipes of the contrastive report: TIMIT's voices in Nonspeech-100's noises.

SOURCE holds both, at any depth: TIMIT's TRAIN folder and n1.wav to n100.wav. Speakers are disjoint between splits;
noise recordings are too, while their types are spread over all splits, as in the report.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.audio.corpus.audio_files import conversion_notes, find_audio, read_audio, read_header
from trainables.audio.corpus.listing import Item, Listing, digest, require_answerable
from trainables.audio.recipes.nonspeech import noises, split_of_noises
from trainables.audio.recipes.recipe import Recipe
from trainables.audio.recipes.timit import READ_BY_ALL, split_of_speakers, train_utterances

VERSION = 1  # raise it when the same files would give another corpus


@dataclass(frozen=True)
class _File:
    part: str
    id: str
    owner: str
    split: str
    path: Path


def identity(source: Path, drop_sa: bool = False) -> str:
    """A hash of paths, sizes and times of change, found without opening a file."""
    stats = [(path.relative_to(source).as_posix(), path.stat()) for path in find_audio(source)]
    facts = [[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats]
    return digest(["timit_nonspeech", VERSION, drop_sa, facts])


def list_source(source: Path, drop_sa: bool = False) -> Listing:
    """Every row the corpus will have, from headers only. `drop_sa` leaves out the sentences that all read.

    Raises:
        UserError: TIMIT or Nonspeech-100 is not there, or a header cannot be read.
    """
    files = [*_speech(source, drop_sa), *_noise(source)]
    headers = [read_header(file.path) for file in files]
    paths = {(file.part, file.id): file.path for file in files}

    def load(item: Item) -> dict[str, NDArray[np.int16]]:
        return {"audio": read_audio(paths[item.part, item.id])}

    listing = Listing(
        kind="speech+noise",
        items=tuple(
            Item(part=file.part, id=file.id, owner=file.owner, split=file.split, samples=header.samples)
            for file, header in zip(files, headers, strict=True)
        ),
        load=load,
        identity=identity(source, drop_sa),
        notes=(*conversion_notes(headers), *_membership(files)),
        shared_types=True,
    )
    require_answerable(listing, str(source))
    return listing


def _speech(source: Path, drop_sa: bool) -> list[_File]:
    utterances = train_utterances(source)
    split = split_of_speakers({each.speaker for each in utterances})
    return [
        _File("speech", each.id, each.speaker, split[each.speaker], each.path)
        for each in utterances
        if not (drop_sa and each.sentence in READ_BY_ALL)
    ]


def _noise(source: Path) -> list[_File]:
    listed = noises(source)
    split = split_of_noises(listed)
    return [_File("noise", each.id, each.type, split[each.id], each.path) for each in listed]


def _membership(files: list[_File]) -> list[str]:
    """The noises of each split that is not for training: the report does not say which it took."""
    named = {
        split: [file.id for file in files if file.part == "noise" and file.split == split]
        for split in ("valid", "test")
    }
    return [f"noises of {split}: {', '.join(ids)}" for split, ids in named.items()]


RECIPE = Recipe(
    summary="TIMIT's voices (TRAIN, 412 and 50 speakers) and Nonspeech-100's noises (75 and 25)",
    source="a folder that holds TIMIT's TRAIN and n1.wav to n100.wav, at any depth",
    list_source=list_source,
    identity=identity,
)
RECIPE_WITHOUT_SA = Recipe(
    summary="the same without the two sentences that every speaker of TIMIT reads",
    source="as above",
    list_source=partial(list_source, drop_sa=True),
    identity=partial(identity, drop_sa=True),
)
