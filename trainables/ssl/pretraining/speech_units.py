"""k-means units of clean speech, the targets of HuBERT and WavLM; a stage of its own.

Hsu et al., "HuBERT", 2021: the first iteration's targets are clusters of 39-dimensional MFCCs (13 coefficients
with first and second differences). They are computed on the mel grid of trainables/audio/features.py and
taken every 20 ms, where the waveform bodies have their frames.
"""

from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.cluster.vq import kmeans2
from scipy.fft import dct
from torch import Tensor, nn

from trainables.audio.examples.mixing import speech_batch
from trainables.audio.features import MEL_BANDS, log_mel
from trainables.base.determinism import deterministic
from trainables.base.randomness import derive_seed
from trainables.base.tensors import pack
from trainables.job.stages import Artifacts, Progress, Stage

if TYPE_CHECKING:
    from trainables.audio.corpus.corpus import Corpus

UNITS = 50  # clusters; the paper's 100 are for 960 hours
COEFFICIENTS = 13
CROPS, CROP_SECONDS = 256, 1.0  # of clean training speech to cluster
ITERATIONS = 20


class SpeechUnits(nn.Module):
    """Centroids (units, 39) of standardised MFCCs; `forward` returns each frame's nearest."""

    mean: Tensor
    std: Tensor
    centroids: Tensor

    def __init__(self, mean: Tensor, std: Tensor, centroids: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)
        self.register_buffer("centroids", centroids)

    @torch.no_grad()
    def forward(self, waveforms: Tensor, frames: int) -> Tensor:
        """(batch, samples) -> units (batch, frames), each 2.5 ms before the body's frame."""
        features = (mfcc(waveforms)[:, :frames] - self.mean) / self.std
        return torch.cdist(features, self.centroids.expand(len(features), -1, -1)).argmin(-1)


def run(stage: Stage, corpus: "Corpus", artifacts: Artifacts, progress: Progress) -> bytes:
    """The artifact: mean and deviation of the MFCCs, and the centroids."""
    with deterministic(stage.threads, stage.device):
        crops = speech_batch(corpus, stage.seed, "units", CROPS, CROP_SECONDS)
        features = mfcc(crops).flatten(0, 1)
        mean, std = features.mean(0), features.std(0).clamp(min=1e-5)
        standardised = ((features - mean) / std).double().numpy()
        seed = derive_seed(stage.seed, "units") % 2**32
        centroids, _ = kmeans2(standardised, UNITS, iter=ITERATIONS, minit="++", rng=seed)
        progress(1, 1)
        return pack(SpeechUnits(mean, std, torch.from_numpy(centroids).float()).state_dict())


@torch.no_grad()
def mfcc(waveforms: Tensor) -> Tensor:
    """(batch, samples) -> (batch, frames, 39), every 20 ms.

    A body's frame t is centred at sample 320 t + 200; mel frame 2 t + 1, at 320 t + 160, is the nearest.
    """
    cepstra = log_mel(waveforms) @ _cosines().to(waveforms)
    (first,) = torch.gradient(cepstra, dim=1)
    (second,) = torch.gradient(first, dim=1)
    return torch.cat([cepstra, first, second], dim=-1)[:, 1::2]


def _cosines() -> Tensor:
    """(80, 13): the orthonormal DCT-II that makes cepstra of log-mels."""
    basis = dct(np.eye(MEL_BANDS), type=2, norm="ortho", axis=1)
    return torch.from_numpy(basis[:, :COEFFICIENTS].copy()).float()
