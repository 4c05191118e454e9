"""How near the features of an estimate are to those of its clean reference, and how much position they carry.

Pure functions of features, frames of a self-supervised model: (frames, channels) for one clip, float, on any device.
A squared distance of two frames is summed over channels, then averaged over frames, as in the loss.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from trainables.losses.soft_dtw import soft_dtw_divergence


class PositionShift(NamedTuple):
    """Of one clip: what moving the estimate by whole frames adds to its distance from the reference.

    Attributes:
        excess: distance of the moved estimate from the reference, less that of the estimate itself.
        floor: distance of the moved reference from the reference; a model blind to position has 0.
    """

    excess: float
    floor: float


def frame_distance(features: Tensor, reference: Tensor) -> Tensor:
    """(..., frames, channels), twice -> (...,) mean of ||x_i - y_i||^2; with a leading axis of layers, one each."""
    return (features - reference).square().sum(-1).mean(-1)


def frame_cosine(features: Tensor, reference: Tensor) -> Tensor:
    """(..., frames, channels), twice -> (...,) mean cosine of x_i and y_i; 0 where a frame is all zeros."""
    return (functional.normalize(features, dim=-1) * functional.normalize(reference, dim=-1)).sum(-1).mean(-1)


def position_shift(
    moved_estimate: Tensor, estimate: Tensor, moved_reference: Tensor, reference: Tensor, shift: int
) -> PositionShift:
    """The effect of position on one clip, separated from the estimate's quality.

    Args:
        moved_estimate: (frames + shift, channels), of the waveform after `shift` hops of zeros.
        estimate: (frames, channels), of the waveform itself.
        moved_reference: as `moved_estimate`, of the clean waveform.
        reference: (frames, channels), of the clean waveform.
        shift: frames, 1 or more; these are dropped again before frames are compared.
    """
    error = frame_distance(estimate, reference)
    moved = frame_distance(moved_estimate[shift:], reference)
    return PositionShift(float(moved - error), float(frame_distance(moved_reference[shift:], reference)))


def speed_error(played: Tensor, reference: Tensor, gamma: float = 0.1) -> float:
    """The soft-DTW divergence of unit frames, divided by m + n: 0 where only the timing differs.

    Args:
        played: (m, channels), of the estimate at another speed (trainables/audio/speed.py).
        reference: (n, channels), of the clean waveform.
        gamma: in squared distances of unit frames, which lie in [0, 4].
    """
    first, second = (functional.normalize(each, dim=-1)[None] for each in (played, reference))
    return float(soft_dtw_divergence(first, second, gamma, by_length=True))


def shortcut_indices(features: Sequence[Tensor], contents: Sequence[int] | None = None) -> list[float]:
    """Per clip, how much more alike frames of different clips are at one position than at different ones.

    The mean cosine of frames i of two clips less that of frames i and j != i, over all i and j up to the shorter of
    both, averaged over all clips of other content; 0 where features carry no position. The mean of the list is the
    position shortcut index. Every pair of positions counts, so nothing is drawn.

    Args:
        features: per clip (frames, channels), two frames or more.
        contents: a number for each clip, equal where the same utterance is heard, such as at several SNRs: such clips
            are alike at one position for what is said there. None = all differ.

    Raises:
        ValueError: fewer than two contents, or too few frames.
    """
    named = list(range(len(features)) if contents is None else contents)
    if len(set(named)) < 2 or min(len(each) for each in features) < 2:
        raise ValueError("the position shortcut index needs two clips or more of different content and of two frames")
    units = [functional.normalize(each.double(), dim=-1) for each in features]
    sums = [unit.cumsum(0) for unit in units]
    index = torch.zeros(len(units), len(units), dtype=torch.float64)
    for a in range(len(units)):
        for b in range(a):
            if named[a] != named[b]:
                index[a, b] = index[b, a] = _index(units[a], units[b], sums[a], sums[b])
    others = torch.tensor([len(units) - named.count(own) for own in named])
    return (index.sum(1) / others).tolist()


def _index(first: Tensor, second: Tensor, first_sums: Tensor, second_sums: Tensor) -> float:
    frames = min(len(first), len(second))
    same = float((first[:frames] * second[:frames]).sum())
    every = float(first_sums[frames - 1] @ second_sums[frames - 1])
    return same / frames - (every - same) / (frames * (frames - 1))
