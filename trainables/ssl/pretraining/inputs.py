"""What a body hears while it is pre-trained, and what it is to predict.

| input | heard | targets |
|---|---|---|
| clean | clean speech | its own |
| mixing | WavLM's: a fifth with another utterance or white noise over at most half of it | of the undisturbed speech |
| noisy | half of the crops in noises of the training split, -5 to 20 dB | its own, noise included |
| denoise | the same | of the clean speech |

`mixing` is that of Chen et al., "WavLM", 2022. `denoise` is the noise-robust wav2vec 2.0 of Zhu et al., ICASSP 2022,
whose quantized targets come from the clean speech through the same encoder; likewise a spectral body's clean log-mels
and the clean speech's units. Crops and noises are keyed by (seed, step), and the crops of all four are the same;
`mixing` draws from torch's global generator, which the caller seeds at every step.
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from trainables.audio.examples.mixing import heard_batch, speech_batch

if TYPE_CHECKING:
    from trainables.audio.corpus.corpus import Corpus

NOISY_SHARE = 0.5  # of the crops
NOISE_LEVEL = (-5.0, 20.0)  # dB, speech over noise

MIX_RATIO = 0.2  # share of utterances that are disturbed
NOISE_RATIO = 0.5  # of these, the share disturbed by noise, the rest by another speaker
LONGEST_OVERLAP = 0.5  # of the utterance: the disturbed one stays the main speaker
SPEECH_RATIO = (-5.0, 5.0)  # dB, speech over the other speaker


def heard(
    kind: str, corpus: "Corpus", seed: int, step: int, batch: int, crop_seconds: float, device: str
) -> tuple[Tensor, Tensor | None]:
    """The waveforms of one step, (batch, samples), and those that targets are made of where they are others.

    Of `kind` "mixtures", that of adapters, all crops are in noise and have their own targets.
    """
    if kind in ("clean", "mixing"):
        clean = speech_batch(corpus, seed, step, batch, crop_seconds).to(device)
        return (mix_utterances(clean), clean) if kind == "mixing" else (clean, None)
    share = 1.0 if kind == "mixtures" else NOISY_SHARE
    clean, noisy = heard_batch(corpus, seed, step, batch, crop_seconds, share, NOISE_LEVEL)
    return noisy.to(device), clean.to(device) if kind == "denoise" else None


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
