"""The spectral body's positions and padded batches are s3prl's numbers.

golden_s3prl.json holds what s3prl 0.4.18 gives (`TransformerModel` of s3prl/upstream/mockingjay/model.py,
`position_encoding` and the attention mask of `process_input_data` in s3prl/upstream/mockingjay/builder.py, Apache 2.0)
for the weights and the features below.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from trainables.networks.positions import sinusoidal_positions
from trainables.ssl.bodies.spectral_body import SpectralArchitecture, SpectralBody

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parent / "golden_s3prl.json").read_text())
ARCHITECTURE = SpectralArchitecture(hidden=12, heads=3, feed_forward=20)
COUNTS = (40, 23, 9)  # valid frames of the padded batch
ROWS = (0, 1, 499, 1000, 1499)  # of the position table that are stored
COLUMNS = slice(0, 768, 17)
EVERY = 4  # frames between those that are stored


def filled(name: str, value: Tensor) -> Tensor:
    """A weight of the body made from its name and shape alone; gains of norms are about 1."""
    index = torch.arange(value.numel(), dtype=torch.float64).view(value.shape)
    wave = torch.sin(0.7 * index + sum(map(ord, name)))
    return (1 + 0.1 * wave if "norm.weight" in name else 0.35 * wave).float()


def features() -> Tensor:
    """(3, 40, 80): log-mels of three utterances, zeros behind the shorter ones."""
    time, band = torch.arange(40.0).view(1, -1, 1), torch.arange(80.0).view(1, 1, -1)
    batch = torch.sin(0.37 * time + 0.11 * band * (1 + torch.arange(3.0).view(-1, 1, 1))) + 0.3 * torch.cos(time * band)
    return batch * (time < torch.tensor(COUNTS).view(-1, 1, 1))


def body() -> SpectralBody:
    made = SpectralBody(ARCHITECTURE).eval()
    made.load_state_dict({name: filled(name, value) for name, value in made.state_dict().items()})
    return made


def test_positions_of_the_longest_piece() -> None:
    found = sinusoidal_positions(1500, 768)[list(ROWS), COLUMNS]
    torch.testing.assert_close(found, torch.tensor(GOLDEN["positions"]), atol=1e-6, rtol=0)


@pytest.mark.parametrize("item", range(len(COUNTS)))
def test_a_padded_batch(item: int) -> None:
    with torch.no_grad():
        found = body().encode(features(), torch.tensor(COUNTS))[item, : COUNTS[item] : EVERY]
    torch.testing.assert_close(found, torch.tensor(GOLDEN["last layer"][item]), atol=1e-5, rtol=1e-5)
