"""Statistics of clean training speech at every site of a pre-trained body: the stage behind clean_stats="corpus".

They depend on data and body alone, so they can be measured once instead of running a clean branch at every
training step; running averages over batches would end near them. Crops are those of training, scaled to unit
RMS; only at site 0 of a waveform body, the waveform itself, does that differ from a mixture's gain.
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from trainables.audio.examples.mixing import training_batch
from trainables.audio.features import rms
from trainables.base.determinism import deterministic
from trainables.base.tensors import pack, unpack
from trainables.job.assignment import DataSettings
from trainables.job.stages import Artifacts, Progress, Stage
from trainables.normalization.moments import Moments
from trainables.ssl.bodies.body import Body, valid_frames
from trainables.ssl.bodies.spectral_body import LogMelBody
from trainables.ssl.bodies.upstreams import build_body, load_artifact
from trainables.ssl.description import SSLModel

if TYPE_CHECKING:
    from trainables.audio.corpus.corpus import Corpus

BATCHES, BATCH = 32, 8
SPECTRAL_CROP, WAVEFORM_CROP = 2.0, 1.0  # s, the paper's


def run(stage: Stage, corpus: "Corpus", artifacts: Artifacts, progress: Progress) -> bytes:
    """The artifact: mean and deviation per channel, one pair for each site."""
    model = SSLModel.from_stage(stage.config)
    (below,) = stage.rests_on
    with deterministic(stage.threads, stage.device):
        body = build_body(model, below.seed)
        load_artifact(body, artifacts.read(below.key))
        body.to(stage.device).eval()
        data = DataSettings(batch=BATCH, crop_seconds=SPECTRAL_CROP if isinstance(body, LogMelBody) else WAVEFORM_CROP)
        pooled = [PooledMoments(channels) for channels in body.channels]
        for step in range(BATCHES):
            batch = training_batch(corpus, data, stage.seed, step)
            _add(pooled, body, batch.clean.to(stage.device), batch.lengths.to(stage.device))
            progress(step + 1, BATCHES)
    return pack([each.moments() for each in pooled])


def unpack_moments(artifact: bytes) -> dict[int, Moments]:
    """Site -> mean and deviation, (channels,) each."""
    return dict(enumerate(unpack(artifact)))


class PooledMoments:
    """Mean and biased deviation per channel over many batches, in float64."""

    def __init__(self, channels: int):
        self.count = 0.0
        self.total = torch.zeros(channels, dtype=torch.float64)
        self.squares = torch.zeros(channels, dtype=torch.float64)

    def add(self, features: Tensor, valid: Tensor) -> None:
        """Features (batch, channels, frames); `valid` (batch, 1, frames) is 0 where a frame does not count."""
        values, valid = features.double().cpu(), valid.double().cpu()
        self.count += float(valid.sum())
        self.total += (values * valid).sum(dim=(0, 2))
        self.squares += (values.square() * valid).sum(dim=(0, 2))

    def moments(self) -> Moments:
        """Of all that was added, (channels,) each, float32."""
        mean = self.total / self.count
        variance = (self.squares / self.count - mean.square()).clamp(min=0.0)
        return mean.float(), variance.sqrt().float()


@torch.no_grad()
def _add(pooled: list[PooledMoments], body: Body, crops: Tensor, lengths: Tensor) -> None:
    leveled = crops / rms(crops, lengths).clamp(min=1e-6)
    for site, features in enumerate(body(leveled, lengths)):
        pooled[site].add(features, valid_frames(body, lengths, site, features))
