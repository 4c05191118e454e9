"""The frozen self-supervised model F that compares enhanced with clean speech.

In evaluation mode, its weights without gradient; differentiable in its input. It is no part of the method's state: it
comes from its own artifact and never changes. Both waves of a pair are brought to the level at which the clean one has
unit power, since tiny bodies see level a little.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from trainables.audio.features import rms
from trainables.base.padding import where_padded
from trainables.position_invariant.config import FRAME_HOP, RECEPTIVE_FIELD
from trainables.ssl.bodies.upstreams import build_body, load_artifact
from trainables.ssl.bodies.waveform_body import WaveformBody
from trainables.ssl.description import SSLModel

_SMALLEST_RMS = 1e-6  # below 16-bit resolution: silence is not blown up
_CLIPS_KEPT = 64  # whose clean features are kept from round to round


class Reference:
    """Features of the compared layers, (batch, frames, channels) with layers side by side.

    Several layers are weighted equally: each is scaled by 1 / sqrt(layers), so that a squared distance is the mean of
    the layers' own. Training draws new crops at every step, so nothing of it is kept; clean clips of the valid set are
    the same in every round, and theirs is (`clean_layers`).
    """

    def __init__(self, model: SSLModel, artifact: bytes, compared: tuple[int, ...]):
        body = build_body(model, 0)
        assert isinstance(body, WaveformBody)
        load_artifact(body, artifact)
        self.body = body.frozen_prefix(body.sites - 1)
        self._compared = compared
        assert isinstance(self.body, WaveformBody)
        self._shortened = self.body.first_layers(max(self._compared))
        self._kept: OrderedDict[str, list[Tensor]] = OrderedDict()

    def to(self, device: torch.device) -> "Reference":
        self.body.to(device)  # whose weights the shortened one shares
        return self

    def features(
        self,
        wave: Tensor,
        lengths: Tensor | None = None,
        l2norm: bool = False,
        component: Callable[[Tensor, int], Tensor] | None = None,
    ) -> Tensor:
        """(batch, samples) at 16 kHz, of which `lengths` (batch,) are valid -> float32 (batch, frames, channels).

        Args:
            wave: shorter than one frame, it is padded with zeros.
            lengths: None = all.
            l2norm: scale every layer's frames to unit length.
            component: what is done to the features of a layer, given by its number, before that.
        """
        wave, lengths = _long_enough(wave, lengths)
        outputs = self._shortened.transformer_outputs(wave, where_padded(wave, lengths))
        chosen = [outputs[layer - 1].transpose(1, 2).float() for layer in self._compared]
        if component:
            chosen = [component(each, layer) for each, layer in zip(chosen, self._compared, strict=True)]
        if l2norm:
            chosen = [functional.normalize(layer, dim=-1) for layer in chosen]
        return torch.cat(chosen, dim=-1) * len(chosen) ** -0.5

    @torch.no_grad()
    def layers(self, wave: Tensor) -> list[Tensor]:
        """(samples,) -> every transformer layer's features, (frames, channels) each."""
        alone, _ = _long_enough(wave[None], None)
        assert isinstance(self.body, WaveformBody)
        return [layer[0].T.float() for layer in self.body.transformer_outputs(alone)]

    def clean_layers(self, wave: Tensor) -> list[Tensor]:
        """`layers`, computed once for a clip that comes again in every round."""
        key = f"{wave.device} {hashlib.sha1(wave.cpu().numpy().tobytes(), usedforsecurity=False).hexdigest()}"
        if key not in self._kept:
            self._kept[key] = self.layers(wave)
            if len(self._kept) > _CLIPS_KEPT:
                self._kept.popitem(last=False)
        return self._kept[key]


def level_gain(clean: Tensor, lengths: Tensor | None = None) -> Tensor:
    """(batch, 1): the gain at which every clean wave, (batch, samples), has unit power."""
    return 1.0 / rms(clean, lengths).clamp(min=_SMALLEST_RMS)


def frame_counts(lengths: Tensor) -> Tensor:
    """(batch,) frames of items with that many samples, at least 1."""
    return torch.div(lengths - RECEPTIVE_FIELD, FRAME_HOP, rounding_mode="floor").add(1).clamp(min=1)


def _long_enough(wave: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
    missing = max(0, RECEPTIVE_FIELD - wave.shape[-1])
    padded = functional.pad(wave, (0, missing))
    return padded, None if lengths is None else lengths.clamp(min=RECEPTIVE_FIELD)
