"""The recipes by name: how each kind of source becomes a corpus."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from trainables.audio import (
    demo_corpus,
    folder_recipe,
    librispeech_recipe,
    timit_nonspeech_recipe,
    voicebank_recipe,
)
from trainables.audio.listing import Listing
from trainables.errors import UserError

DEMO = "demo"
BUILT_IN = "builtin"  # what stands for its source


@dataclass(frozen=True)
class Recipe:
    """How one kind of source becomes a corpus. `identity` is cheap; `list_source` reads headers."""

    summary: str
    source: str  # what SOURCE means to it
    list_source: Callable[[Path], Listing]
    identity: Callable[[Path], str]
    matches: Callable[[Path], bool] = lambda source: False  # does a folder look like this source?


def _list_demo(source: Path) -> Listing:
    if source.name != BUILT_IN:
        raise UserError(
            f"recipe {DEMO} has no source but {BUILT_IN!r}: give that word in place of {source.name!r}"
        )
    return demo_corpus.list_demo()


def _voicebank(training: voicebank_recipe.TrainingSet) -> Recipe:
    list_source, identity, matches = voicebank_recipe.recipe_functions(training)
    return Recipe(
        summary=f"VoiceBank-DEMAND, the {training.speakers}-speaker training set and the 824 test pairs",
        source=f"the folder that holds clean_ and noisy_trainset_{training.speakers}spk_wav and _testset_wav",
        list_source=list_source,
        identity=identity,
        matches=matches,
    )


RECIPES = {
    "folder": Recipe(
        summary="your own recordings: speech/<speaker>/ and noise/<type>/, or clean/ and noisy/ (same names)",
        source="the folder that holds them, with MANIFEST.csv if you want to choose the splits",
        list_source=folder_recipe.list_source,
        identity=folder_recipe.identity,
        matches=folder_recipe.matches,
    ),
    "voicebank-demand": _voicebank(voicebank_recipe.SPEAKERS_28),
    "voicebank-demand-56": _voicebank(voicebank_recipe.SPEAKERS_56),
    "librispeech": Recipe(
        summary="LibriSpeech as published, mixed with noises of your own beside it",
        source=f"the folder that holds {librispeech_recipe.LAYOUT}",
        list_source=librispeech_recipe.list_source,
        identity=librispeech_recipe.identity,
        matches=librispeech_recipe.matches,
    ),
    "timit_nonspeech": Recipe(
        summary="TIMIT's voices (TRAIN, 412 and 50 speakers) and Nonspeech-100's noises (75 and 25)",
        source="a folder that holds TIMIT's TRAIN and n1.wav to n100.wav, at any depth",
        list_source=timit_nonspeech_recipe.list_source,
        identity=timit_nonspeech_recipe.identity,
    ),
    "timit_nonspeech_without_sa": Recipe(
        summary="the same without the two sentences that every speaker of TIMIT reads",
        source="as above",
        list_source=partial(timit_nonspeech_recipe.list_source, drop_sa=True),
        identity=partial(timit_nonspeech_recipe.identity, drop_sa=True),
    ),
    DEMO: Recipe(
        summary="the built-in synthetic corpus: espeak-ng voices and synthesised noises, no download",
        source=f"the word {BUILT_IN}",
        list_source=_list_demo,
        identity=lambda source: demo_corpus.identity(),
    ),
}


def find_recipe(name: str) -> Recipe:
    if name not in RECIPES:
        raise UserError(f"unknown recipe {name!r}: choose one of {', '.join(sorted(RECIPES))}")
    return RECIPES[name]
