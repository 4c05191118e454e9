"""Parameters and multiply-accumulates against closed forms, layer by layer, and the real-time factor."""

import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from trainables.complexity import complexity, real_time_factors
from trainables.config.registry import METHODS, build_method
from trainables.method import Method
from trainables.networks.conv_tasnet import conv_tasnet

RATE = 100  # Hz
SAMPLES = 240


class Network(Method):
    """A network on the mixture cut into frames of 8 samples: (1, 30, 8)."""

    def __init__(self, network: nn.Module, call: Callable[[nn.Module, Tensor], object]):
        super().__init__()
        self.network, self.call = network, call

    def training_losses(self, batch: object, when: object) -> dict[str, Tensor]:
        raise AssertionError("nothing trains here")

    def infer(self, mixture: Tensor) -> Tensor:
        self.call(self.network, mixture.view(1, -1, 8))
        return mixture[:, None]


def attended(heads: Tensor) -> Tensor:
    return functional.scaled_dot_product_attention(heads, heads, heads)


FRAMES = SAMPLES // 8
LAYERS: dict[str, tuple[Callable[[], nn.Module], Callable[[nn.Module, Tensor], object], int]] = {
    "linear": (lambda: nn.Linear(8, 5), lambda net, x: net(x), FRAMES * 8 * 5),
    "lstm": (
        lambda: nn.LSTM(8, 6, batch_first=True, bidirectional=True),
        lambda net, x: net(x),
        FRAMES * 2 * 4 * 6 * (8 + 6),
    ),
    "two layers of lstm": (
        lambda: nn.LSTM(8, 6, 2, batch_first=True),
        lambda net, x: net(x),
        FRAMES * 4 * 6 * (8 + 6 + 6 + 6),
    ),
    "gru": (lambda: nn.GRU(8, 6, batch_first=True), lambda net, x: net(x), FRAMES * 3 * 6 * (8 + 6)),
    "attention": (
        lambda: nn.MultiheadAttention(8, 2, batch_first=True),
        lambda net, x: net(x, x, x, need_weights=False),
        FRAMES * 4 * 8 * 8 + 2 * FRAMES * FRAMES * 8,
    ),
    "fused attention": (
        nn.Identity,
        lambda net, x: attended(x.view(1, 30, 2, 4).transpose(1, 2)),
        2 * FRAMES * FRAMES * 8,
    ),
    "transformer layer": (
        lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True),
        lambda net, x: net(x),
        FRAMES * (4 * 8 * 8 + 2 * 8 * 16) + 2 * FRAMES * FRAMES * 8,
    ),
    "convolution": (
        lambda: nn.Conv1d(8, 6, 3, stride=2),
        lambda net, x: net(x.transpose(1, 2)),
        (FRAMES - 3) // 2 * 8 * 6 * 3 + 8 * 6 * 3,
    ),
    "depthwise convolution": (
        lambda: nn.Conv1d(8, 8, 3, padding=1, groups=8),
        lambda net, x: net(x.transpose(1, 2)),
        FRAMES * 8 * 3,
    ),
    "transposed convolution": (
        lambda: nn.ConvTranspose1d(8, 6, 4, stride=2),
        lambda net, x: net(x.transpose(1, 2)),
        FRAMES * 8 * 6 * 4,
    ),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers_by_their_closed_forms(name: str) -> None:
    make, call, expected = LAYERS[name]
    network = make()
    found = complexity(Network(network, call), torch.randn(1, SAMPLES), RATE)
    assert found.mac_per_second == pytest.approx(expected * RATE / SAMPLES)
    assert found.parameters == sum(each.numel() for each in network.parameters())


def test_parameters_are_those_that_inference_reads() -> None:
    """Not a head that only trains, nor one for which only the shape is asked; a part counts as the whole."""

    class Branches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.head = nn.Linear(8, 5), nn.Linear(5, 100)
            self.table = nn.Parameter(torch.zeros(7, 5))
            self.tied = self.body.weight

        def forward(self, frames: Tensor) -> Tensor:
            assert self.head.weight.shape[0] == 100
            return functional.linear(frames, self.tied, self.body.bias) + self.table[2]

    found = complexity(Network(Branches(), lambda net, x: net(x)), torch.randn(1, SAMPLES), RATE)
    assert found.parameters == 8 * 5 + 5 + 7 * 5


def test_a_separator_by_hand() -> None:
    """Conv-TasNet: encoder, bottleneck, blocks of two 1x1 up and down and one depthwise, masks, decoder."""
    filters, kernel, bottleneck, hidden, blocks, sources = 16, 8, 6, 10, 2, 2
    network = conv_tasnet(
        sources, kernel, filters=filters, bottleneck=bottleneck, hidden=hidden, blocks=blocks, repeats=1
    )
    frames = (SAMPLES - kernel) // (kernel // 2) + 1
    block = 3 * bottleneck * hidden + 3 * hidden
    per_frame = filters * kernel + filters * bottleneck + blocks * block + bottleneck * sources * filters
    expected = frames * (per_frame + sources * filters * kernel)
    whole = Network(network, lambda net, x: net(x.reshape(1, -1)))
    found = complexity(whole, torch.randn(1, SAMPLES), RATE)
    assert found.mac_per_second == pytest.approx(expected * RATE / SAMPLES)


def test_what_the_counter_does_not_know_has_no_number() -> None:
    """Not a 0: oneDNN's LSTM, brought back inside."""

    def call(network: nn.Module, frames: Tensor) -> None:
        torch.backends.mkldnn.set_flags(_enabled=True)
        network(frames)

    found = complexity(Network(nn.LSTM(8, 6, batch_first=True), call), torch.randn(1, SAMPLES), RATE)
    assert found.mac_per_second is None
    assert found.uncounted == ("mkldnn_rnn_layer",)
    assert found.parameters == 4 * 6 * (8 + 6 + 2)


def test_it_leaves_everything_as_it_was() -> None:
    method = Network(nn.Linear(8, 5), lambda net, x: net(x)).train()
    fused = torch._C._get_mkldnn_enabled(), torch.backends.mha.get_fastpath_enabled()
    complexity(method, torch.randn(1, SAMPLES), RATE)
    assert method.training
    assert (torch._C._get_mkldnn_enabled(), torch.backends.mha.get_fastpath_enabled()) == fused


def test_the_real_time_factor_is_seconds_for_a_second() -> None:
    """Of two networks that sleep: 20 and 60 ms for 2.4 s of audio."""
    methods = [
        Network(nn.Identity(), lambda net, x: time.sleep(0.02)),
        Network(nn.Identity(), lambda net, x: time.sleep(0.06)),
    ]
    threads = torch.get_num_threads()
    (fast, _), (slow, spread) = real_time_factors(methods, torch.randn(1, SAMPLES), RATE)
    assert torch.get_num_threads() == threads
    assert fast >= 0.02 / 2.4
    assert slow >= 0.06 / 2.4
    assert slow > fast
    assert spread >= 0


REAL: list[tuple[str, dict[str, Any]]] = [
    ("normalized_ssl", {"upstream": "tera", "init": "random"}),
    ("normalized_ssl", {"upstream": "apc", "init": "random"}),
    ("normalized_ssl", {"upstream": "wavlm", "init": "random"}),
    ("contrastive_se", {"size": "tiny", "target": "byol"}),
    ("waveform_se", {"size": "tiny", "network": "demucs"}),
    ("waveform_se", {"size": "tiny", "network": "se_conformer"}),
    ("waveform_se", {"size": "tiny", "network": "conv_tasnet"}),
]


@pytest.mark.parametrize(("name", "fields"), REAL)
def test_every_operation_of_real_methods_is_counted(name: str, fields: dict[str, Any]) -> None:
    method = build_method(name, METHODS[name].config.from_dict(fields), {}, 1)
    found = complexity(method, torch.randn(1, 16000, generator=torch.Generator().manual_seed(1)), 16000)
    whole = sum(each.numel() for each in method.parameters())
    assert found.uncounted == ()
    assert found.mac_per_second is not None
    assert found.mac_per_second > 1e6
    if name == "contrastive_se":  # the momentum encoder is not deployed
        assert found.parameters < whole
    elif name == "waveform_se":
        assert found.parameters == whole
    assert 0.5 * whole < found.parameters <= whole
