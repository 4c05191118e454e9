"""Published weights of a network: the stage that training starts from where they are given."""

from pathlib import Path
from typing import TYPE_CHECKING

from torch import nn

from trainables.base.published.source import is_local
from trainables.base.tensors import pack
from trainables.job.stages import Artifacts, Progress, Stage
from trainables.networks.enhancement_networks import BUILDERS, SIZES
from trainables.networks.published_weights import load_published
from trainables.waveform_se.config import SAMPLE_RATE

if TYPE_CHECKING:
    from trainables.audio.corpus.corpus import Corpus


def run(stage: Stage, corpus: "Corpus", artifacts: Artifacts, progress: Progress) -> bytes:
    """The artifact: the network's state."""
    network, _ = _loaded(stage)
    progress(1, 1)
    return pack({"network": network.state_dict()})


def check_local(stage: Stage) -> None:
    """Raise `UserError` where the weights are on this machine and cannot be used."""
    if is_local(stage.config["checkpoint"]):
        _loaded(stage)


def _loaded(stage: Stage) -> tuple[nn.Module, Path]:
    """The network with its weights, and the file they are from. Raises `UserError` as `load_published` does."""
    config = stage.config
    name, sizes = config["network"], {**SIZES[config["network"], config["size"]], **config["overrides"]}
    network = BUILDERS[name](**sizes)
    return network, load_published(network, name, sizes, config["checkpoint"], SAMPLE_RATE, "--set checkpoint")
