"""Conv-TasNet, DPRNN, DPTNet and Sandglasset: their published sizes, shapes and what each output depends on."""

from collections.abc import Callable
from typing import cast

import pytest
import torch
from torch import nn

from trainables.base.padding import valid_mask
from trainables.networks.conv_tasnet import conv_tasnet
from trainables.networks.dual_path import dprnn_tasnet
from trainables.networks.dual_path_transformer import dptnet
from trainables.networks.masking_separator import MaskingSeparator, global_norm
from trainables.networks.sandglasset import sandglasset
from trainables.separation.architectures import ARCHITECTURES

SMALL: dict[str, Callable[[int], MaskingSeparator]] = {
    "convtasnet": lambda sources: conv_tasnet(sources, 16, filters=16, bottleneck=8, hidden=12, blocks=3, repeats=2),
    "dprnn": lambda sources: dprnn_tasnet(sources, 8, filters=8, bottleneck=8, hidden=6, blocks=2, chunk=10),
    "dptnet": lambda sources: dptnet(sources, 8, filters=8, hidden=6, blocks=2, chunk=10),
    "sandglasset": lambda sources: sandglasset(
        sources, 8, dropout=0.0, filters=8, bottleneck=8, hidden=6, blocks=4, chunk=8, heads=2
    ),
}


def paper(name: str) -> dict[str, int]:
    return ARCHITECTURES[name]["paper"]


def small(name: str, sources: int = 2) -> MaskingSeparator:
    torch.manual_seed(3)
    return SMALL[name](sources).eval()


@pytest.mark.parametrize(
    ("network", "parameters"),
    [
        (lambda: conv_tasnet(1, **paper("convtasnet")), 4_984_497),
        (lambda: conv_tasnet(2, **paper("convtasnet")), 5_050_545),
        (lambda: conv_tasnet(3, **paper("convtasnet")), 5_116_593),
        (lambda: dprnn_tasnet(1, **paper("dprnn")), 3_634_561),
        (lambda: dprnn_tasnet(2, **paper("dprnn")), 3_651_073),
        (lambda: dprnn_tasnet(2, **paper("dprnn") | {"bottleneck": 64}), 2_608_065),
        (lambda: dptnet(2, **paper("dptnet")), 8_527_233),
        (lambda: dptnet(2, **paper("dptnet") | {"hidden": 128}), 2_801_025),
        (lambda: sandglasset(1, **paper("sandglasset")), 2_264_193),
        (lambda: sandglasset(2, **paper("sandglasset")), 2_297_217),
    ],
)
def test_full_size_networks_have_the_published_number_of_parameters(
    network: Callable[[], MaskingSeparator], parameters: int
) -> None:
    assert sum(parameter.numel() for parameter in network().parameters()) == parameters


@pytest.mark.parametrize("sources", [1, 2, 3])
@pytest.mark.parametrize("samples", [16, 161, 1000])
@pytest.mark.parametrize("name", SMALL)
def test_estimates_are_as_long_as_the_mixture(name: str, samples: int, sources: int) -> None:
    with torch.no_grad():
        estimate = small(name, sources)(torch.randn(2, samples))
    assert estimate.shape == (2, sources, samples)
    assert torch.isfinite(estimate).all()


@pytest.mark.parametrize("name", SMALL)
def test_each_mixture_is_separated_by_itself(name: str) -> None:
    network, mixtures = small(name), torch.randn(3, 700)
    with torch.no_grad():
        torch.testing.assert_close(network(mixtures)[1:2], network(mixtures[1:2]), atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", SMALL)
def test_a_shorter_mixture_in_a_padded_batch_is_separated_as_alone(name: str, training: bool) -> None:
    """The gradient of its loss, too, is the same."""
    network, lengths = small(name).train(training), (900, 703, 333, 41)
    mixtures = torch.randn(4, 900) * valid_mask(torch.empty(4, 900), torch.tensor(lengths))
    together = network(mixtures, torch.tensor(lengths))
    for item, samples in enumerate(lengths):
        alone = network(mixtures[item : item + 1, :samples])[0]
        torch.testing.assert_close(together[item, :, :samples], alone, atol=1e-6, rtol=1e-4)
        assert not together[item, :, samples:].any()
    network.zero_grad()
    together[3].square().sum().backward()
    found = {key: value.grad.clone() for key, value in network.named_parameters() if value.grad is not None}
    network.zero_grad()
    network(mixtures[3:, :41]).square().sum().backward()
    for key, value in network.named_parameters():
        if value.grad is not None:
            torch.testing.assert_close(found[key], value.grad, atol=1e-6, rtol=1e-3)


@pytest.mark.parametrize("name", SMALL)
def test_a_batch_without_padding_needs_no_mask(name: str) -> None:
    network, mixtures = small(name), torch.randn(3, 700)
    with torch.no_grad():
        assert torch.equal(network(mixtures), network(mixtures, torch.full((3,), 700)))


@pytest.mark.parametrize("name", SMALL)
def test_only_the_heads_output_layer_depends_on_the_number_of_sources(name: str) -> None:
    one, two = small(name, 1).state_dict(), small(name, 2).state_dict()
    assert one.keys() == two.keys()
    different = {key for key in one if one[key].shape != two[key].shape}
    assert different == {"masker.head.output.weight", "masker.head.output.bias"}


@pytest.mark.parametrize("name", SMALL)
def test_every_parameter_learns_but_the_last_residual_of_conv_tasnet(name: str) -> None:
    network = small(name)
    network(torch.randn(2, 700)).square().sum().backward()
    idle = {key for key, value in network.named_parameters() if value.grad is None}
    last = {"masker.blocks.5.residual.weight", "masker.blocks.5.residual.bias"}
    assert idle == (last if name == "convtasnet" else set())


@pytest.mark.parametrize("name", SMALL)
def test_an_output_depends_on_its_own_rows_of_the_output_layer(name: str) -> None:
    network, mixture = small(name, 3), torch.randn(1, 700)
    with torch.no_grad():
        before = network(mixture)
        for parameter in cast(nn.Module, network.masker.head.output).parameters():
            parameter.view(3, -1)[2] += 1.0
        after = network(mixture)
    torch.testing.assert_close(before[:, :2], after[:, :2])
    assert not torch.allclose(before[:, 2], after[:, 2])


@pytest.mark.parametrize("name", SMALL)
def test_context_has_the_channels_it_names(name: str) -> None:
    network = small(name, 1)
    encoded = network.encode(torch.randn(2, 700))
    context = network.masker.context(encoded)
    assert context.shape == (2, network.masker.context_channels, encoded.shape[-1])


def test_global_norm_is_over_channels_and_time_of_each_item() -> None:
    features, norm = torch.randn(2, 4, 50) * 3 + 1, global_norm(4)
    mean = features.mean(dim=(1, 2), keepdim=True)
    deviation = features.var(dim=(1, 2), keepdim=True, unbiased=False).sqrt()
    torch.testing.assert_close(norm(features), (features - mean) / deviation, atol=1e-5, rtol=1e-5)
