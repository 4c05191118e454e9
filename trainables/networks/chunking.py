"""Cutting long feature sequences into half-overlapping chunks, and back by overlap-add.

Luo, Chen, Yoshioka, "Dual-path RNN", ICASSP 2020, section 2.1: a path within chunks and a path across them
keep both sequences short.
"""

from torch import Tensor
from torch.nn import functional


def cut(features: Tensor, chunk: int) -> Tensor:
    """(batch, channels, frames) -> (batch, channels, chunk, chunks), a chunk of zeros at both ends."""
    cuts = functional.unfold(features[..., None], (chunk, 1), padding=(chunk, 0), stride=(chunk // 2, 1))
    return cuts.unflatten(1, (features.shape[1], chunk))


def overlap_add(chunks: Tensor, frames: int) -> Tensor:
    """(batch, channels, chunk, chunks) -> (batch, channels, frames): overlapping frames are summed."""
    chunk = chunks.shape[2]
    summed = functional.fold(chunks.flatten(1, 2), (frames, 1), (chunk, 1), padding=(chunk, 0), stride=(chunk // 2, 1))
    return summed[..., 0]


def within_chunks(chunks: Tensor) -> Tensor:
    """(batch, channels, chunk, chunks) -> (batch x chunks, chunk, channels), one sequence a chunk."""
    return chunks.permute(0, 3, 2, 1).flatten(0, 1)


def from_within(sequences: Tensor, batch: int) -> Tensor:
    """The inverse of `within_chunks`."""
    return sequences.unflatten(0, (batch, -1)).permute(0, 3, 2, 1)


def across_chunks(chunks: Tensor) -> Tensor:
    """(batch, channels, chunk, chunks) -> (batch x chunk, chunks, channels), one sequence a position."""
    return chunks.permute(0, 2, 3, 1).flatten(0, 1)


def from_across(sequences: Tensor, batch: int) -> Tensor:
    """The inverse of `across_chunks`."""
    return sequences.unflatten(0, (batch, -1)).permute(0, 3, 1, 2)
