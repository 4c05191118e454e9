"""The objective of Mockingjay and TERA: repair a damaged spectrogram (Liu et al., 2020 and 2021).

Mockingjay damages in time (spans of frames zeroed, swapped or kept); TERA also in frequency (a band zeroed)
and in magnitude (Gaussian noise). The loss is the L1 distance to the undamaged log-mels on damaged cells.
All randomness comes from torch's global generator, which the caller seeds at every step.
"""

import torch
from torch import Tensor, nn

from trainables.audio.features import MEL_BANDS
from trainables.ssl.bodies.spectral_body import LogMelBody

TIME_RATIO = 0.15  # share of frames in masked spans
SPAN = 7  # frames
BAND_RATIO = 0.2  # widest masked band, as a share of the mel channels
NOISE_RATIO = 0.15  # share of utterances with magnitude noise
NOISE_STD = 0.2
ZERO, SWAP = 0.8, 0.1  # shares of utterances whose spans are zeroed or swapped; the rest keep theirs


class MaskedReconstruction(nn.Module):
    """The body with a prediction head of two linear layers, which is discarded afterwards.

    `time_only` is Mockingjay's damage, else TERA's.
    """

    def __init__(self, body: LogMelBody, time_only: bool = False) -> None:
        super().__init__()
        self.body = body
        self.time_only = time_only
        hidden = body.channels[-1]
        self.head = nn.Sequential(
            nn.Linear(hidden, hidden), nn.GELU(), nn.LayerNorm(hidden), nn.Linear(hidden, MEL_BANDS)
        )

    def forward(self, waveforms: Tensor, step: int, targets: Tensor | None = None) -> tuple[Tensor, dict[str, float]]:
        """(batch, samples) speech -> the loss and its monitors; the log-mels are those of `targets`, if given."""
        features = self.body.features(waveforms)
        damaged, selected = damage(features, self.time_only)
        wanted = features if targets is None else self.body.features(targets)
        distance = (self.head(self.body.encode(damaged)) - wanted).abs()
        loss = (distance * selected).sum() / selected.sum().clamp_min(1)
        return loss, {"loss": loss.item()}


def damage(features: Tensor, time_only: bool = False) -> tuple[Tensor, Tensor]:
    """Alter a batch of spectrograms.

    Args:
        features: (batch, frames, mels).
        time_only: leave frequency and magnitude alone.

    Returns:
        The altered copy, and 1 where the loss counts, 0 elsewhere, in the same shape.
    """
    altered = [_damage_one(item, time_only) for item in features]
    return torch.stack([item for item, _ in altered]), torch.stack([chosen for _, chosen in altered])


def _damage_one(spectrogram: Tensor, time_only: bool) -> tuple[Tensor, Tensor]:
    """(frames, mels) -> the altered spectrogram and its selected cells."""
    altered, selected = spectrogram.clone(), torch.zeros_like(spectrogram)
    _mask_spans(altered, selected)
    if time_only:
        return altered, selected
    _mask_band(altered, selected)
    if torch.rand(()) < NOISE_RATIO:
        altered += NOISE_STD * torch.randn_like(altered)
        selected[:] = 1
    return altered, selected


def _mask_spans(altered: Tensor, selected: Tensor) -> None:
    """Zero, swap or keep spans that don't overlap, in place."""
    frames = len(altered)
    span = min(SPAN, frames)
    slots = torch.randperm(frames // span)[: max(1, round(TIME_RATIO * frames / span))]
    offset = int(torch.randint(frames % span + 1, ()))
    fate = torch.rand(())
    source = altered.clone()
    for start in (offset + slots * span).tolist():
        selected[start : start + span] = 1
        if fate < ZERO:
            altered[start : start + span] = 0
        elif fate < ZERO + SWAP:
            other = int(torch.randint(frames - span + 1, ()))
            altered[start : start + span] = source[other : other + span]


def _mask_band(altered: Tensor, selected: Tensor) -> None:
    """Zero one band of random width, possibly none, in place."""
    mels = altered.shape[1]
    width = int(torch.randint(int(BAND_RATIO * mels) + 1, ()))
    start = int(torch.randint(mels - width + 1, ()))
    altered[:, start : start + width] = 0
    selected[:, start : start + width] = 1
