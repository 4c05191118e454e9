"""The objective of HuBERT and WavLM: predict the k-means units of masked frames.

Hsu et al., "HuBERT", 2021: at each masked frame the projected context is compared with an embedding of every
unit, by cosine over a temperature; cross-entropy on masked frames alone. Chen et al., "WavLM", 2022: the same
on speech with another utterance of the batch mixed in, the units still those of the undisturbed speech.
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
MIX_RATIO = 0.2  # share of utterances that are disturbed
NOISE_RATIO = 0.5  # of these, the share disturbed by noise, the rest by another speaker
LONGEST_OVERLAP = 0.5  # of the utterance: the disturbed one stays the main speaker
SPEECH_RATIO = (-5.0, 5.0)  # dB, speech over the other speaker
NOISE_LEVEL = (-5.0, 20.0)  # dB, speech over noise


class UnitPrediction(nn.Module):
    """The body with a projection, unit embeddings and a mask embedding, all discarded afterwards.

    `mixing` disturbs some of the input, as WavLM does.
    """

    def __init__(self, body: WaveformBody, units: SpeechUnits, mixing: bool = False) -> None:
        super().__init__()
        self.body = body
        self.units = units
        self.mixing = mixing
        hidden = body.channels[-1]
        self.project = nn.Linear(hidden, CODE_DIM)
        self.embeddings = nn.Parameter(torch.rand(len(units.centroids), CODE_DIM))
        self.mask_embedding = nn.Parameter(torch.rand(hidden))

    def forward(self, waveforms: Tensor, step: int) -> tuple[Tensor, dict[str, float]]:
        """(batch, samples) clean speech -> the loss (nats) and its monitors."""
        latents = self.body.latents(mix_utterances(waveforms) if self.mixing else waveforms)
        shape = (latents.shape[0], latents.shape[1])
        masked = _compute_mask_indices(shape, MASK_RATIO, min(SPAN, shape[1]), min_masks=2)
        mask = torch.from_numpy(masked).to(latents.device)
        context = self.project(self.body.contextualize(latents, mask, self.mask_embedding))[mask]
        similarity = torch.cosine_similarity(context[:, None], self.embeddings[None], dim=-1)
        targets = self.units(waveforms, shape[1])[mask]
        logits = similarity / SIMILARITY_TEMPERATURE
        loss = nn.functional.cross_entropy(logits, targets)
        monitors = {
            "loss": loss.item(),
            "accuracy": (logits.argmax(1) == targets).float().mean().item(),
            "chance": torch.bincount(targets).max().item() / len(targets),  # of always predicting the commonest unit
        }
        return loss, monitors


def mix_utterances(waveforms: Tensor) -> Tensor:
    """Add a stretch of another utterance, or of noise, to some of a batch, (batch, samples)."""
    batch, samples = waveforms.shape
    mixed = waveforms.clone()
    for index in range(batch):
        if torch.rand(()) >= MIX_RATIO:
            continue
        disturbance, ratio = _disturbance(waveforms, index)
        length = 1 + int(torch.randint(max(1, int(LONGEST_OVERLAP * samples)), ()))
        start = int(torch.randint(samples - length + 1, ()))
        origin = int(torch.randint(samples - length + 1, ()))
        piece = disturbance[origin : origin + length]
        level = waveforms[index].square().mean() / piece.square().mean().clamp(min=1e-8)
        mixed[index, start : start + length] += piece * (level * 10 ** (-ratio / 10)).sqrt().clamp(max=10.0)
    return mixed


def _disturbance(waveforms: Tensor, index: int) -> tuple[Tensor, float]:
    """A disturbance of utterance `index`, (samples,), and the utterance's level over it in dB."""
    batch, samples = waveforms.shape
    noisy = bool(torch.rand(()) < NOISE_RATIO)
    lowest, highest = NOISE_LEVEL if noisy else SPEECH_RATIO
    ratio = lowest + (highest - lowest) * float(torch.rand(()))
    if noisy:
        return torch.randn(samples).to(waveforms), ratio
    other = (index + 1 + int(torch.randint(max(1, batch - 1), ()))) % batch
    return waveforms[other], ratio
