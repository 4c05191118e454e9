"""Published weights of a front-end: the stage that fine-tuning starts from where they are given."""

from pathlib import Path
from typing import TYPE_CHECKING

from trainables.audio.corpus.shards import file_sha256
from trainables.base.errors import UserError
from trainables.base.published.files import local_files
from trainables.base.published.source import is_local
from trainables.base.weights_file import require_here
from trainables.job.stages import Artifacts, Progress, Stage
from trainables.networks.asteroid_weights import read_asteroid
from trainables.networks.demucs_weights import read_demucs
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
    """The front-end with its weights, and the file they are from.

    Raises:
        UserError: no single file, damaged, or another network than configured.
    """
    path = require_here(local_files(stage.config["checkpoint"], setting="--set front_checkpoint"))
    if not path.is_file():
        raise UserError(f"checkpoint {path}: a folder; give the one file of the front-end's weights")
    sizes, content = sizes_of(stage.config), path.read_bytes()
    if stage.config["front_end"] == "demucs":
        state = read_demucs(path, content, sizes, SAMPLE_RATE)
    else:
        state = read_asteroid(path, content, "convtasnet", sizes, SAMPLE_RATE, outputs=1)
    front_end = build_front_end(stage.config, stage.seed)
    expected = {name: value.shape for name, value in front_end.network.state_dict().items()}
    found = {name: value.shape for name, value in state.items()}
    if expected != found:
        name = next(iter(dict(expected.items() ^ found.items())))
        here, there = (tuple(shapes[name]) if name in shapes else "none" for shapes in (expected, found))
        raise UserError(f"{path}: another network: {name} has shape {there}, here {here}; give another file")
    front_end.network.load_state_dict(state)
    return front_end, path
