"""DPTNet's masker: attention and an LSTM within chunks and across them.

Chen, Mao, Liu, "Dual-Path Transformer Network: Direct context-aware modeling for end-to-end monaural speech
separation", Interspeech 2020; layout as in asteroid.
"""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from trainables.base.padding import group_norm, valid_mask
from trainables.networks import chunking
from trainables.networks.dual_path import DualPathHead, DualPathMasker, recurrent
from trainables.networks.masking_separator import MaskingSeparator, global_norm

HEADS = 4  # of the attention
Norm = Callable[[int], nn.Module]  # of that many channels


def dptnet(sources: int, kernel: int, bottleneck: int | None = None, **sizes: int) -> MaskingSeparator:
    """`sizes` are the masker's; with a `bottleneck` it is the authors' own.

    "paper" has 8,527,233 parameters for two sources, 2,801,025 with hidden=128; "original" 2,834,945.
    """
    masker = DPTNetMasker(sources, **sizes) if bottleneck is None else OriginalMasker(sources, bottleneck, **sizes)
    return MaskingSeparator(masker, kernel, rectify=True)


class DPTNetMasker(DualPathMasker):
    """Blocks of two transformer layers on the encoder's own channels, and the gated head."""

    def __init__(self, sources: int, filters: int, hidden: int, blocks: int, chunk: int, heads: int = HEADS):
        super().__init__()
        self.filters, self.chunk = filters, chunk
        self.block_channels = filters
        self.context_channels = sources * filters
        self.norm = global_norm(filters)
        self.blocks = nn.ModuleList(DPTNetBlock(filters, hidden, heads, global_norm) for _ in range(blocks))
        self.head = DualPathHead(sources, filters, filters, project=False, overlap_gain=0.5)


class OriginalMasker(DualPathMasker):
    """The authors' own (github.com/ujscjj/DPTNet): a bottleneck behind the encoder, a projection back to its filters.

    Its layers normalize each frame by itself, overlapping chunks are summed, and half a chunk of zeros is at both ends.
    """

    def __init__(self, sources: int, bottleneck: int, filters: int, hidden: int, blocks: int, chunk: int):
        super().__init__()
        self.filters, self.chunk = filters, chunk
        self.block_channels = bottleneck
        self.context_channels = sources * bottleneck
        self.norm = global_norm(filters)
        self.bottleneck = nn.Conv1d(filters, bottleneck, 1, bias=False)
        self.blocks = nn.ModuleList(DPTNetBlock(bottleneck, hidden, HEADS, nn.LayerNorm) for _ in range(blocks))
        self.head = DualPathHead(sources, bottleneck, filters)

    def entry(self, encoded: Tensor, valid: Tensor | None) -> Tensor:
        return self.bottleneck(group_norm(self.norm, encoded, valid))

    def ends(self, frames: Any) -> tuple[int, Any]:
        half = self.chunk // 2
        return half, half + self.chunk - (half + frames % self.chunk) % self.chunk


class DPTNetBlock(nn.Module):
    """A transformer layer within chunks, then one across them."""

    def __init__(self, channels: int, hidden: int, heads: int, norm: Norm):
        super().__init__()
        self.within = TransformerLayer(channels, hidden, heads, norm)
        self.across = TransformerLayer(channels, hidden, heads, norm)

    def forward(self, chunks: Tensor, counts: Tensor | None = None) -> Tensor:
        """(batch, channels, chunk, chunks), of which `counts` (batch,) chunks are no padding -> the same."""
        return chunking.across_chunks(self.across, chunking.within_chunks(self.within, chunks), counts)


class TransformerLayer(nn.Module):
    """Attention, then LSTM, ReLU and projection for a feed-forward layer; residual and norm after each.

    gLN here is per sequence, not per item: a chunk is normalized by itself.
    """

    def __init__(self, channels: int, hidden: int, heads: int, norm: Norm):
        super().__init__()
        self.attention = nn.MultiheadAttention(channels, heads, batch_first=True)
        self.attention_norm = norm(channels)
        self.lstm = nn.LSTM(channels, hidden, batch_first=True, bidirectional=True)
        self.linear = nn.Linear(2 * hidden, channels)
        self.recurrent_norm = norm(channels)

    def forward(self, sequences: Tensor, counts: Tensor | None = None) -> Tensor:
        """(sequences, length, channels), of which `counts` (sequences,) steps are no padding -> the same."""
        valid = None if counts is None else valid_mask(sequences[..., 0], counts)
        unseen = None if valid is None else valid == 0
        attended, _ = self.attention(sequences, sequences, sequences, key_padding_mask=unseen, need_weights=False)
        sequences = _normalize(self.attention_norm, sequences + attended, valid)
        read = self.linear(functional.relu(recurrent(self.lstm, sequences, counts)))
        return _normalize(self.recurrent_norm, sequences + read, valid)


def _normalize(norm: nn.Module, sequences: Tensor, valid: Tensor | None) -> Tensor:
    """`valid` (sequences, length)."""
    if isinstance(norm, nn.GroupNorm):
        return group_norm(norm, sequences.transpose(1, 2), None if valid is None else valid[:, None]).transpose(1, 2)
    normalized: Tensor = norm(sequences)  # of each step by itself
    return normalized
