"""Quadrature against published tables, an independent integrator, and draws."""

import numpy as np
import pytest
from scipy import stats

from sweep.verdict.simultaneous import (
    dunnett_critical,
    dunnett_p,
    holm_adjusted,
    probability_best,
    tukey_critical,
    tukey_p,
)


@pytest.mark.parametrize(
    ("n_compared", "df", "published"),
    # Dunnett 1964, "New tables for multiple comparisons with a control", two-sided 5 %.
    [(2, 5, 3.03), (3, 5, 3.29), (5, 5, 3.62), (2, 10, 2.57), (5, 10, 2.99), (4, 20, 2.65), (5, 60, 2.58)],
)
def test_critical_values_are_those_of_the_published_table(n_compared: int, df: int, published: float) -> None:
    assert dunnett_critical(0.05, n_compared, df) == pytest.approx(published, abs=0.0051)


@pytest.mark.parametrize(("n_compared", "df"), [(2, 2), (5, 3), (3, 12), (5, 200)])
def test_p_values_agree_with_the_multivariate_t(n_compared: int, df: int) -> None:
    correlation = (np.eye(n_compared) + 1) / 2
    bound = np.full(n_compared, 2.4)
    inside = stats.multivariate_t.cdf(bound, shape=correlation, df=df, lower_limit=-bound, random_state=0)
    assert dunnett_p(2.4, n_compared, df) == pytest.approx(1 - inside, abs=2e-4)


@pytest.mark.parametrize("df", [1.5, 4.0, 1e9])
def test_one_comparison_is_students_t(df: float) -> None:
    assert dunnett_p(2.0, 1, df) == pytest.approx(2 * stats.t.sf(2.0, df), abs=1e-5)
    assert dunnett_critical(0.05, 1, df) == pytest.approx(stats.t.isf(0.025, df))


def test_the_critical_value_has_the_chance_it_promises() -> None:
    assert dunnett_p(dunnett_critical(0.01, 4, 7.3), 4, 7.3) == pytest.approx(0.01, abs=1e-9)


@pytest.mark.parametrize("df", [0.3, 0.45, 0.6, 1.0])
@pytest.mark.parametrize("n_compared", [2, 4])
def test_next_to_no_degrees_of_freedom_give_a_finite_bound_and_no_crash(n_compared: int, df: float) -> None:
    critical = dunnett_critical(0.05, n_compared, df)
    assert stats.t.isf(0.025, df) < critical <= stats.t.isf(0.025 / n_compared, df) * (1 + 1e-9)


@pytest.mark.parametrize("df", [1.5, 4.0, 10.0, 60.5, 1e6])
@pytest.mark.parametrize("n_candidates", [2, 3, 6, 12])
def test_tukeys_critical_values_are_the_studentized_ranges(n_candidates: int, df: float) -> None:
    critical = stats.studentized_range.isf(0.05, n_candidates, df) / 2**0.5
    assert tukey_critical(0.05, n_candidates, df) == pytest.approx(critical, rel=2e-4)
    assert tukey_p(critical, n_candidates, df) == pytest.approx(0.05, abs=2e-5)


def test_two_candidates_have_students_t() -> None:
    assert tukey_critical(0.05, 2, 7.5) == pytest.approx(stats.t.isf(0.025, 7.5))
    assert tukey_p(2.1, 2, 7.5) == pytest.approx(2 * stats.t.sf(2.1, 7.5))


def test_equal_calls_give_equal_bits() -> None:
    first = dunnett_p(2.1, 5, 9.7)
    dunnett_p(1.0, 3, 4.0)
    assert dunnett_p(2.1, 5, 9.7) == first


def test_probability_best_agrees_with_draws() -> None:
    means, error, df = np.array([0.10, 0.12, 0.05, 0.11]), 0.03, 6.0
    rng = np.random.default_rng(0)
    scale = np.sqrt(rng.chisquare(df, (200_000, 1)) / df)
    drawn = (means + error * rng.standard_normal((200_000, 4)) / scale).argmax(axis=1)
    assert probability_best(means, error, df) == pytest.approx(np.bincount(drawn) / 200_000, abs=0.005)


def test_without_error_the_best_is_certain_and_equals_share() -> None:
    assert probability_best(np.array([1.0, 3.0, 3.0]), 0.0, 5.0).tolist() == [0, 0.5, 0.5]


def test_holm_steps_down() -> None:
    """Holm 1979: the smallest p times m, the next times m - 1, never decreasing, at most 1."""
    assert holm_adjusted([0.01, 0.04, 0.03, 0.5]) == pytest.approx([0.04, 0.09, 0.09, 0.5])
    assert holm_adjusted([0.9, 0.6]) == [1.0, 1.0]
    assert holm_adjusted([]) == []
