"""Distances of two sequences of features, (batch, frames, channels), that may be of different lengths.

Frame-by-frame distances are sums over channels and means over frames, then over items (the paper's form).
"""

import torch
from torch import Tensor
from torch.nn import functional

from trainables.base.padding import valid_mask
from trainables.losses.soft_dtw import soft_dtw, soft_dtw_divergence, squared_distances
from trainables.losses.soft_dtw_band import smallest_band


def frame_distance(estimate: Tensor, reference: Tensor, valid: Tensor) -> Tensor:
    """Mean over the frames where `valid` (batch, frames) is 1 of ||x - y||^2, then over items.

    Both have the same frames, from the first on; those beyond are not compared.
    """
    squares = (estimate - reference).square().sum(-1) * valid
    return (squares.sum(-1) / valid.sum(-1).clamp(min=1)).mean()


def aligned_distance(
    estimate: Tensor,
    reference: Tensor,
    counts: tuple[Tensor, Tensor],
    gamma: float,
    divergence: bool = True,
    band: float | None = None,
) -> Tensor:
    """Soft-DTW, by default its divergence, over m + n, the mean over items (spec: SCORE's normalization).

    `counts` are (batch,) frames of each. A band is at least as wide as leaves a path in every item.
    """
    rows, columns = (each.cpu() for each in counts)
    if band is not None:
        narrowest = [smallest_band(m, n) for m, n in zip(rows.tolist(), columns.tolist(), strict=True)]
        band = max(band, *narrowest)
    estimate, reference = estimate.float(), reference.float()
    if divergence:
        return soft_dtw_divergence(estimate, reference, gamma, (rows, columns), band, by_length=True).mean()
    cost = squared_distances(estimate, reference)
    lengths = torch.stack([rows, columns], dim=1)
    return (soft_dtw(cost, gamma, lengths, band) / (rows + columns).to(cost)).mean()


def stretched_distance(estimate: Tensor, reference: Tensor, counts: tuple[Tensor, Tensor]) -> Tensor:
    """`frame_distance` after linear interpolation of each reference to its estimate's frames: a cheap control."""
    distances = []
    for x, y, rows, columns in zip(estimate, reference, *(each.tolist() for each in counts), strict=True):
        stretched = functional.interpolate(y[:columns].T[None], size=rows, mode="linear", align_corners=True)[0].T
        distances.append((x[:rows] - stretched).square().sum(-1).mean())
    return torch.stack(distances).mean()


def temporal_contrast(features: Tensor, counts: Tensor, margin: float) -> Tensor:
    """LASER's regularizer of one sequence: frames close in time may be alike, distant ones must not be.

    Mean over pairs of frames of W max(0, margin - d) where they differ and d / W where they do not, with d the squared
    distance of frames of unit length and W = (i - j)^2 + 1 (Meghanani and Hain, LASER; sigma 0, as in their code).
    """
    unit = functional.normalize(features, dim=-1)
    distance = squared_distances(unit, unit).clamp(min=0.0)
    place = torch.arange(features.shape[1], device=features.device)
    apart = (place[:, None] - place[None, :]).square() + 1.0
    other = place[:, None] != place[None, :]
    terms = torch.where(other, apart * (margin - distance).clamp(min=0.0), distance / apart)
    valid = valid_mask(features[..., 0], counts)
    pairs = valid[:, :, None] * valid[:, None, :]
    return ((terms * pairs).sum((1, 2)) / pairs.sum((1, 2))).mean()
