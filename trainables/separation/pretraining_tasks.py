"""What a separator can learn from single voices before it separates: SE, MAMA and CC.

Each task is a module called as `task(network, batch) -> loss`; `batch` holds one voice in noise and the clean
voice. The network's last output is the one that learns, so the same tasks serve multi-task training.

Huang et al., "Stabilizing label assignment for speech separation by self-supervised pre-training",
Interspeech 2021. The paper describes MAMA and CC in a sentence each; these designs follow TERA and wav2vec 2.0.
"""

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainables.audio.features import rms
from trainables.base.padding import valid_mask, where_padded
from trainables.losses.si_sdr import masked_si_sdr, si_sdr_loss
from trainables.networks.masking_separator import MaskingSeparator
from trainables.separation.config import SeparationConfig

if TYPE_CHECKING:
    from trainables.audio.examples.mixing import Batch

_ZEROED, _REPLACED = 0.8, 0.1  # shares of items whose masked spans are silenced, or taken from elsewhere
_NOISE_LEVEL = 0.2  # of the item's RMS

_STEP_SECONDS = 0.02  # of contrastive coding
_STEPS_MASKED = 10  # a masked span
_PROJECTION = 256


def build_task(config: SeparationConfig, network: MaskingSeparator) -> nn.Module:
    """The task of `config.pretrain_task`, with the parameters it needs besides the network's."""
    if config.pretrain_task == "se":
        return Enhancement()
    if config.pretrain_task == "mama":
        return MaskedReconstruction(config)
    return ContrastiveCoding(config, network)


class Enhancement(nn.Module):
    """SE: the clean voice from the noisy one, negative SI-SDR over the whole crop."""

    def forward(self, network: MaskingSeparator, batch: "Batch") -> Tensor:
        return si_sdr_loss(network(batch.noisy, batch.lengths)[:, -1], batch.clean, batch.lengths)


class MaskedReconstruction(nn.Module):
    """MAMA: the clean voice behind masked spans of the noisy one; only masked samples count.

    Of 10 items, on average 8 have their spans silenced, 1 replaced from elsewhere in the item, 1 left alone.
    """

    def __init__(self, config: SeparationConfig):
        super().__init__()
        self.ratio = config.mask_ratio
        self.span = round(config.span_ms / 1000 * config.sample_rate)
        self.noise_p = config.mask_noise_p
        self.l1 = config.mama_loss == "l1"

    def forward(self, network: MaskingSeparator, batch: "Batch") -> Tensor:
        masked = span_mask(batch.noisy, self.ratio, self.span, batch.lengths)
        estimate = network(self._corrupted(batch.noisy, masked, batch.lengths), batch.lengths)[:, -1]
        if self.l1:
            return ((estimate - batch.clean).abs() * masked).sum() / masked.sum().clamp_min(1)
        return -masked_si_sdr(estimate, batch.clean, masked).mean()

    def _corrupted(self, noisy: Tensor, masked: Tensor, lengths: Tensor) -> Tensor:
        items, samples = noisy.shape
        draw = torch.rand(items, 1, device=noisy.device)
        shift = int(torch.randint(1, max(2, samples), (1,)))
        rolled = (torch.arange(samples, device=noisy.device) - shift) % lengths[:, None].to(noisy.device)
        elsewhere = torch.where(draw < _ZEROED + _REPLACED, noisy.gather(1, rolled), noisy)
        hidden = torch.where(draw < _ZEROED, torch.zeros_like(noisy), elsewhere)
        corrupted = torch.where(masked.bool(), hidden, noisy)
        level = _NOISE_LEVEL * rms(noisy, lengths.to(noisy.device))
        noised = torch.rand(items, 1, device=noisy.device) < self.noise_p
        return (corrupted + noised * level * torch.randn_like(noisy)) * valid_mask(noisy, lengths)


class ContrastiveCoding(nn.Module):
    """CC: which of a crop's masked steps is this one? InfoNCE between masker context and encoder features.

    Encoder features in masked spans of 10 steps of 20 ms are replaced by a learned vector. The context there must
    be closer (cosine) to the step's own unmasked features than to those of other masked steps of the crop. The
    network's decoder learns nothing.
    """

    def __init__(self, config: SeparationConfig, network: MaskingSeparator):
        super().__init__()
        filters = network.encoder.out_channels
        self.temperature = config.cc_temperature
        self.negatives = config.cc_negatives
        self.start_p = config.cc_mask_p
        self.frames_a_step = max(1, round(_STEP_SECONDS * config.sample_rate / network.encoder.stride[0]))
        self.mask_vector = nn.Parameter(0.1 * torch.randn(filters))
        self.from_context = nn.Linear(network.masker.context_channels, _PROJECTION)
        self.from_features = nn.Linear(filters, _PROJECTION)

    def forward(self, network: MaskingSeparator, batch: "Batch") -> Tensor:
        encoded = network.encode(batch.noisy)
        valid = network.valid(encoded, where_padded(batch.noisy, batch.lengths))
        frames = torch.full((len(encoded),), encoded.shape[-1])
        counts = (frames if valid is None else valid.sum((1, 2), dtype=torch.int64).cpu()) // self.frames_a_step
        masked = self._masked_steps(counts, encoded.shape[-1] // self.frames_a_step).to(encoded.device)
        context = self._steps(network.masker.context(self._hide(encoded, masked), valid))
        predicted, targets = self.from_context(context), self.from_features(self._steps(encoded))
        losses = [
            self._identify(predicted[item, masked[item]], targets[item, masked[item]]) for item in range(len(encoded))
        ]
        return torch.stack(losses).mean()

    def _masked_steps(self, counts: Tensor, steps: int) -> Tensor:
        """(items, steps), True where masked, of which `counts` (items,) are no padding.

        At least two steps of each item, since one alone has no negatives.
        """
        items = len(counts)
        starts = torch.rand(items, steps) < self.start_p
        always = torch.randint(max(1, steps - 1), (1,)) % (counts - 1).clamp_min(1)
        starts[torch.arange(items), always] = True
        spread = functional.max_pool1d(
            functional.pad(starts.float()[:, None], (_STEPS_MASKED - 1, 0)), _STEPS_MASKED, stride=1
        )
        return (spread[:, 0] * valid_mask(spread[:, 0], counts.clamp_min(1))).bool()

    def _hide(self, encoded: Tensor, masked: Tensor) -> Tensor:
        frames = masked.repeat_interleave(self.frames_a_step, dim=1)
        frames = functional.pad(frames, (0, encoded.shape[-1] - frames.shape[1]))
        return torch.where(frames[:, None], self.mask_vector[:, None], encoded)

    def _steps(self, features: Tensor) -> Tensor:
        """(batch, channels, frames) -> (batch, steps, channels), averaged."""
        return functional.avg_pool1d(features, self.frames_a_step).transpose(1, 2)

    def _identify(self, predicted: Tensor, targets: Tensor) -> Tensor:
        """(masked steps, projection) each; the right target against up to `negatives` others."""
        similarity = functional.cosine_similarity(predicted[:, None], targets[None], dim=-1)
        count = len(targets)
        others = max(0, count - 1 - self.negatives)
        if others:  # leave out some of the negatives, drawn for each step separately
            ranks = torch.rand(count, count, device=targets.device).fill_diagonal_(2.0)
            left_out = ranks.argsort(dim=1)[:, :others]
            similarity = similarity.scatter(1, left_out, -math.inf)
        return functional.cross_entropy(similarity / self.temperature, torch.arange(count, device=targets.device))


def span_mask(signal: Tensor, ratio: float, span: int, lengths: Tensor | None = None) -> Tensor:
    """(batch, samples) of 0 and 1: spans at random starts that cover about `ratio` of each item.

    `lengths` (batch,) are the valid samples, which spans do not leave.
    """
    items, samples = signal.shape
    wholes = [samples] * items if lengths is None else lengths.tolist()
    spans = [min(span, whole) for whole in wholes]
    counts = [_span_count(ratio, each, whole) for each, whole in zip(spans, wholes, strict=True)]
    fewest = samples - min(span, samples) + 1
    starts = torch.randint(fewest, (items, max(counts)), device=signal.device)
    positions, masks = torch.arange(samples, device=signal.device), []
    for item, (each, whole, count) in enumerate(zip(spans, wholes, counts, strict=True)):
        # Starts of the longest item, brought to this one's range.
        offsets = positions - (starts[item, :count] * (whole - each + 1) // fewest)[:, None]
        masks.append(((offsets >= 0) & (offsets < each)).any(dim=0))
    return torch.stack(masks).to(signal.dtype)


def _span_count(ratio: float, span: int, samples: int) -> int:
    uncovered = 1.0 - span / max(samples, span + 1)
    return max(1, round(math.log(1.0 - ratio) / math.log(uncovered)))
