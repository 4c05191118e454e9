"""The objective of HuBERT and WavLM: predict the k-means units of masked frames.

Hsu et al., "HuBERT", 2021: at each masked frame the projected context is compared with an embedding of every
unit, by cosine over a temperature; cross-entropy on masked frames alone. Chen et al., "WavLM", 2022: the same
on disturbed speech, the units still those of the undisturbed (inputs.py).
Masks are wav2vec 2.0's at this crop length. Randomness comes from the global generators, which the caller
seeds at every step.
"""

import torch
from torch import Tensor, nn
from transformers.models.wav2vec2.modeling_wav2vec2 import _compute_mask_indices

from trainables.ssl.bodies.waveform_body import WaveformBody
from trainables.ssl.pretraining.contrastive_pretraining import MASK_RATIO, SPAN
from trainables.ssl.pretraining.speech_units import SpeechUnits

CODE_DIM = 64
SIMILARITY_TEMPERATURE = 0.1


class UnitPrediction(nn.Module):
    """The body with a projection, unit embeddings and a mask embedding, all discarded afterwards."""

    def __init__(self, body: WaveformBody, units: SpeechUnits) -> None:
        super().__init__()
        self.body = body
        self.units = units
        hidden = body.channels[-1]
        self.project = nn.Linear(hidden, CODE_DIM)
        self.embeddings = nn.Parameter(torch.rand(len(units.centroids), CODE_DIM))
        self.mask_embedding = nn.Parameter(torch.rand(hidden))

    def forward(self, waveforms: Tensor, step: int, targets: Tensor | None = None) -> tuple[Tensor, dict[str, float]]:
        """(batch, samples) speech -> the loss (nats) and its monitors; the units are those of `targets`, if given."""
        latents = self.body.latents(waveforms)
        shape = (latents.shape[0], latents.shape[1])
        masked = _compute_mask_indices(shape, MASK_RATIO, min(SPAN, shape[1]), min_masks=2)
        mask = torch.from_numpy(masked).to(latents.device)
        context = self.project(self.body.contextualize(latents, mask, self.mask_embedding))[mask]
        similarity = torch.cosine_similarity(context[:, None], self.embeddings[None], dim=-1)
        units = self.units(waveforms if targets is None else targets, shape[1])[mask]
        logits = similarity / SIMILARITY_TEMPERATURE
        loss = nn.functional.cross_entropy(logits, units)
        monitors = {
            "loss": loss.item(),
            "accuracy": (logits.argmax(1) == units).float().mean().item(),
            "chance": torch.bincount(units).max().item() / len(units),  # of always predicting the commonest unit
        }
        return loss, monitors
