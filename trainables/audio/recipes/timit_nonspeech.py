"""The recipes of the contrastive report: TIMIT's voices in Nonspeech-100's noises.

SOURCE holds both, at any depth: TIMIT's TRAIN folder and n1.wav to n100.wav. Speakers are disjoint between splits;
noise recordings are too, while their types are spread over all splits, as in the report.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path

from trainables.audio.corpus.audio_folders import find_audio, without_copies
from trainables.audio.corpus.listing import Listing, digest, require_answerable
from trainables.audio.corpus.remarks import first_of, number_of_files
from trainables.audio.recipes.nonspeech import noises, split_of_noises
from trainables.audio.recipes.recipe import Recipe
from trainables.audio.recipes.recordings import Recording, file_facts, headers_of, speech_and_noise
from trainables.audio.recipes.timit import READ_BY_ALL, split_of_speakers, train_utterances

VERSION = 2  # raise it when the same files would give another corpus


def identity(source: Path, drop_sa: bool = False) -> str:
    """A hash of paths, sizes and times of change, found without opening a file."""
    return digest(["timit_nonspeech", VERSION, drop_sa, file_facts(source, find_audio(source))])


def list_source(source: Path, drop_sa: bool = False) -> Listing:
    """Every row the corpus will have, from headers only. `drop_sa` leaves out the sentences that all read.

    Raises:
        UserError: TIMIT or Nonspeech-100 is not there, or a header cannot be read.
    """
    files = [*_speech(source, drop_sa), *_noise(source)]
    notes = [*_copies(source), *_membership(files)]
    listing = speech_and_noise(headers_of(files), identity(source, drop_sa), notes, shared_types=True)
    require_answerable(listing, str(source))
    return listing


def _speech(source: Path, drop_sa: bool) -> list[Recording]:
    utterances = train_utterances(source)
    split = split_of_speakers({each.speaker for each in utterances})
    return [
        Recording("speech", each.id, each.speaker, each.path, split[each.speaker])
        for each in utterances
        if not (drop_sa and each.sentence in READ_BY_ALL)
    ]


def _noise(source: Path) -> list[Recording]:
    listed = noises(source)
    split = split_of_noises(listed)
    return [Recording("noise", each.id, each.type, each.path, split[each.id]) for each in listed]


def _copies(source: Path) -> list[str]:
    copies = without_copies(find_audio(source))[1]
    names = first_of([path.relative_to(source).as_posix() for path in copies])
    return [f"{number_of_files(len(copies))} next to an original of the same name left out: {names}"] if copies else []


def _membership(files: list[Recording]) -> list[str]:
    """The noises of each split that is not for training: the report does not say which it took."""
    ids = {s: [file.id for file in files if file.part == "noise" and file.split == s] for s in ("valid", "test")}
    return [f"noises of {split}: {', '.join(named)}" for split, named in ids.items()]


RECIPE = Recipe(
    list_source,
    identity,
    summary="TIMIT's voices (TRAIN, 412 and 50 speakers) and Nonspeech-100's noises (75 and 25)",
    source="a folder that holds TIMIT's TRAIN and n1.wav to n100.wav, at any depth",
)
RECIPE_WITHOUT_SA = replace(
    RECIPE,
    summary="timit_nonspeech without the two sentences that every speaker of TIMIT reads",
    list_source=partial(list_source, drop_sa=True),
    identity=partial(identity, drop_sa=True),
)
