"""The decoders: parameter counts, lengths, where they start."""

from typing import Any

import pytest
import torch

from trainables.audio.features import istft, stft
from trainables.losses.complex_mask import ideal_mask
from trainables.normalized_ssl.config import NormalizedSSLConfig
from trainables.normalized_ssl.decoders import (
    MaskDecoder,
    UNetArchitecture,
    UNetDecoder,
    build_decoder,
)
from trainables.ssl.bodies.upstreams import build_body
from trainables.ssl.bodies.waveform_body import WaveformArchitecture, WaveformBody

BASE_CHANNELS = (1, *(512,) * 7, 768, 768)


def waves(samples: int) -> torch.Tensor:
    return torch.randn(1, samples, generator=torch.Generator().manual_seed(1))


def parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("skip", "out", "expected"), [(128, 256, 2_542_082), (64, 128, 910_658), (128, 512, 6_377_474)]
)
def test_unet_parameters(skip: int, out: int, expected: int) -> None:
    architecture = UNetArchitecture(skips=(skip,) * 7, outputs=(64, *(out,) * 6))
    assert parameters(UNetDecoder(BASE_CHANNELS, architecture)) == expected


@pytest.mark.parametrize(
    ("widths", "expected"), [({}, 2_542_082), ({"skip_channels": 64, "decoder_channels": 128}, 910_658)]
)
def test_the_base_unet_has_the_configured_widths(widths: dict[str, Any], expected: int) -> None:
    values = {"upstream": "wav2vec2", "size": "base", "init": "random", **widths}
    config = NormalizedSSLConfig.from_dict(values)
    body = build_body(config.ssl, 0)
    assert parameters(build_decoder(config, body, 0)) == expected


@pytest.mark.parametrize(("kernel", "expected"), [(1, 309_138), (3, 926_610)])
def test_mask_head_parameters(kernel: int, expected: int) -> None:
    assert parameters(MaskDecoder(768, kernel)) == expected


@pytest.mark.parametrize("upstream", ["tera", "wav2vec2"])
def test_the_estimate_is_as_long_as_the_mixture_whatever_its_length(upstream: str) -> None:
    config = NormalizedSSLConfig.from_dict({"upstream": upstream, "init": "random"})
    body = build_body(config.ssl, 0).eval()
    decoder = build_decoder(config, body, 0)
    lengths = [400, 401, 719, 720, *range(16000, 16401, 11), 16400]
    with torch.no_grad():
        for samples in lengths:
            noisy = waves(samples)
            assert decoder(body(noisy), noisy).wave.shape == noisy.shape


def test_a_unet_gives_back_every_length_from_16000_to_16400() -> None:
    body = WaveformBody(
        WaveformArchitecture(channels=(2,) * 7, hidden=4, heads=1, feed_forward=4, position_kernel=2, position_groups=1)
    )
    decoder = UNetDecoder(body.channels, UNetArchitecture(skips=(1,) * 7, outputs=(1,) * 7))
    for samples in range(16000, 16401):
        frames = [body.site_frames(samples, site) for site in range(body.sites)]
        sites = [torch.zeros(1, channels, length) for channels, length in zip(body.channels, frames, strict=True)]
        assert decoder(sites, torch.zeros(1, samples)).wave.shape == (1, samples)


@pytest.mark.parametrize("upstream", ["tera", "wav2vec2"])
def test_decoders_start_at_the_identity(upstream: str) -> None:
    config = NormalizedSSLConfig.from_dict({"upstream": upstream, "init": "random"})
    body = build_body(config.ssl, 0).eval()
    noisy = waves(8000)
    estimate = build_decoder(config, body, 0)(body(noisy), noisy).wave
    torch.testing.assert_close(estimate, noisy, atol=1e-5, rtol=0)


def test_the_ideal_mask_in_place_of_the_head_gives_the_clean_wave() -> None:
    clean = waves(8000)
    noisy = clean + 0.3 * torch.randn(1, 8000, generator=torch.Generator().manual_seed(2))
    decoder = MaskDecoder(4, kernel=1)
    decoded = decoder([torch.zeros(1, 4, 51)], noisy)

    mask = ideal_mask(decoded.spectrum, stft(clean))
    torch.testing.assert_close(istft(mask * decoded.spectrum, 8000), clean, atol=1e-3, rtol=0)
