"""The probe that was no part of the game."""

import pytest
import torch

from trainables.normalized_ssl.domain_probe import probe_accuracy


def drawn(classes: int, shift: float, items: int = 400, values: int = 20) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    domain = torch.randint(classes, (items,), generator=generator)
    statistics = torch.randn(items, values, generator=generator)
    statistics[torch.arange(items), domain] += shift
    return 5.0 * statistics + 100.0, domain


@pytest.mark.parametrize(("classes", "chance"), [(2, 0.5), (5, 0.2)])
def test_it_finds_what_is_there_and_guesses_where_nothing_is(classes: int, chance: float) -> None:
    crops = torch.arange(400)
    assert probe_accuracy(*drawn(classes, 8.0), crops) > 0.97
    assert probe_accuracy(*drawn(classes, 0.0), crops) == pytest.approx(chance, abs=0.1)


def test_the_items_of_a_crop_stay_on_one_side() -> None:
    """A voice that is in both halves would be known again: here an item's statistics are its crop's alone."""
    statistics = torch.randn(100, 200, generator=torch.Generator().manual_seed(1)).repeat_interleave(2, 0)
    domain = torch.randint(2, (100,), generator=torch.Generator().manual_seed(2)).repeat_interleave(2)
    by_crop = torch.arange(100).repeat_interleave(2)
    assert probe_accuracy(statistics, domain, by_crop) == pytest.approx(0.5, abs=0.15)
    assert probe_accuracy(statistics, domain, torch.arange(200)) > 0.95


def test_more_statistics_than_items_and_constant_ones_are_no_trouble() -> None:
    statistics = torch.zeros(8, 300)
    statistics[:, 0] = torch.tensor([0.0, 0.0, 1.0, 1.0] * 2)
    assert probe_accuracy(statistics, torch.tensor([0, 0, 1, 1] * 2), torch.arange(8)) == 1.0
