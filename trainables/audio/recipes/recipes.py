"""The recipes by name: how each kind of source becomes a corpus."""

from trainables.audio.recipes.recipe import DEMO, Recipe
from trainables.base.plugins import Registry

_HERE = "trainables.audio.recipes"

RECIPES = Registry(
    "recipes",
    Recipe,
    {
        "folder": f"{_HERE}.folder:RECIPE",
        "voicebank-demand": f"{_HERE}.voicebank:RECIPE",
        "voicebank-demand-56": f"{_HERE}.voicebank:RECIPE_56",
        "librispeech": f"{_HERE}.librispeech:RECIPE",
        "timit_nonspeech": f"{_HERE}.timit_nonspeech:RECIPE",
        "timit_nonspeech_without_sa": f"{_HERE}.timit_nonspeech:RECIPE_WITHOUT_SA",
        DEMO: f"{_HERE}.demo.demo_corpus:RECIPE",
        "librimix": f"{_HERE}.librimix:RECIPE",
        "librimix-16k": f"{_HERE}.librimix:RECIPE_16K",
        "wsj0-2mix": f"{_HERE}.wsj0_2mix:RECIPE",
    },
)
