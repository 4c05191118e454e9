"""Sandglasset's masker: recurrence within chunks, attention across them at a granularity that changes with depth.

Lam, Wang, Su, Yu, "Sandglasset: a light multi-granularity self-attentive network for time-domain speech separation",
ICASSP 2021. Its authors publish no code, and public ones disagree. Decided here by the published 2.3 M parameters:
resampling is depthwise and unshared. Decided by us, marked (*) below: it runs along a chunk, so that lengths need not
divide by its factor; and what mirrored blocks share is added to the second one's input.
"""

from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from trainables.base.padding import valid_mask
from trainables.networks import chunking
from trainables.networks.dual_path import ChunkHead, DualPathMasker
from trainables.networks.masking_separator import MaskingSeparator
from trainables.networks.positions import sinusoidal_positions

DROPOUT = 0.1  # of the attention's weights
RATIO = 4  # of a block's granularity to that of its neighbour


def sandglasset(sources: int, kernel: int, dropout: float = DROPOUT, **sizes: int) -> MaskingSeparator:
    """`sizes` are the masker's; "paper" has 2,297,217 parameters for two sources."""
    return MaskingSeparator(SandglassetMasker(sources, dropout=dropout, **sizes), kernel, rectify=True)


def granularity(block: int, blocks: int) -> int:
    """Positions of a chunk that a block's attention takes together: 1, 4, 16, 16, 4, 1 for six blocks."""
    return RATIO ** min(block, blocks - 1 - block)


class SandglassetMasker(DualPathMasker):
    """LayerNorm and bottleneck, blocks that grow coarse and fine again, one mask layer.

    Raises:
        ValueError: the coarsest granularity does not divide `chunk`, or half a chunk is no whole number.
    """

    def __init__(
        self,
        sources: int,
        filters: int,
        bottleneck: int,
        hidden: int,
        blocks: int,
        chunk: int,
        heads: int,
        dropout: float = DROPOUT,
    ):
        super().__init__()
        factors = [granularity(block, blocks) for block in range(blocks)]
        if chunk % 2 or chunk % max(factors):
            raise ValueError(f"chunk={chunk} must be even and a multiple of {max(factors)} with blocks={blocks}")
        self.filters, self.chunk = filters, chunk
        self.block_channels = bottleneck
        self.context_channels = sources * filters
        self.entry_norm = nn.LayerNorm(filters)  # of each frame by itself
        self.bottleneck = nn.Linear(filters, bottleneck)
        self.blocks = nn.ModuleList(SandglassetBlock(bottleneck, hidden, factor, heads, dropout) for factor in factors)
        self.head = SandglassetHead(sources, bottleneck, filters)

    def entry(self, encoded: Tensor, valid: Tensor | None) -> Tensor:
        return self.bottleneck(self.entry_norm(encoded.transpose(1, 2))).transpose(1, 2)

    def ends(self, frames: Any) -> tuple[int, Any]:
        """Half a chunk on both sides, up to whole halves: every frame lies in two chunks, and no chunk is empty."""
        half = self.chunk // 2
        return half, half + (-frames) % half

    def walk(self, chunks: Tensor, counts: Tensor | None) -> Tensor:
        """The second half of the blocks take, on top of the block before, their mirror's output (*)."""
        outputs: list[Tensor] = []
        for number, block in enumerate(self.blocks):
            mirror = len(self.blocks) - 1 - number
            entering = chunks + outputs[mirror] if mirror < number else chunks
            chunks = block(entering, counts)
            outputs.append(chunks)
        return chunks


class SandglassetBlock(nn.Module):
    """An LSTM within chunks; then attention across them on features resampled along the chunk (*). Two residuals."""

    def __init__(self, channels: int, hidden: int, factor: int, heads: int, dropout: float):
        super().__init__()
        self.within = LocalPath(channels, hidden)
        self.down = nn.Conv2d(channels, channels, (factor, 1), (factor, 1), groups=channels)
        self.across = GlobalPath(channels, heads, dropout)
        self.up = nn.ConvTranspose2d(channels, channels, (factor, 1), (factor, 1), groups=channels)

    def forward(self, chunks: Tensor, counts: Tensor | None = None) -> Tensor:
        """(batch, channels, chunk, chunks), of which `counts` (batch,) chunks are no padding -> the same."""
        chunks = chunks + chunking.within_chunks(self.within, chunks)
        return chunks + self.up(chunking.across_chunks(self.across, self.down(chunks), counts))


class LocalPath(nn.Module):
    """(sequences, length, channels) -> the same: LSTM, projection, LayerNorm of each step."""

    def __init__(self, channels: int, hidden: int):
        super().__init__()
        self.lstm = nn.LSTM(channels, hidden, batch_first=True, bidirectional=True)
        self.linear = nn.Linear(2 * hidden, channels)
        self.norm = nn.LayerNorm(channels)

    def forward(self, sequences: Tensor) -> Tensor:
        return self.norm(self.linear(self.lstm(sequences)[0]))


class GlobalPath(nn.Module):
    """(sequences, length, channels) -> the same: LayerNorm and positions, attention, residual, LayerNorm."""

    def __init__(self, channels: int, heads: int, dropout: float):
        super().__init__()
        self.entry_norm = nn.LayerNorm(channels)
        self.attention = nn.MultiheadAttention(channels, heads, dropout, batch_first=True)
        self.norm = nn.LayerNorm(channels)

    def forward(self, sequences: Tensor, counts: Tensor | None = None) -> Tensor:
        """`counts` (sequences,) are the steps that are no padding, which alone are attended to; None = all."""
        placed = self.entry_norm(sequences) + sinusoidal_positions(*sequences.shape[1:]).to(sequences)
        unseen = None if counts is None else valid_mask(placed[..., 0], counts) == 0
        attended, _ = self.attention(placed, placed, placed, key_padding_mask=unseen, need_weights=False)
        return self.norm(placed + attended)


class SandglassetHead(ChunkHead):
    """What `ChunkHead` does with the encoder's filters as features, then ReLU."""

    def forward(self, merged: Tensor) -> Tensor:
        """(batch, sources x filters, frames) -> masks (batch, sources, filters, frames)."""
        return functional.relu(merged.unflatten(1, (self.sources, -1)))
