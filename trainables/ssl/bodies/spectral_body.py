"""The body of Mockingjay and TERA: log-mel features, an embedding, three post-LN transformer layers.

The architecture of s3prl's `logMelBase` checkpoints (Liu et al., "TERA", IEEE/ACM TASLP 2021): 21,327,360
parameters at base size. Sites: 0 = embedding after its LayerNorm and before dropout, 1-3 = the layers.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainables.audio import features as audio
from trainables.base.padding import valid_mask
from trainables.networks.positions import sinusoidal_positions
from trainables.ssl.bodies.body import Body

# Names in a body's state of the buffers that cmvn="corpus" needs.
SPEECH_STATISTICS = ("entry.feature_mean", "entry.feature_std")
LONGEST = 1500  # frames (15 s): longer sequences go through in even pieces, as in s3prl
LAYER_NORM_EPS = 1e-12
_INIT_STD = 0.02


@dataclass(frozen=True, kw_only=True)
class SpectralArchitecture:
    """Widths of the transformer; `feed_forward` is its inner layer, `dropout` a probability."""

    hidden: int
    heads: int
    feed_forward: int
    layers: int = 3
    dropout: float = 0.1


class LogMelBody(Body):
    """Waveform -> 80-band log-mels -> (batch, channels, 1 + samples // 160) at every site."""

    entry: "LogMelEntry"

    def features(self, wave: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(batch, samples) -> normalised log-mels (batch, frames, 80)."""
        return self.entry.features(wave, lengths)

    def encode(self, log_mels: Tensor, counts: Tensor | None = None) -> Tensor:
        """Normalised log-mels (batch, frames, 80), masked or not -> last layer (batch, frames, channels).

        `counts` (batch,) are the valid frames of a padded batch.
        """
        x = self.entry.embed(log_mels, counts)
        for site, step in enumerate(self.steps, start=1):
            x = self.adapted(step(x, counts), site)
        return x.transpose(1, 2)

    def advance(self, features: Tensor, site: int, lengths: Tensor | None = None) -> Tensor:
        return self.steps[site](features, None if lengths is None else audio.frame_count(lengths))

    def site_frames(self, samples: audio.Count, site: int) -> audio.Count:
        return audio.frame_count(samples)


class SpectralBody(LogMelBody):
    """The transformer on an embedding of the log-mels; every site is `hidden` wide."""

    entry: "SpectralEntry"

    def __init__(self, architecture: SpectralArchitecture, cmvn: str = "utterance"):
        entry = SpectralEntry(architecture, cmvn)
        steps: list[nn.Module] = [TransformerStep(architecture) for _ in range(architecture.layers)]
        steps[0] = FirstStep(nn.Dropout(architecture.dropout), steps[0])
        super().__init__(entry, steps, (architecture.hidden,) * (architecture.layers + 1))
        self.architecture = architecture
        self.apply(_init_weights)


class FirstStep(nn.Sequential):
    """Dropout and the first layer: site 0 lies before the dropout."""

    def forward(self, features: Tensor, counts: Tensor | None = None) -> Tensor:
        dropout, layer = self
        return layer(dropout(features), counts)


class LogMelEntry(nn.Module):
    """Log-mel features with mean and variance normalization: site 0 itself, or what is embedded there.

    `cmvn="corpus"` takes `feature_mean` and `feature_std` (80,), measured on clean training speech before
    pre-training, instead of every utterance's own: a noisy utterance then stays noisy in its features.
    """

    feature_mean: Tensor
    feature_std: Tensor

    def __init__(self, cmvn: str):
        super().__init__()
        self.cmvn = cmvn
        self.register_buffer("feature_mean", torch.zeros(audio.MEL_BANDS))
        self.register_buffer("feature_std", torch.ones(audio.MEL_BANDS))

    def forward(self, wave: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(batch, samples) at 16 kHz -> site 0, (batch, channels, frames)."""
        return self.embed(self.features(wave, lengths), None if lengths is None else audio.frame_count(lengths))

    def features(self, wave: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(batch, samples) -> normalised log-mels (batch, frames, 80); no gradient."""
        with torch.no_grad():
            log_mels = self.log_mels(wave, lengths)
            if self.cmvn == "corpus":
                return audio.corpus_cmvn(log_mels, self.feature_mean, self.feature_std)
            frames = None if lengths is None else audio.frame_count(lengths)
            return audio.utterance_cmvn(log_mels, frames)

    def log_mels(self, wave: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(batch, samples) -> (batch, frames, 80), not normalised yet."""
        return audio.log_mel(wave, lengths)

    def embed(self, log_mels: Tensor, counts: Tensor | None = None) -> Tensor:
        """(batch, frames, 80), of which `counts` (batch,) frames are valid -> site 0, (batch, channels, frames)."""
        return log_mels.transpose(1, 2)


class SpectralEntry(LogMelEntry):
    """With an embedding: a projection, positions and LayerNorm."""

    def __init__(self, architecture: SpectralArchitecture, cmvn: str):
        super().__init__(cmvn)
        self.projection = nn.Linear(audio.MEL_BANDS, architecture.hidden)
        self.layer_norm = nn.LayerNorm(architecture.hidden, eps=LAYER_NORM_EPS)

    def embed(self, log_mels: Tensor, counts: Tensor | None = None) -> Tensor:
        """To (batch, hidden, frames)."""
        frames, hidden = log_mels.shape[1], self.projection.out_features
        # Positions start anew in every piece of an item.
        pieces = [piece_length(count) for count in ([frames] if counts is None else counts.tolist())]
        table = sinusoidal_positions(max(pieces), hidden).to(log_mels)
        within = torch.arange(frames) % torch.tensor(pieces)[:, None]
        return self.layer_norm(self.projection(log_mels) + table[within.to(table.device)]).transpose(1, 2)


class TransformerStep(nn.Module):
    """A post-LN transformer layer on (batch, channels, frames), as in BERT (Devlin et al., 2019).

    Dropout applies to the attention weights and to both residual branches; LayerNorm follows each sum. Frames from
    `counts` (batch,) on are padding, which no frame attends to, as in s3prl.
    """

    def __init__(self, architecture: SpectralArchitecture):
        super().__init__()
        hidden = architecture.hidden
        self.heads = architecture.heads
        self.dropout = architecture.dropout
        self.query = nn.Linear(hidden, hidden)
        self.key = nn.Linear(hidden, hidden)
        self.value = nn.Linear(hidden, hidden)
        self.attention_output = nn.Linear(hidden, hidden)
        self.attention_norm = nn.LayerNorm(hidden, eps=LAYER_NORM_EPS)
        self.expand = nn.Linear(hidden, architecture.feed_forward)
        self.contract = nn.Linear(architecture.feed_forward, hidden)
        self.output_norm = nn.LayerNorm(hidden, eps=LAYER_NORM_EPS)

    def forward(self, features: Tensor, counts: Tensor | None = None) -> Tensor:
        frames = features.shape[2]
        if frames <= LONGEST:
            return self._piece(features, None if counts is None else valid_mask(features[:, 0], counts).bool())
        if counts is None:
            return torch.cat([self._piece(piece) for piece in features.split(piece_length(frames), dim=2)], dim=2)
        # Items of different lengths have pieces of different lengths.
        alone = [self(item[None, :, :count]) for item, count in zip(features, counts.tolist(), strict=True)]
        return torch.cat([F.pad(item, (0, frames - item.shape[2])) for item in alone])

    def _piece(self, features: Tensor, valid: Tensor | None = None) -> Tensor:
        """`valid` (batch, frames) is True where a frame is no padding."""
        x = features.transpose(1, 2)
        x = self.attention_norm(x + self._drop(self.attention_output(self._attend(x, valid))))
        x = self.output_norm(x + self._drop(self.contract(F.gelu(self.expand(x)))))
        return x.transpose(1, 2)

    def _attend(self, x: Tensor, valid: Tensor | None) -> Tensor:
        query, key, value = (self._split(layer(x)) for layer in (self.query, self.key, self.value))
        dropout = self.dropout if self.training else 0.0
        mask = None if valid is None else valid[:, None, None]
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout)
        return attended.transpose(1, 2).flatten(2)

    def _split(self, x: Tensor) -> Tensor:
        """(batch, frames, hidden) -> (batch, heads, frames, hidden / heads)."""
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)

    def _drop(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.dropout, self.training)


def piece_length(frames: int) -> int:
    """Frames of each even piece of a sequence, at most `LONGEST`; training crops are one piece."""
    pieces = max(1, -(-frames // LONGEST))
    return -(-frames // pieces)


def _init_weights(module: nn.Module) -> None:
    """Normal(0, 0.02) weights and zero biases; LayerNorm keeps ones and zeros."""
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=_INIT_STD)
        nn.init.zeros_(module.bias)
