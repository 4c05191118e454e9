"""The upstreams' bodies by size: how each is built and how it is stored as an artifact.

"tiny" keeps the real number of sites (three transformer layers; seven convolutions with their real kernels
and strides, projection, transformer layer) and has few channels where the frame rate is high, so that a
training step takes some 70 ms on one CPU core. "base" is the published architecture.
"""

from dataclasses import replace
from typing import Any

from trainables.base.randomness import seed_global_generators
from trainables.base.tensors import pack, unpack
from trainables.normalized_ssl.bodies.body import Body
from trainables.normalized_ssl.bodies.decoders import MaskDecoder, UNetArchitecture, UNetDecoder
from trainables.normalized_ssl.bodies.spectral_body import (
    SPEECH_STATISTICS,
    SpectralArchitecture,
    SpectralBody,
)
from trainables.normalized_ssl.bodies.waveform_body import CONVOLUTIONS, WaveformArchitecture, WaveformBody
from trainables.normalized_ssl.config import NormalizedSSLConfig
from trainables.normalized_ssl.upstream_table import UPSTREAM_TABLE

_SPECTRAL = {
    "tiny": SpectralArchitecture(hidden=64, heads=2, feed_forward=128, dropout=0.0),
    "base": SpectralArchitecture(hidden=768, heads=12, feed_forward=3072),
}
# How the tiny widths, of body and U-Net, were chosen: docs/experiments/normalized_ssl.md.
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
_TINY_UNET = UNetArchitecture(
    skips=(16, 16, 24, 32, 48, 64, 64),
    outputs=(8, 16, 32, 48, 64, 96, 128),
    group_norm=True,
)
_LAST_STAGE = 64  # channels of the base U-Net at the waveform's rate


def build_body(config: NormalizedSSLConfig, seed: int) -> SpectralBody | WaveformBody:
    """A body with random weights drawn from `seed`, the same for every candidate.

    Leaves the global generators in a state that depends on the seed alone.
    """
    seed_global_generators(seed, f"initial body {config.upstream}")
    if config.spectral:
        return SpectralBody(_SPECTRAL[config.size], config.cmvn)
    relative_bias = UPSTREAM_TABLE[config.upstream].relative_bias
    return WaveformBody(replace(_WAVEFORM[config.size], relative_bias=relative_bias))


def build_decoder(config: NormalizedSSLConfig, body: Body, seed: int) -> MaskDecoder | UNetDecoder:
    """The decoder of the body's family, with weights that depend on `seed` and not on the body's."""
    seed_global_generators(seed, f"initial decoder {config.upstream}")
    if config.spectral:
        return MaskDecoder(body.channels[-1], config.head_kernel)
    return UNetDecoder(body.channels, _unet(config))


def _unet(config: NormalizedSSLConfig) -> UNetArchitecture:
    if config.size == "tiny":
        return _TINY_UNET
    outputs = (_LAST_STAGE, *(config.decoder_channels,) * (CONVOLUTIONS - 1))
    return UNetArchitecture(skips=(config.skip_channels,) * CONVOLUTIONS, outputs=outputs)


def pack_body(body: Body, **extra: Any) -> bytes:
    """A pre-trained body as an artifact: its state, and further tensors or plain values."""
    return pack({"body": body.state_dict(), **extra})


def load_artifact(body: Body, config: NormalizedSSLConfig, artifact: bytes) -> None:
    """Pre-trained weights and clean-speech statistics; an untrained body takes the statistics alone."""
    state = unpack(artifact)["body"]
    if config.init == "random":
        state = {name: value for name, value in state.items() if name in SPEECH_STATISTICS}
    body.load_state_dict(state, strict=config.init == "pretrained")
