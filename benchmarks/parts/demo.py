"""The demo corpus for parts that need speech, prepared once for all of them."""

from benchmarks.harness.part import Context
from trainables.audio.corpus.corpus import Corpus
from trainables.audio.recipes.preparation import open_or_prepare


def demo_corpus(context: Context) -> Corpus:
    """Synthetic speech and noise (trainables/audio/recipes/demo), prepared at the first call, next to the results."""
    return open_or_prepare(context.corpus, context.kept.parent / "cache")
