"""The body of APC: Kaldi log-mels and three GRU layers, the upper two with a residual connection.

The architecture of s3prl's `apc` checkpoints (Chung et al., "An unsupervised autoregressive model for speech
representation learning", Interspeech 2019): 4,064,256 parameters at base size. Sites: 0 = normalised log-mels, 1-3 =
the layers, dropout and residual included. The layers see no frame after their own; the front end does: a window's
other half, and with cmvn="utterance" the statistics of the whole.
"""

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from trainables.audio.features import MEL_BANDS
from trainables.audio.filterbank import log_filterbank
from trainables.ssl.bodies.spectral_body import LogMelBody, LogMelEntry


@dataclass(frozen=True, kw_only=True)
class RecurrentArchitecture:
    """Width of the GRUs; `dropout` of their outputs is a probability."""

    hidden: int
    layers: int = 3
    dropout: float = 0.1


class RecurrentBody(LogMelBody):
    """GRU layers on the log-mels themselves."""

    def __init__(self, architecture: RecurrentArchitecture, cmvn: str = "utterance"):
        widths = (MEL_BANDS, *(architecture.hidden,) * architecture.layers)
        steps: list[nn.Module] = [
            RecurrentStep(widths[layer], architecture, residual=layer > 0) for layer in range(architecture.layers)
        ]
        super().__init__(FilterbankEntry(cmvn), steps, widths)
        self.architecture = architecture


class FilterbankEntry(LogMelEntry):
    """Kaldi's log-mels."""

    def log_mels(self, wave: Tensor, lengths: Tensor | None = None) -> Tensor:
        return log_filterbank(wave, lengths)


class RecurrentStep(nn.Module):
    """A GRU over frames on (batch, channels, frames), with dropout and a residual connection after it."""

    def __init__(self, channels: int, architecture: RecurrentArchitecture, residual: bool):
        super().__init__()
        self.gru = nn.GRU(channels, architecture.hidden, batch_first=True)
        self.dropout = architecture.dropout
        self.residual = residual

    def forward(self, features: Tensor, counts: Tensor | None = None) -> Tensor:
        """`counts` (batch,) valid frames are what they are alone: padding comes after them."""
        x = features.transpose(1, 2)
        y = F.dropout(self.gru(x)[0], self.dropout, self.training)
        return (x + y if self.residual else y).transpose(1, 2)
