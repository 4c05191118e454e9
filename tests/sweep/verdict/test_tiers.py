"""Tiers from pairs that are separated."""

import pytest

from sweep.verdict.tiers import tiers


@pytest.mark.parametrize(
    ("separated", "expected"),
    [
        ([], [["a", "b", "c", "d"]]),
        (["ab", "ac", "ad", "bc", "bd", "cd"], [["a"], ["b"], ["c"], ["d"]]),
        (["ac", "ad", "bd"], [["a", "b"], ["b", "c"], ["c", "d"]]),
        (["ad"], [["a", "b", "c"], ["b", "c", "d"]]),
        (["ab", "ac", "ad"], [["a"], ["b", "c", "d"]]),
    ],
)
def test_a_tier_is_a_longest_run_without_a_separated_pair(separated: list[str], expected: list[list[str]]) -> None:
    assert tiers("abcd", lambda better, worse: better + worse in separated) == expected


def test_a_pair_within_one_that_is_not_separated_is_not_either() -> None:
    """b is measured precisely and separated from c, but a and d around them are not: tiers follow the scores."""
    assert tiers("abcd", lambda better, worse: better + worse == "bc") == [["a", "b", "c", "d"]]


def test_no_candidate_has_no_tier() -> None:
    assert tiers([], lambda better, worse: True) == []
