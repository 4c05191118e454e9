"""Sandglasset's blocks against a public implementation, and what its grain and its chunks must be.

Golden: blocks and mask layer of github.com/kliffeup/Sandglasset, commit 9c090b24, at in_channels=8, hidden_size=5,
num_heads=2, kernel sizes 1, 4, 4, 1, segment_length=8, put together as its own forward does. Three things differ there
and were set to ours: its resampling is dense (diagonal weights here), its table of positions has the axes exchanged,
and a block's input is not added to its output.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.support.methods.asteroid_files import weights
from trainables.networks import chunking
from trainables.networks.positions import sinusoidal_positions
from trainables.networks.sandglasset import SandglassetMasker, granularity, sandglasset

GOLDEN = json.loads((Path(__file__).parent / "golden_sandglasset.json").read_text())
CHUNK, CHUNKS = 8, 5


def small(dropout: float = 0.1) -> SandglassetMasker:
    torch.manual_seed(5)
    return SandglassetMasker(2, filters=6, bottleneck=8, hidden=5, blocks=4, chunk=CHUNK, heads=2, dropout=dropout)


def test_it_computes_what_public_blocks_compute() -> None:
    masker = small().eval()
    assert {key: list(value.shape) for key, value in masker.state_dict().items()} == GOLDEN["shapes"]
    masker.load_state_dict(weights(GOLDEN["shapes"]))
    chunks = torch.tensor(np.random.default_rng(100).normal(size=(2, 8, CHUNK, CHUNKS)), dtype=torch.float32)
    with torch.no_grad():
        merged = masker.head.merge(masker.walk(chunks, None), frames=16, before=4)
        found = masker.head(merged)
    torch.testing.assert_close(found, torch.tensor(GOLDEN["masks"]), atol=1e-5, rtol=1e-5)


def test_blocks_grow_coarse_and_fine_again() -> None:
    assert [granularity(block, 6) for block in range(6)] == [1, 4, 16, 16, 4, 1]
    assert [granularity(block, 5) for block in range(5)] == [1, 4, 16, 4, 1]
    assert [granularity(block, 1) for block in range(1)] == [1]


@pytest.mark.parametrize(("blocks", "chunk"), [(6, 8), (6, 24), (4, 6), (1, 7)])
def test_a_chunk_that_does_not_divide_is_refused(blocks: int, chunk: int) -> None:
    with pytest.raises(ValueError, match=f"chunk={chunk}"):
        SandglassetMasker(2, filters=4, bottleneck=4, hidden=3, blocks=blocks, chunk=chunk, heads=2)


@pytest.mark.parametrize("frames", [1, 4, 5, 8, 37])
def test_every_frame_lies_in_two_chunks_and_no_chunk_is_empty(frames: int) -> None:
    ends = small().ends(frames)
    chunks = chunking.cut(torch.ones(1, 1, frames), CHUNK, ends)
    assert chunking.overlap_add(chunks, frames, ends[0]).tolist() == [[[2.0] * frames]]
    assert bool(chunks.any(dim=2).all())


def test_mirrored_blocks_are_joined() -> None:
    """The last block takes the output of the one before plus the first one's."""
    masker, taken = small().eval(), {}
    for number, block in enumerate(masker.blocks):
        block.register_forward_hook(lambda _, given, made, at=number: taken.update({at: (given[0], made)}))
    with torch.no_grad():
        masker.walk(torch.randn(1, 8, CHUNK, CHUNKS), None)
    torch.testing.assert_close(taken[1][0], taken[0][1])
    torch.testing.assert_close(taken[2][0], 2 * taken[1][1])
    torch.testing.assert_close(taken[3][0], taken[2][1] + taken[0][1])


def test_dropout_is_of_the_attention_and_of_training_alone() -> None:
    chunks = torch.randn(1, 8, CHUNK, CHUNKS)
    with torch.no_grad():
        quiet, kept = small().eval().walk(chunks, None), small(dropout=0.0).train().walk(chunks, None)
        torch.testing.assert_close(quiet, kept)
        assert not torch.allclose(small().train().walk(chunks, None), quiet)


def test_another_chunk_is_read_at_its_own_position_alone() -> None:
    """At grain 1 attention runs across chunks position by position; the LSTM of a chunk mixes positions before."""
    masker = SandglassetMasker(1, filters=4, bottleneck=4, hidden=3, blocks=1, chunk=8, heads=2).eval()
    block = masker.blocks[0]
    chunks = torch.randn(1, 4, 8, 5, requires_grad=True)
    found = chunking.across_chunks(block.across, block.down(chunks))  # type: ignore[arg-type, operator]
    found[0, :, 3, 0].square().sum().backward()
    assert chunks.grad is not None
    reached = chunks.grad[0].abs().sum(0) > 0  # (chunk, chunks)
    assert reached[3].all()
    assert not reached[[0, 1, 2, 4, 5, 6, 7]].any()


def test_positions_are_sine_and_cosine_of_the_paper() -> None:
    table = sinusoidal_positions(7, 6)
    for position in range(7):
        for column in range(6):
            angle = position / 10000 ** (2 * (column // 2) / 6)
            expected = np.sin(angle) if column % 2 == 0 else np.cos(angle)
            assert float(table[position, column]) == pytest.approx(expected, abs=1e-6)


def test_it_learns_to_pass_a_mixture_on() -> None:
    """A few steps on one mixture: every part of the network takes part in one objective."""
    torch.manual_seed(1)
    network = sandglasset(1, 8, dropout=0.0, filters=16, bottleneck=8, hidden=8, blocks=4, chunk=8, heads=2)
    mixture = torch.randn(1, 200)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    losses = []
    for _ in range(40):
        loss = (network(mixture)[:, 0] - mixture).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.6 * losses[0]
