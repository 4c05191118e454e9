"""Scores of separated mixtures: assignment first, then means over sources, then improvements."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from trainables.metrics.mixture_scorer import Mixture, best_order, score_mixtures
from trainables.metrics.scorer import Scorer
from trainables.metrics.si_sdr import si_sdr

RATE = 8000


def voices(seed: int, sources: int = 2, samples: int = 8000) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (0.1 * rng.standard_normal((sources, samples))).astype(np.float32)


REFERENCES = voices(1)
MIXTURE = REFERENCES.sum(0)
ESTIMATES = REFERENCES + 0.1 * voices(2)


def scores(
    estimates: np.ndarray, references: np.ndarray = REFERENCES, metrics: Sequence[str] | None = None
) -> dict[str, dict]:
    mixture = references.sum(0)
    rows = score_mixtures([Mixture("m", mixture, references, estimates)], metrics, RATE)
    return {row["metric"]: row for row in rows}


def test_one_row_per_metric_with_the_columns_of_every_score() -> None:
    rows = scores(ESTIMATES)
    assert list(rows) == ["si_sdri", "sdri", "si_sdr", "sdr"]
    single = Scorer(["si_sdr"], RATE).score(["m"], [REFERENCES[0]], [ESTIMATES[0]])[0]
    assert all(row.keys() == single.keys() for row in rows.values())
    assert {row["status"] for row in rows.values()} == {"ok"}


def test_a_metric_is_the_mean_over_sources() -> None:
    expected = np.mean([si_sdr(*pair) for pair in zip(REFERENCES, ESTIMATES, strict=True)])
    assert scores(ESTIMATES)["si_sdr"]["value"] == pytest.approx(expected)


def test_an_improvement_is_the_estimate_minus_the_mixture() -> None:
    rows = scores(ESTIMATES)
    before = np.mean([si_sdr(reference, MIXTURE) for reference in REFERENCES])
    assert rows["si_sdri"]["value"] == pytest.approx(rows["si_sdr"]["value"] - before)


@pytest.mark.parametrize("sources", [2, 3])
def test_outputs_have_no_order(sources: int) -> None:
    references = voices(3, sources)
    estimates = references + 0.1 * voices(4, sources)
    turned = np.roll(estimates, 1, axis=0)
    for metric, row in scores(estimates, references).items():
        assert scores(turned, references)[metric]["value"] == pytest.approx(row["value"])
    assert list(np.roll(np.arange(sources), 1)[best_order(references, turned)]) == list(range(sources))


def test_the_mixture_as_its_own_estimate_improves_by_nothing() -> None:
    rows = scores(np.stack([MIXTURE, MIXTURE]))
    assert rows["si_sdri"]["value"] == 0.0
    assert rows["sdri"]["value"] == 0.0


def test_an_oracle_improves_by_a_lot() -> None:
    rows = scores(REFERENCES.copy())
    assert rows["si_sdri"]["value"] > 60
    assert rows["sdri"]["value"] > 60


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (lambda references, estimates: references.__setitem__(1, 0.0), "silent_reference"),
        (lambda references, estimates: estimates.__setitem__(0, 0.0), "no_utterance"),
        (lambda references, estimates: estimates.__setitem__((1, 5), np.nan), "non_finite"),
    ],
)
def test_half_a_separation_is_no_separation(change: Callable[..., Any], status: str) -> None:
    references, estimates = REFERENCES.copy(), ESTIMATES.copy()
    change(references, estimates)
    rows = score_mixtures([Mixture("m", MIXTURE, references, estimates)], None, RATE)
    assert {(row["value"], row["status"]) for row in rows} == {(None, status)}


@pytest.mark.parametrize("samples", [0, 1, 2, 10, 100])
def test_short_mixtures_get_a_status(samples: int) -> None:
    clean = voices(1, samples=8000)[:, 4000 : 4000 + samples]
    rows = score_mixtures([Mixture("short", clean.sum(0), clean, 0.5 * clean)], None, 8000)
    found = {row["metric"]: row["status"] for row in rows}
    assert found["sdr"] == found["sdri"] == ("silent_reference" if samples < 2 else "too_short")
    assert found["si_sdri"] == ("ok" if samples > 2 else found["sdr"])


def test_shapes_that_do_not_fit_are_a_defect() -> None:
    with pytest.raises(ValueError, match="mixture 'm'"):
        score_mixtures([Mixture("m", MIXTURE, REFERENCES, ESTIMATES[:1])], None, RATE)
