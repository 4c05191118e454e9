"""The upstreams' bodies by size: how each is built and how it is stored as an artifact.

"tiny" keeps the real number of sites (three transformer or GRU layers; seven convolutions with their real kernels
and strides, projection, transformer layer) and has few channels where the frame rate is high, so that a
training step takes some 70 ms on one CPU core. "base" is the published architecture.
"""

from dataclasses import replace
from typing import Any

from trainables.base.randomness import seed_global_generators
from trainables.base.tensors import pack, unpack
from trainables.ssl.bodies.body import Body
from trainables.ssl.bodies.recurrent_body import RecurrentArchitecture, RecurrentBody
from trainables.ssl.bodies.spectral_body import (
    SPEECH_STATISTICS,
    LogMelBody,
    SpectralArchitecture,
    SpectralBody,
)
from trainables.ssl.bodies.waveform_body import WaveformArchitecture, WaveformBody
from trainables.ssl.description import SSLModel
from trainables.ssl.upstream_table import UPSTREAM_TABLE

_SPECTRAL = {
    "tiny": SpectralArchitecture(hidden=64, heads=2, feed_forward=128, dropout=0.0),
    "base": SpectralArchitecture(hidden=768, heads=12, feed_forward=3072),
}
_RECURRENT = {
    "tiny": RecurrentArchitecture(hidden=64, dropout=0.0),
    "base": RecurrentArchitecture(hidden=512),
}
# How the tiny widths were chosen: docs/experiments/normalized_ssl.md.
_WAVEFORM = {
    "tiny": WaveformArchitecture(
        channels=(16, 16, 32, 64, 96, 128, 128),
        hidden=128,
        heads=4,
        feed_forward=256,
        position_kernel=16,
        position_groups=4,
        dropout=0.0,
    ),
    "base": WaveformArchitecture(channels=(512,) * 7, hidden=768, heads=12, feed_forward=3072),
}
_PRE_NORM = {
    "tiny": replace(_WAVEFORM["tiny"], pre_norm=True),
    "base": WaveformArchitecture(channels=(512,) * 7, hidden=1024, heads=16, feed_forward=4096, pre_norm=True),
}


def build_body(model: SSLModel, seed: int) -> LogMelBody | WaveformBody:
    """A body with random weights drawn from `seed`, the same for every candidate.

    Leaves the global generators in a state that depends on the seed alone.
    """
    seed_global_generators(seed, f"initial body {model.upstream}")
    upstream = UPSTREAM_TABLE[model.upstream]
    if not upstream.transformer:
        return RecurrentBody(_RECURRENT[model.size], model.cmvn)
    if upstream.spectral:
        return SpectralBody(_SPECTRAL[model.size], model.cmvn)
    sizes = _PRE_NORM if upstream.pre_norm else _WAVEFORM
    return WaveformBody(replace(sizes[model.size], relative_bias=upstream.relative_bias, layers=model.layers))


def pack_body(body: Body, **extra: Any) -> bytes:
    """A pre-trained body as an artifact: its state, and further tensors or plain values."""
    return pack({"body": body.state_dict(), **extra})


def load_artifact(body: Body, artifact: bytes, statistics_alone: bool = False) -> None:
    """Pre-trained weights and clean-speech statistics; an untrained body takes the statistics alone."""
    state = unpack(artifact)["body"]
    if statistics_alone:
        state = {name: value for name, value in state.items() if name in SPEECH_STATISTICS}
    body.load_state_dict(state, strict=not statistics_alone)
