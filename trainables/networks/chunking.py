"""Cutting long feature sequences into half-overlapping chunks, and back by overlap-add.

Luo, Chen, Yoshioka, "Dual-path RNN", ICASSP 2020, section 2.1: a path within chunks and a path across them
keep both sequences short.
"""

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional

from trainables.base.padding import valid_mask

Path = Callable[..., Tensor]  # of sequences, (sequences, length, channels) -> the same


def cut(features: Tensor, chunk: int, ends: tuple[int, int]) -> Tensor:
    """(batch, channels, frames) -> (batch, channels, chunk, chunks), with that many zeros before and behind."""
    cuts = functional.unfold(functional.pad(features, ends)[..., None], (chunk, 1), stride=(chunk // 2, 1))
    return cuts.unflatten(1, (features.shape[1], chunk))


def valid_chunks(chunks: Tensor, counts: Tensor | None) -> Tensor | None:
    """Mask of (batch, channels, chunk, chunks), (batch, 1, 1, chunks): 1 up to `counts` (batch,); None for None."""
    return None if counts is None else valid_mask(chunks[:, :1], counts[:, None, None])


def overlap_add(chunks: Tensor, frames: int, before: int) -> Tensor:
    """(batch, channels, chunk, chunks) -> (batch, channels, frames): overlapping frames are summed.

    `before` are the zeros that `cut` put in front.
    """
    chunk, count = chunks.shape[2:]
    whole = (count - 1) * (chunk // 2) + chunk
    summed = functional.fold(chunks.flatten(1, 2), (whole, 1), (chunk, 1), stride=(chunk // 2, 1))
    return summed[:, :, before : before + frames, 0]


def within_chunks(path: Path, chunks: Tensor) -> Tensor:
    """`path` along each chunk of (batch, channels, chunk, chunks), which keeps its shape."""
    sequences = path(chunks.permute(0, 3, 2, 1).flatten(0, 1))
    return sequences.unflatten(0, (len(chunks), -1)).permute(0, 3, 2, 1)


def across_chunks(path: Path, chunks: Tensor, counts: Tensor | None = None) -> Tensor:
    """`path` from chunk to chunk at each position of (batch, channels, chunk, chunks), which keeps its shape.

    With `counts` (batch,), chunks that are no padding, the path is given those of each sequence, too.
    """
    each = () if counts is None else (counts.repeat_interleave(chunks.shape[2]),)
    sequences = path(chunks.permute(0, 2, 3, 1).flatten(0, 1), *each)
    return sequences.unflatten(0, (len(chunks), -1)).permute(0, 3, 1, 2)
