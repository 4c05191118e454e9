"""Published weights of an enhancement network, read into it: each network has a format of its own."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from trainables.base.errors import UserError
from trainables.base.published.files import local_files
from trainables.base.weights_file import require_here
from trainables.networks.asteroid_weights import read_asteroid
from trainables.networks.demucs_weights import read_demucs
from trainables.networks.se_conformer_weights import read_se_conformer


def load_published(
    network: nn.Module, name: str, sizes: Mapping[str, Any], checkpoint: str, sample_rate: int, setting: str
) -> Path:
    """Give `network`, made by BUILDERS[name] with `sizes`, the weights at `checkpoint`; returns their file.

    `setting` is where the user has named the checkpoint, `sample_rate` that of the audio in Hz.

    Raises:
        UserError: no single file, damaged, or another network than configured.
    """
    path = require_here(local_files(checkpoint, setting=setting))
    if not path.is_file():
        raise UserError(f"checkpoint {path}: a folder; give the one file of the network's weights")
    content = path.read_bytes()
    if name == "demucs":
        state = read_demucs(path, content, sizes, sample_rate)
    elif name == "se_conformer":
        state = read_se_conformer(path, content, sizes, sample_rate)
    else:
        state = read_asteroid(path, content, "convtasnet", sizes, sample_rate, outputs=1)
    expected = {key: value.shape for key, value in network.state_dict().items()}
    found = {key: value.shape for key, value in state.items()}
    if expected != found:
        key = next(iter(dict(expected.items() ^ found.items())))
        here, there = (tuple(shapes[key]) if key in shapes else "none" for shapes in (expected, found))
        raise UserError(f"{path}: another network: {key} has shape {there}, here {here}; give another file")
    network.load_state_dict(state)
    return path
