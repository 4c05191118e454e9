"""How often the search finds the best layer of every group; benchmarks/search_quality.py has the figures."""

import pytest

from benchmarks.search_quality import compare
from benchmarks.simulation.known_world import found


@pytest.mark.slow
def test_the_best_layer_is_found_more_often_than_by_the_stock_search() -> None:
    answers = compare(repeats=10, groups=4, samples=4, seeds=3)
    assert found(answers["ours"]) > found(answers["stock"])
