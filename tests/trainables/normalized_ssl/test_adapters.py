"""Adapters: their size, the identity at the start, and training them alone or along with the body."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from trainables.normalized_ssl.adapters import Adapters, ResidualAdapter


@pytest.mark.parametrize(
    ("channels", "bottleneck", "parameters"),
    [(768, 32, 51_488), (768, 64, 100_672), (768, 256, 395_776), (128, 16, 4_496)],
)
def test_its_size(channels: int, bottleneck: int, parameters: int) -> None:
    assert sum(each.numel() for each in ResidualAdapter(channels, bottleneck).parameters()) == parameters


def test_it_begins_as_the_identity_to_the_bit() -> None:
    features = torch.randn(2, 8, 20) * 30
    assert torch.equal(ResidualAdapter(8, 3)(features), features)


def test_it_is_its_formula_frame_by_frame() -> None:
    adapter = ResidualAdapter(8, 3)
    for parameter in adapter.parameters():
        nn.init.normal_(parameter)
    features = torch.randn(2, 8, 20)
    found = adapter(features)
    for frame in range(20):
        x = features[:, :, frame]
        mean, variance = x.mean(1, keepdim=True), x.var(1, keepdim=True, unbiased=False)
        normed = (x - mean) / (variance + 1e-5).sqrt() * adapter.norm.weight + adapter.norm.bias
        inner = functional.gelu(normed @ adapter.down.weight.T + adapter.down.bias)
        expected = x + inner @ adapter.up.weight.T + adapter.up.bias
        torch.testing.assert_close(found[:, :, frame], expected, atol=1e-5, rtol=1e-5)


def test_its_second_layer_learns_first_then_all_of_it() -> None:
    adapter, features = ResidualAdapter(8, 3), torch.randn(2, 8, 20)
    optimizer = torch.optim.SGD(adapter.parameters(), lr=0.1)
    moved = []
    for _ in range(2):
        before = {name: each.detach().clone() for name, each in adapter.named_parameters()}
        optimizer.zero_grad()
        (adapter(features) - 2 * features).square().mean().backward()
        optimizer.step()
        moved.append({name for name, each in adapter.named_parameters() if not torch.equal(each, before[name])})
    assert moved[0] == {"up.weight", "up.bias"}
    assert moved[1] == {name for name, _ in adapter.named_parameters()}


def walk(body: nn.ModuleList, adapters: Adapters, features: torch.Tensor) -> torch.Tensor:
    for site, layer in enumerate(body, start=1):
        features = adapters(layer(features), site)
    return features


def layers() -> nn.ModuleList:
    torch.manual_seed(1)
    return nn.ModuleList([nn.Conv1d(4, 6, 3), nn.Conv1d(6, 8, 3), nn.Conv1d(8, 8, 3)])


def test_only_the_chosen_sites_have_one() -> None:
    adapters = Adapters((4, 6, 8, 8), (3, 2), bottleneck=2)
    assert list(adapters.adapters) == ["2", "3"]
    features = torch.randn(1, 6, 9)
    assert adapters(features, 1) is features
    assert adapters(torch.randn(1, 8, 9), 2).shape == (1, 8, 9)
    assert adapters.sizes() == {"adapter2/size": 0.0, "adapter3/size": 0.0}


@pytest.mark.parametrize("site", [0, 4, -1])
def test_a_site_without_a_layer_is_refused(site: int) -> None:
    with pytest.raises(ValueError, match=rf"sites=\[{site}\]"):
        Adapters((4, 6, 8, 8), (1, site), bottleneck=2)


@pytest.mark.parametrize("alone", [True, False])
def test_alone_they_leave_the_body_as_it_was(alone: bool) -> None:
    body, adapters = layers(), Adapters((4, 6, 8, 8), (1, 2, 3), bottleneck=2)
    before = {name: each.clone() for name, each in body.state_dict().items()}
    body.requires_grad_(not alone)
    trained = [each for each in (*body.parameters(), *adapters.parameters()) if each.requires_grad]
    optimizer, features, losses = torch.optim.Adam(trained, lr=1e-2), torch.randn(2, 4, 30), []
    for _ in range(40):
        loss = (walk(body, adapters, features) - 1).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.8 * losses[0]
    kept = all(torch.equal(each, before[name]) for name, each in body.state_dict().items())
    assert kept == alone
    assert min(adapters.sizes().values()) > 0
