"""The paper's momenta and our horizons: exact both ways, and what a training uses in the paper's terms."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainables.base.errors import UserError
from trainables.contrastive_se.config import ContrastiveSEConfig
from trainables.normalized_ssl.config import NormalizedSSLConfig, horizon_of, momentum_of

NORMALIZED = {"upstream": "tera", "norm_layers": [1]}


def config(**values: Any) -> NormalizedSSLConfig:
    return NormalizedSSLConfig.from_dict({**NORMALIZED, **values})


@settings(derandomize=True)
@given(st.decimals(0, Fraction(999_999, 1_000_000), places=6))
def test_a_momentum_comes_back_exactly_from_its_horizon(written: Decimal) -> None:
    beta = float(written)
    horizon = config(beta_m=beta).horizon_m
    assert horizon is not None
    assert 1.0 <= horizon <= 1e6
    assert momentum_of(horizon) == beta
    assert config(beta_m=beta).paper_terms(steps=100)["beta_m"] == beta


@pytest.mark.parametrize(("beta", "horizon"), [(0.99, 100.0), (0.999, 1000.0), (0.5, 2.0), (0, 1.0), (0.999999, 1e6)])
def test_round_momenta_are_round_horizons(beta: float, horizon: float) -> None:
    assert horizon_of(beta) == horizon
    assert config(beta_m=beta, beta_r=beta) == config(horizon_m=horizon, horizon_r=horizon)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"beta_m": 1.0}, ["beta_m=1.0", "0 to 0.999999"]),
        ({"beta_r": -0.1}, ["beta_r=-0.1"]),
        ({"beta_m": "0.99"}, ["beta_m='0.99'", "a number"]),
        ({"beta_m": 0.99, "horizon_m": 50}, ["beta_m=0.99", "horizon_m=50", "only one"]),
    ],
)
def test_a_refusal_names_the_momentum(values: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(UserError) as refused:
        config(**values)
    assert all(word in str(refused.value) for word in words)


def test_the_two_momenta_are_independent() -> None:
    assert config(beta_m=0.9, horizon_r=50).horizon_m == 10.0


@pytest.mark.parametrize(
    ("values", "steps", "terms"),
    [
        (
            {},
            50_000,
            {"k0": 0.8, "beta_m": 0.99, "beta_r": 0.999},
        ),  # the paper's own, by default at its scale
        ({}, 100, {"k0": 0.8, "beta_m": 0.6, "beta_r": 0.9}),  # a 40th and a 10th of a short budget
        (
            {"upstream": "wav2vec2", "k0": 0.25, "horizon_m": 20},
            100,
            {"k0": 0.25, "beta_m": 0.95, "beta_r": 0.9},
        ),
    ],
)
def test_paper_terms_are_resolved_for_the_budget(values: dict[str, Any], steps: int, terms: dict[str, float]) -> None:
    found = config(**values)
    assert found.paper_terms(steps) == terms
    assert [1 - 1 / horizon for horizon in found.horizons(steps)] == pytest.approx([terms["beta_m"], terms["beta_r"]])


def test_without_normalization_there_is_nothing_to_show() -> None:
    assert NormalizedSSLConfig().paper_terms(steps=100) == {}
    assert ContrastiveSEConfig().paper_terms(steps=100) == {}
