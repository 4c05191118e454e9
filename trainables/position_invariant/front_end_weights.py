"""Published weights of a front-end: the stage that fine-tuning starts from where they are given."""

from pathlib import Path
from typing import TYPE_CHECKING

from trainables.audio.corpus.shards import file_sha256
from trainables.base.published.source import is_local
from trainables.job.stages import Artifacts, Progress, Stage
from trainables.networks.published_weights import load_published
from trainables.position_invariant.config import SAMPLE_RATE
from trainables.position_invariant.front_ends import FrontEnd, build_front_end, pack_front_end, sizes_of

if TYPE_CHECKING:
    from trainables.audio.corpus.corpus import Corpus


def run(stage: Stage, corpus: "Corpus", artifacts: Artifacts, progress: Progress) -> bytes:
    """The artifact: the network's state; `info` says which file it came from."""
    front_end, used = _loaded(stage)
    progress(1, 1)
    return pack_front_end(front_end, info={"checkpoint": stage.config["checkpoint"], "sha256": file_sha256(used)})


def check_local(stage: Stage) -> None:
    """Raise `UserError` where the weights are on this machine and cannot be used."""
    if is_local(stage.config["checkpoint"]):
        _loaded(stage)


def _loaded(stage: Stage) -> tuple[FrontEnd, Path]:
    """The front-end with its weights, and the file they are from. Raises `UserError` as `load_published` does."""
    fields, front_end = stage.config, build_front_end(stage.config, stage.seed)
    place = fields["checkpoint"], SAMPLE_RATE, "--set front_checkpoint"
    return front_end, load_published(front_end.network, fields["front_end"], sizes_of(fields), *place)
