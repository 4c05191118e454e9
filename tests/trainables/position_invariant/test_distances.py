"""Distances of feature sequences against plain loops, with items of different lengths."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from trainables.position_invariant.distances import (
    aligned_distance,
    frame_distance,
    stretched_distance,
    temporal_contrast,
)


def sequence(frames: int, seed: int, channels: int = 4) -> Tensor:
    return torch.randn(2, frames, channels, generator=torch.Generator().manual_seed(seed))


def soft_dtw_by_loops(cost: Tensor, gamma: float) -> float:
    rows, columns = cost.shape
    table = [[math.inf] * (columns + 1) for _ in range(rows + 1)]
    table[0][0] = 0.0
    for i in range(1, rows + 1):
        for j in range(1, columns + 1):
            before = table[i - 1][j - 1], table[i - 1][j], table[i][j - 1]
            low = min(before)
            soft = low - gamma * math.log(sum(math.exp((low - each) / gamma) for each in before))
            table[i][j] = float(cost[i - 1, j - 1]) + soft
    return table[rows][columns]


def squares(one: Tensor, other: Tensor) -> Tensor:
    return (one[:, None] - other[None]).square().sum(-1)


def test_frame_by_frame_is_a_sum_over_channels_and_a_mean_over_valid_frames() -> None:
    one, other = sequence(5, 1), sequence(5, 2)
    valid = torch.tensor([[1.0, 1, 1, 1, 1], [1, 1, 0, 0, 0]])
    means = [(one[b, :n] - other[b, :n]).square().sum(-1).mean() for b, n in ((0, 5), (1, 2))]
    torch.testing.assert_close(frame_distance(one, other, valid), torch.stack(means).mean())


@pytest.mark.parametrize("divergence", [True, False])
@pytest.mark.parametrize("gamma", [0.1, 10.0])
def test_alignment_is_soft_dtw_over_both_lengths(divergence: bool, gamma: float) -> None:
    one, other = sequence(6, 1), sequence(8, 2)
    counts = torch.tensor([6, 4]), torch.tensor([8, 5])
    expected = []
    for item, (rows, columns) in enumerate(zip(*(each.tolist() for each in counts), strict=True)):
        x, y = one[item, :rows].double(), other[item, :columns].double()
        value = soft_dtw_by_loops(squares(x, y), gamma)
        if divergence:
            value -= (soft_dtw_by_loops(squares(x, x), gamma) + soft_dtw_by_loops(squares(y, y), gamma)) / 2
        expected.append(value / (rows + columns))
    found = float(aligned_distance(one, other, counts, gamma, divergence))
    assert found == pytest.approx(sum(expected) / 2, rel=1e-4, abs=1e-5)


def test_a_band_leaves_a_path_in_every_item() -> None:
    """One of two and three frames needs a third of its length, more than the other's band."""
    one, other = sequence(40, 1), sequence(48, 2)
    counts = torch.tensor([40, 2]), torch.tensor([48, 3])
    narrow = aligned_distance(one, other, counts, 0.1, band=0.05)
    assert torch.isfinite(narrow)
    assert float(narrow) >= float(aligned_distance(one, other, counts, 0.1)) - 1e-4


def test_stretching_interpolates_each_item_to_its_own_frames() -> None:
    line = torch.arange(9.0)[None, :, None].expand(2, 9, 3)
    shorter = torch.stack([torch.linspace(0, 8, 5), torch.tensor([0.0, 1, 2, -7, -7])])[:, :, None].expand(2, 5, 3)
    counts = torch.tensor([5, 3]), torch.tensor([9, 3])
    assert float(stretched_distance(shorter, line, counts)) == pytest.approx(0.0, abs=1e-9)
    assert float(stretched_distance(shorter + 1.0, line, counts)) == pytest.approx(3.0)


def test_the_temporal_term_by_loops() -> None:
    features, counts, margin = sequence(5, 3), torch.tensor([5, 3]), 1.1
    unit = functional.normalize(features, dim=-1)
    expected = []
    for item, frames in enumerate(counts.tolist()):
        terms = []
        for i in range(frames):
            for j in range(frames):
                distance = float((unit[item, i] - unit[item, j]).square().sum())
                weight = (i - j) ** 2 + 1
                terms.append(distance / weight if i == j else weight * max(0.0, margin - distance))
        expected.append(sum(terms) / len(terms))
    assert float(temporal_contrast(features, counts, margin)) == pytest.approx(sum(expected) / 2, rel=1e-4)
