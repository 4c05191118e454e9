"""The demo corpus for parts that need speech, prepared once for all of them."""

from pathlib import Path

from benchmarks.harness.part import Context
from trainables.audio.corpus.corpus import Corpus
from trainables.audio.recipes.preparation import open_or_prepare


def corpus_cache(context: Context) -> Path:
    """A cache folder that holds the prepared corpus and nothing else."""
    return context.kept.parent / "cache"


def demo_corpus(context: Context) -> Corpus:
    """Synthetic speech and noise (trainables/audio/recipes/demo), prepared at the first call."""
    return open_or_prepare("demo", corpus_cache(context))
