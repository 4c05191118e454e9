"""Switches count changed minds, and not a swap of all outputs."""

from typing import cast

import pytest
import torch
from torch import nn

from trainables.audio.examples.mixing import Batch
from trainables.networks.masking_separator import MaskingSeparator
from trainables.separation.label_switches import (
    LabelSwitches,
    switch_percent,
    symmetric_switch_percent,
)


def batch(items: int = 8, sources: int = 2) -> Batch:
    clean = torch.randn(items, sources, 400, generator=torch.Generator().manual_seed(items))
    return Batch(noisy=clean.sum(1), clean=clean, lengths=torch.full((items,), 400))


class Oracle(nn.Module):
    """Gives the voices in an order of its own."""

    def __init__(self, clean: torch.Tensor, order: list[int]) -> None:
        super().__init__()
        self.clean, self.order = clean, order

    def forward(self, noisy: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        return self.clean[:, self.order]


def oracle(clean: torch.Tensor, order: list[int]) -> MaskingSeparator:
    """What a measurement asks of a separator is its output."""
    return cast(MaskingSeparator, Oracle(clean, order))


@pytest.mark.parametrize(
    ("sources", "order", "switch", "symmetric"),
    [
        (2, [0, 1], 0.0, 0.0),
        (2, [1, 0], 100.0, 0.0),
        (3, [1, 2, 0], 100.0, 0.0),
    ],
)
def test_unchanged_and_swapped_outputs(sources: int, order: list[int], switch: float, symmetric: float) -> None:
    mixtures = batch(sources=sources)
    switches = LabelSwitches(8, sources)
    first = oracle(mixtures.clean, list(range(sources)))
    assert switches.measure(first, [mixtures]) == {}
    found = switches.measure(oracle(mixtures.clean, order), [mixtures])
    assert found["switch_percent"] == switch
    assert found["switch_symmetric_percent"] == symmetric
    assert found["margin_mean"] > 20
    assert found["ambiguous_percent"] == 0.0


def test_each_measurement_is_compared_with_the_one_before() -> None:
    mixtures = batch()
    switches = LabelSwitches(8, 2)
    straight, crossed = oracle(mixtures.clean, [0, 1]), oracle(mixtures.clean, [1, 0])
    values = [switches.measure(network, [mixtures]) for network in (straight, crossed, crossed, straight)]
    assert [value.get("switch_percent") for value in values] == [None, 100.0, 0.0, 100.0]


def test_memory_survives_a_checkpoint() -> None:
    mixtures = batch()
    switches, resumed = LabelSwitches(8, 2), LabelSwitches(8, 2)
    switches.measure(oracle(mixtures.clean, [1, 0]), [mixtures])
    resumed.load_state_dict(switches.state_dict())
    found = resumed.measure(oracle(mixtures.clean, [1, 0]), [mixtures])
    assert found["switch_percent"] == 0.0


def test_batches_are_one_set() -> None:
    mixtures, more = batch(4), batch(6)
    both = LabelSwitches(10, 2)

    def network(order: list[int]) -> MaskingSeparator:
        return cast(MaskingSeparator, lambda noisy, lengths: (mixtures if len(noisy) == 4 else more).clean[:, order])

    both.measure(network([0, 1]), [mixtures, more])
    assert both.measure(network([1, 0]), [mixtures, more])["switch_percent"] == 100.0


def test_symmetric_switch_of_three_voices_takes_the_best_relabelling() -> None:
    before = torch.tensor([[0, 1, 2]] * 4)
    after = torch.tensor([[1, 2, 0], [1, 2, 0], [1, 2, 0], [0, 1, 2]])
    assert switch_percent(before, after) == 75.0
    assert symmetric_switch_percent(before, after) == 25.0


def test_two_voices_are_the_smaller_of_both_shares() -> None:
    before = torch.tensor([[0, 1]] * 10)
    after = torch.tensor([[1, 0]] * 7 + [[0, 1]] * 3)
    assert switch_percent(before, after) == pytest.approx(70.0)
    assert symmetric_switch_percent(before, after) == pytest.approx(30.0)
