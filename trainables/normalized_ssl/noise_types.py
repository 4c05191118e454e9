"""The types of noise that a domain adversary tells apart: the stage behind adversary_domains="noise"."""

from typing import TYPE_CHECKING

from trainables.base.tensors import pack, unpack
from trainables.job.stages import Artifacts, Progress, Stage

if TYPE_CHECKING:
    from trainables.audio.corpus.corpus import Corpus


def run(stage: Stage, corpus: "Corpus", artifacts: Artifacts, progress: Progress) -> bytes:
    """The artifact: the names of the training split's types, in the order in which `Batch.noise_types` counts them."""
    return pack(sorted(set(corpus.noise("train").types)))


def unpack_types(artifact: bytes) -> list[str]:
    """The names."""
    return unpack(artifact)
