"""DPRNN's masker, and what dual-path maskers share.

Luo, Chen, Yoshioka, "Dual-path RNN: efficient long sequence modeling for time-domain single-channel speech
separation", ICASSP 2020; layout as in asteroid. With kernel 2 and stride 1 there are 8000 frames a second at
8 kHz; kernel 16 with chunks of 100 is some eight times cheaper.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from trainables.base.padding import group_norm, masked
from trainables.networks import chunking
from trainables.networks.masking_separator import Masker, MaskingSeparator, global_norm


def dprnn_tasnet(sources: int, kernel: int, **sizes: int) -> MaskingSeparator:
    """`sizes` are the masker's; "paper" has 3,651,073 parameters for two sources, 2,608,065 with bottleneck=64."""
    return MaskingSeparator(DPRNNMasker(sources, **sizes), kernel)


class DualPathMasker(Masker):
    """Blocks over chunks of `entry` features, and the gated head.

    Attributes:
        chunk: frames of a chunk; half of it overlaps with the next.
    """

    head: "ChunkHead"
    norm: nn.GroupNorm
    chunk: int

    def entry(self, encoded: Tensor, valid: Tensor | None) -> Tensor:
        """(batch, filters, frames) -> (batch, block_channels, frames)."""
        return group_norm(self.norm, encoded, valid)

    def ends(self, frames: Any) -> tuple[int, Any]:
        """Zeros before and behind that many frames, a number or (batch,), before they are cut."""
        return self.chunk, self.chunk

    def context(self, encoded: Tensor, valid: Tensor | None = None) -> Tensor:
        frames = encoded.shape[-1]
        before, _ = ends = self.ends(frames)
        chunks = chunking.cut(masked(self.entry(encoded, valid), valid), self.chunk, ends)
        counts = None if valid is None else self._chunk_counts(valid.sum((1, 2), dtype=torch.int64))
        return self.head.merge(self.walk(chunks, counts), frames, before)

    def walk(self, chunks: Tensor, counts: Tensor | None) -> Tensor:
        """Through the blocks: (batch, block_channels, chunk, chunks), of which `counts` (batch,) are no padding."""
        for block in self.blocks:
            chunks = block(chunks, counts)
        return chunks

    def _chunk_counts(self, frames: Tensor) -> Tensor:
        """(batch,) chunks of items with that many frames."""
        before, behind = self.ends(frames)
        return (before + frames + behind - self.chunk).div(self.chunk // 2, rounding_mode="floor") + 1

    def at_blocks(self, frames: Tensor) -> Tensor:
        return chunking.cut(frames, self.chunk, self.ends(frames.shape[-1]))


class DPRNNMasker(DualPathMasker):
    """Bottleneck, blocks over chunks, gated head, and a projection back to the encoder's filters."""

    def __init__(self, sources: int, filters: int, bottleneck: int, hidden: int, blocks: int, chunk: int):
        super().__init__()
        self.filters, self.chunk = filters, chunk
        self.block_channels = bottleneck
        self.context_channels = sources * bottleneck
        self.norm = global_norm(filters)
        self.bottleneck = nn.Conv1d(filters, bottleneck, 1)
        self.blocks = nn.ModuleList(DPRNNBlock(bottleneck, hidden) for _ in range(blocks))
        self.head = DualPathHead(sources, bottleneck, filters)

    def entry(self, encoded: Tensor, valid: Tensor | None) -> Tensor:
        return self.bottleneck(group_norm(self.norm, encoded, valid))


class DPRNNBlock(nn.Module):
    """An LSTM within chunks, then one across them; each with a projection, gLN and a residual."""

    def __init__(self, channels: int, hidden: int):
        super().__init__()
        self.within = RecurrentPath(channels, hidden)
        self.across = RecurrentPath(channels, hidden)

    def forward(self, chunks: Tensor, counts: Tensor | None = None) -> Tensor:
        """(batch, channels, chunk, chunks), of which `counts` (batch,) chunks are no padding -> the same."""
        valid = chunking.valid_chunks(chunks, counts)
        within = chunking.within_chunks(self.within, chunks)
        chunks = chunks + group_norm(self.within.norm, within, valid)
        across = chunking.across_chunks(self.across, chunks, counts)
        return chunks + group_norm(self.across.norm, across, valid)


class RecurrentPath(nn.Module):
    """(sequences, length, channels) -> the same; `norm` is applied by the block, over whole items."""

    def __init__(self, channels: int, hidden: int):
        super().__init__()
        self.lstm = nn.LSTM(channels, hidden, batch_first=True, bidirectional=True)
        self.linear = nn.Linear(2 * hidden, channels)
        self.norm = global_norm(channels)

    def forward(self, sequences: Tensor, counts: Tensor | None = None) -> Tensor:
        """`counts` (sequences,) are the steps that are no padding; None = all."""
        return self.linear(recurrent(self.lstm, sequences, counts))


def recurrent(lstm: nn.LSTM, sequences: Tensor, counts: Tensor | None) -> Tensor:
    """The output for (sequences, length, channels), each read back from its own end; zeros beyond `counts`."""
    if counts is None:
        return lstm(sequences)[0]
    packed = pack_padded_sequence(sequences, counts.cpu(), batch_first=True, enforce_sorted=False)
    return pad_packed_sequence(lstm(packed)[0], batch_first=True, total_length=sequences.shape[1])[0]


class ChunkHead(nn.Module):
    """PReLU and 1x1 convolution to sources x features, then overlap-add."""

    def __init__(self, sources: int, channels: int, features: int):
        super().__init__()
        self.sources = sources
        self.prelu = nn.PReLU()
        self.output = nn.Conv2d(channels, sources * features, 1)

    def merge(self, chunks: Tensor, frames: int, before: int) -> Tensor:
        """(batch, channels, chunk, chunks) -> (batch, sources x features, frames)."""
        return chunking.overlap_add(self.output(self.prelu(chunks)), frames, before)


class DualPathHead(ChunkHead):
    """What `ChunkHead` does, tanh x sigmoid gate, projection, ReLU.

    `project` is False where channels are the encoder's filters already (DPTNet).
    `overlap_gain` scales the overlap-added features: asteroid sums in DPRNN and averages in DPTNet.
    """

    def __init__(self, sources: int, channels: int, filters: int, project: bool = True, overlap_gain: float = 1.0):
        super().__init__(sources, channels, channels)
        self.overlap_gain = overlap_gain
        self.value = nn.Conv1d(channels, channels, 1)
        self.gate = nn.Conv1d(channels, channels, 1)
        self.mask = nn.Conv1d(channels, filters, 1, bias=False) if project else nn.Identity()

    def merge(self, chunks: Tensor, frames: int, before: int) -> Tensor:
        return self.overlap_gain * super().merge(chunks, frames, before)

    def forward(self, merged: Tensor) -> Tensor:
        """(batch, sources x channels, frames) -> masks (batch, sources, filters, frames)."""
        each = merged.unflatten(1, (self.sources, -1)).flatten(0, 1)
        gated = torch.tanh(self.value(each)) * torch.sigmoid(self.gate(each))
        return functional.relu(self.mask(gated)).unflatten(0, (-1, self.sources))
