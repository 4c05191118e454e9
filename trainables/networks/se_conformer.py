"""SE-Conformer: DEMUCS's waveform U-Net with conformer layers in its middle.

Kim and Seo, "SE-Conformer: time-domain speech enhancement using conformer", Interspeech 2021. Its sizes are not known
to us: the defaults are those of a third party's code (github.com/yskim3271/taps-baselines, hidden 64), so every run of
it is faithful in part. The layers there have no positions, and BatchNorm in their convolutions; ours have LayerNorm of
each frame by default (`conv_norm`): none of our networks depends on its batch.
"""

from torch import Tensor, nn
from torch.nn import functional

from trainables.base.padding import batch_norm, masked, valid_mask
from trainables.networks.waveform_unet import WaveformUNet, rescale

CONV_NORMS = ("layer", "batch")
# Of the third party's code; what is configured may differ.
DEFAULTS = {
    "depth": 4, "stride": 4, "resample": 4, "layers": 4, "heads": 4, "feed_forward": 64, "taps": 15,
    "conv_norm": "layer",
}  # fmt: skip
DROPOUT = 0.1
_KERNEL = 8  # of the U-Net


class SEConformer(WaveformUNet):
    """12,092,033 parameters at base size, with either norm.

    Args:
        hidden, depth, stride, resample: as of `WaveformUNet`, with kernels of 8.
        layers: number of conformer layers, `hidden * 2 ** (depth - 1)` wide.
        heads: of their attention.
        feed_forward: inner width of their feed-forward parts.
        taps: of their depthwise convolutions, an odd number.
        conv_norm: "layer" or "batch".
        dropout: a probability, everywhere in the layers.
    """

    def __init__(
        self,
        hidden: int,
        depth: int = 4,
        stride: int = 4,
        resample: int = 4,
        *,
        layers: int = 4,
        heads: int = 4,
        feed_forward: int = 64,
        taps: int = 15,
        conv_norm: str = "layer",
        dropout: float = DROPOUT,
    ):
        super().__init__(hidden, depth, _KERNEL, stride, resample, rectify=True)
        self.layers = nn.ModuleList(
            ConformerLayer(self.width, heads, feed_forward, taps, conv_norm, dropout) for _ in range(layers)
        )
        rescale(self)

    def middle(self, features: Tensor, counts: Tensor | None) -> Tensor:
        valid = None if counts is None else valid_mask(features[:, 0], counts)
        frames = features.transpose(1, 2)
        for layer in self.layers:
            frames = layer(frames, valid)
        return frames.transpose(1, 2)


class ConformerLayer(nn.Module):
    """Half a feed-forward, attention, convolution, half a feed-forward, each with a residual; LayerNorm.

    Gulati et al., "Conformer", Interspeech 2020, without positions.
    """

    def __init__(self, width: int, heads: int, feed_forward: int, taps: int, conv_norm: str, dropout: float):
        super().__init__()
        self.before = FeedForward(width, feed_forward, dropout)
        self.attention_norm = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, dropout, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.convolution = ConvolutionModule(width, taps, conv_norm, dropout)
        self.behind = FeedForward(width, feed_forward, dropout)
        self.norm = nn.LayerNorm(width)

    def forward(self, frames: Tensor, valid: Tensor | None = None) -> Tensor:
        """(batch, frames, width) -> the same; `valid` (batch, frames) is 0 in the padding, which no frame sees."""
        frames = frames + 0.5 * self.before(frames)
        normed, unseen = self.attention_norm(frames), None if valid is None else valid == 0
        attended, _ = self.attention(normed, normed, normed, key_padding_mask=unseen, need_weights=False)
        frames = frames + self.dropout(attended)
        frames = frames + self.convolution(frames, valid)
        return self.norm(frames + 0.5 * self.behind(frames))


class FeedForward(nn.Module):
    """LayerNorm, linear, SiLU, linear."""

    def __init__(self, width: int, inner: int, dropout: float):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.expand = nn.Linear(width, inner)
        self.contract = nn.Linear(inner, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, frames: Tensor) -> Tensor:
        return self.dropout(self.contract(self.dropout(functional.silu(self.expand(self.norm(frames))))))


class ConvolutionModule(nn.Module):
    """LayerNorm, 1x1 convolution, GLU, depthwise convolution, norm, SiLU, 1x1 convolution."""

    def __init__(self, width: int, taps: int, conv_norm: str, dropout: float):
        super().__init__()
        if taps % 2 == 0 or conv_norm not in CONV_NORMS:
            raise ValueError(f"taps={taps}, conv_norm={conv_norm!r}: an odd number, and one of {CONV_NORMS}")
        self.norm = nn.LayerNorm(width)
        self.expand = nn.Conv1d(width, 2 * width, 1)
        self.depthwise = nn.Conv1d(width, width, taps, padding=taps // 2, groups=width)
        self.conv_norm = nn.LayerNorm(width) if conv_norm == "layer" else nn.BatchNorm1d(width)
        self.contract = nn.Conv1d(width, width, 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, frames: Tensor, valid: Tensor | None = None) -> Tensor:
        """(batch, frames, width) -> the same; `valid` (batch, frames) is 0 in the padding."""
        known = None if valid is None else valid[:, None]
        gated = functional.glu(self.expand(self.norm(frames).transpose(1, 2)), dim=1)
        convolved = self._normed(self.depthwise(masked(gated, known)), known)
        return self.dropout(self.contract(functional.silu(convolved)).transpose(1, 2))

    def _normed(self, features: Tensor, valid: Tensor | None) -> Tensor:
        if isinstance(self.conv_norm, nn.LayerNorm):
            return self.conv_norm(features.transpose(1, 2)).transpose(1, 2)
        return self.conv_norm(features) if valid is None else batch_norm(self.conv_norm, features, valid)
