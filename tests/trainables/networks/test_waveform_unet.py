"""What DEMUCS and SE-Conformer share: padding that nothing sees, lengths, level."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from trainables.base.padding import valid_mask
from trainables.networks.demucs import Demucs
from trainables.networks.se_conformer import SEConformer
from trainables.networks.waveform_unet import WaveformUNet

SMALL: dict[str, Callable[[], WaveformUNet]] = {
    "demucs": lambda: Demucs(4, depth=3, resample=2),
    "demucs, both directions": lambda: Demucs(4, depth=3, stride=2, resample=4, causal=False),
    "se_conformer": lambda: SEConformer(4, 3, layers=2, heads=2, feed_forward=6, taps=5, dropout=0.0),
    "se_conformer, no upsampling": lambda: SEConformer(
        4, 3, stride=2, resample=1, layers=1, heads=2, feed_forward=6, taps=3, dropout=0.0
    ),
}


def small(name: str) -> WaveformUNet:
    torch.manual_seed(3)
    return SMALL[name]().eval()


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", SMALL)
def test_a_shorter_mixture_in_a_padded_batch_is_enhanced_as_alone(name: str, training: bool) -> None:
    """The gradient of its loss, too, is the same."""
    network, lengths = small(name).train(training), (900, 703, 333, 41)
    mixtures = torch.randn(4, 900) * valid_mask(torch.empty(4, 900), torch.tensor(lengths))
    together = network(mixtures, torch.tensor(lengths))
    for item, samples in enumerate(lengths):
        alone = network(mixtures[item : item + 1, :samples])[0]
        torch.testing.assert_close(together[item, :samples], alone, atol=1e-5, rtol=1e-4)
        assert not together[item, samples:].any()
    network.zero_grad()
    together[2].square().sum().backward()
    found = {key: value.grad.clone() for key, value in network.named_parameters() if value.grad is not None}
    network.zero_grad()
    network(mixtures[2:3, :333]).square().sum().backward()
    for key, value in network.named_parameters():
        if value.grad is not None:
            torch.testing.assert_close(found[key], value.grad, atol=1e-5, rtol=1e-3)


@pytest.mark.parametrize("name", SMALL)
def test_what_lies_in_the_padding_does_not_matter(name: str) -> None:
    network, lengths = small(name), torch.tensor([300, 210])
    mixtures = torch.randn(2, 300)
    with torch.no_grad():
        silent = network(mixtures * valid_mask(mixtures, lengths), lengths)
        assert torch.equal(network(mixtures, lengths), silent)


@pytest.mark.parametrize("name", SMALL)
def test_a_batch_without_padding_needs_no_mask(name: str) -> None:
    network, mixtures = small(name), torch.randn(3, 400)
    with torch.no_grad():
        assert torch.equal(network(mixtures), network(mixtures, torch.full((3,), 400)))


@pytest.mark.parametrize("samples", [2, 37, 149, 298, 777])
@pytest.mark.parametrize("name", SMALL)
def test_estimates_are_as_long_as_the_mixture(name: str, samples: int) -> None:
    with torch.no_grad():
        estimate = small(name)(torch.randn(2, samples))
    assert estimate.shape == (2, samples)
    assert torch.isfinite(estimate).all()


@pytest.mark.parametrize("name", SMALL)
def test_every_parameter_learns(name: str) -> None:
    network = small(name).train()
    network(torch.randn(2, 700)).square().sum().backward()
    assert [key for key, value in network.named_parameters() if value.grad is None] == []


@pytest.mark.parametrize("name", SMALL)
def test_far_above_the_floor_a_gain_comes_out_as_it_went_in(name: str) -> None:
    network, mixture = small(name), torch.randn(1, 500)
    with torch.no_grad():
        torch.testing.assert_close(network(1e5 * mixture), 100 * network(1e3 * mixture), rtol=1e-4, atol=1e-2)


def test_a_quiet_mixture_comes_out_quieter_by_the_floors_share() -> None:
    """Around a network that is the identity: deviation / (deviation + 1e-3), -2.5 dB at 0.003."""

    class Unchanged(nn.Sequential):
        def forward(self, features: Tensor) -> Tensor:
            return features

    class Halved(nn.Sequential):  # of the features and their skip
        def forward(self, features: Tensor) -> Tensor:
            return 0.5 * features

    class Identity(WaveformUNet):
        def __init__(self) -> None:
            super().__init__(1, 1, 8, 4, 1)
            self.encoder, self.decoder = nn.ModuleList([Unchanged()]), nn.ModuleList([nn.Sequential(Halved())])

        def middle(self, features: Tensor, counts: Tensor | None) -> Tensor:
            return features

    network = Identity()
    for rms, decibels in ((0.003, -2.5), (0.01, -0.83), (1.0, -0.01)):
        mixture = torch.randn(1, 4000, generator=torch.Generator().manual_seed(1))
        mixture = mixture / mixture.std() * rms
        gain = float((network(mixture) / mixture).mean())
        assert 20 * np.log10(gain) == pytest.approx(decibels, abs=0.01)
