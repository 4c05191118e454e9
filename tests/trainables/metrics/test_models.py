"""Metrics that need a model: who names it, who shares it, and that it is loaded once."""

from pathlib import Path

import numpy as np
import pytest

from tests.trainables.metrics import toy_model
from trainables.base.errors import UserError
from trainables.metrics import catalogue
from trainables.metrics.catalogue import with_shared_models
from trainables.metrics.mixture_scorer import Mixture, score_mixtures
from trainables.metrics.scorer import Scorer, _loaded

RATE = 16000
TONE = np.sin(np.arange(RATE) * 0.05) * 0.5


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, info in toy_model.TOYS.items():
        monkeypatch.setitem(catalogue._BUILT_IN, name, info)
    monkeypatch.setattr(toy_model, "LOADED", [])
    _loaded.cache_clear()


@pytest.fixture
def three(tmp_path: Path) -> str:
    (tmp_path / "three").write_text("3")
    return str(tmp_path / "three")


def test_metrics_of_one_loader_share_the_model_that_one_of_them_names(three: str) -> None:
    assert with_shared_models(["distance", "scale", "stoi"], {"scale": three}) == {"scale": three, "distance": three}
    both = {"scale": "/one", "distance": "/two"}
    assert with_shared_models(["distance", "scale"], both) == both
    assert with_shared_models(["stoi"], {}) == {}


@pytest.mark.parametrize(
    ("names", "models", "message"),
    [
        (["distance"], {}, "metric 'distance' needs a file with a number: a path: give --also distance=PLACE"),
        (["stoi"], {"stoi": "/x"}, "metric 'stoi' takes no model"),
        (["stoi"], {"distance": "/x"}, "metric 'distance' takes no model"),
    ],
)
def test_a_model_that_is_missing_or_not_needed_is_refused(
    names: list[str], models: dict[str, str], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        with_shared_models(names, models)
    with pytest.raises(UserError, match=message):
        Scorer(names, models=models)


def test_rows_have_the_weight_that_a_metric_gives_and_the_model_is_loaded_once(three: str) -> None:
    scorer = Scorer(["distance", "scale", "si_sdr"], RATE, models={"distance": three})
    rows = scorer.score(["a", "b"], [TONE, TONE], [TONE, TONE * 0.5], ["one two", "one"])
    by = {(row["utterance"], row["metric"]): row for row in rows}
    assert by["a", "distance"]["value"] == 0.0
    assert by["b", "distance"]["value"] == pytest.approx(3 * 0.25, abs=1e-3)
    assert (by["a", "distance"]["weight"], by["b", "distance"]["weight"]) == (2, 1)
    assert by["a", "scale"]["value"] == 3.0
    assert "weight" not in by["a", "scale"]
    assert "weight" not in by["a", "si_sdr"]
    assert [three] == toy_model.LOADED


def test_without_transcripts_the_row_says_so(three: str) -> None:
    (row,) = Scorer(["distance"], RATE, models={"distance": three}).score(["a"], [TONE], [TONE])
    assert (row["value"], row["status"]) == (None, "no_transcript")


def test_a_model_that_cannot_be_loaded_is_no_status_of_a_row(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Scorer(["scale"], RATE, models={"scale": str(tmp_path / "gone")}).score(["a"], [TONE], [TONE])


def test_a_separated_mixture_is_scored_with_the_model_too(three: str) -> None:
    voices = np.stack([TONE, np.roll(TONE, 7) ** 3])
    rows = score_mixtures([Mixture("m", voices.sum(0), voices, voices)], ["scale", "si_sdr"], RATE, {"scale": three})
    assert [(row["metric"], row["status"]) for row in rows] == [("scale", "ok"), ("si_sdr", "ok")]
    assert rows[0]["value"] == 3.0
