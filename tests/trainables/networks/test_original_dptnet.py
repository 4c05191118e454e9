"""DPTNet by its authors' own code: the same output from the same weights, at lengths that end chunks differently.

Golden: github.com/ujscjj/DPTNet, commit 9b4b32d7, DPTNet_base(enc_dim=12, feature_dim=8, hidden_dim=5, layer=2,
segment_size=10, nspk=2, win_len=2).
"""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.support.methods.asteroid_files import weights
from trainables.base.errors import UserError
from trainables.networks.dual_path_transformer import dptnet
from trainables.separation.config import SeparationConfig
from trainables.separation.separators import build_separator

GOLDEN = json.loads((Path(__file__).parent / "golden_dptnet.json").read_text())
# The authors' key -> ours.
RULES = [
    (r"encoder\.conv1d_U\.", "encoder."),
    (r"enc_LN\.", "masker.norm."),
    (r"separator\.BN\.", "masker.bottleneck."),
    (r"separator\.DPT\.row_transformer\.(\d+)\.transformer\.", r"masker.blocks.\1.within."),
    (r"separator\.DPT\.col_transformer\.(\d+)\.transformer\.", r"masker.blocks.\1.across."),
    (r"separator\.DPT\.output\.0\.", "masker.head.prelu."),
    (r"separator\.DPT\.output\.1\.", "masker.head.output."),
    (r"separator\.output\.0\.", "masker.head.value."),
    (r"separator\.output_gate\.0\.", "masker.head.gate."),
    (r"mask_conv1x1\.", "masker.head.mask."),
    (r"self_attn\.", "attention."),
    (r"norm1\.", "attention_norm."),
    (r"norm2\.", "recurrent_norm."),
]


def our_state() -> dict[str, torch.Tensor]:
    state = {}
    for key, value in weights(GOLDEN["shapes"]).items():
        if key == "decoder.basis_signals.weight":  # (window, filters)
            state["decoder.weight"] = value.T[:, None]
            continue
        for theirs, ours in RULES:
            key = re.sub(theirs, ours, key)
        state[key] = value
    return state


@pytest.mark.parametrize("samples", [64, 66])
def test_it_computes_what_the_authors_code_computes(samples: int) -> None:
    network = dptnet(2, 2, bottleneck=8, filters=12, hidden=5, blocks=2, chunk=10).eval()
    network.load_state_dict(our_state())
    mixture = torch.tensor(np.random.default_rng(100).normal(size=(1, samples)), dtype=torch.float32)
    with torch.no_grad():
        found = network(mixture)[0]
    torch.testing.assert_close(found, torch.tensor(GOLDEN["output"][str(samples)]), atol=2e-5, rtol=1e-5)


def test_both_sizes_are_offered() -> None:
    """The recipe's, and the authors', which they publish as 2.69 M: their counter misses 12 input projections."""
    counts = {}
    for size in ("paper", "original"):
        config = SeparationConfig.from_dict({"model": "dptnet", "size": size})
        counts[size] = sum(each.numel() for each in build_separator(config, 2, seed=1).parameters())
    assert counts == {"paper": 8_527_233, "original": 2_834_945}
    assert round((counts["original"] - 12 * (3 * 64 * 64 + 3 * 64)) / 1e6, 2) == 2.69


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"model": "dprnn", "size": "original"}, "size='original' is not possible.*tiny or paper with model='dprnn'"),
        ({"size": "original", "strategy": "ptft", "checkpoint": "/a.pth"}, "not asteroid's"),
    ],
)
def test_the_original_is_dptnets_and_not_asteroids(values: dict[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        SeparationConfig.from_dict({"model": "dptnet", **values})
