"""The recipes by name: how each kind of source becomes a corpus."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from trainables.audio.corpus.listing import Listing
from trainables.audio.recipes import folder as folder_recipe
from trainables.audio.recipes import librimix as librimix_recipe
from trainables.audio.recipes import librispeech as librispeech_recipe
from trainables.audio.recipes import timit_nonspeech as timit_nonspeech_recipe
from trainables.audio.recipes import voicebank as voicebank_recipe
from trainables.audio.recipes import wsj0_2mix as wsj0_2mix_recipe
from trainables.audio.recipes.demo import demo_corpus
from trainables.base.errors import UserError

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
    "librimix": Recipe(
        summary="Libri2Mix or Libri3Mix at 8 kHz, min mode, from its metadata (librimix-16k: at 16 kHz)",
        source="the folder that holds LibriSpeech/, wham_noise/ and metadata/libri2mix_*.csv",
        list_source=librimix_recipe.list_source,
        identity=librimix_recipe.identity,
    ),
    "librimix-16k": Recipe(
        summary="the same at 16 kHz",
        source="as for librimix",
        list_source=partial(librimix_recipe.list_source, sample_rate=16_000),
        identity=librimix_recipe.identity,
    ),
    "wsj0-2mix": Recipe(
        summary="wsj0-2mix as its scripts write it, 8 kHz, min mode",
        source="the folder that holds tr/, cv/ and tt/ with s1/ and s2/ (and noise/ of WHAM)",
        list_source=wsj0_2mix_recipe.list_source,
        identity=wsj0_2mix_recipe.identity,
    ),
}


def find_recipe(name: str) -> Recipe:
    if name not in RECIPES:
        raise UserError(f"unknown recipe {name!r}: choose one of {', '.join(sorted(RECIPES))}")
    return RECIPES[name]
