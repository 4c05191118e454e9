"""A sweep decided by a metric of which less is better takes every decision that its mirror image takes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import InMemoryStorage

from benchmarks.simulation.simulated import Simulation, facts, simulated_plan, simulated_score
from sweep.commands.winning_model import best_seed
from sweep.core.jobs import Job
from sweep.progress.progress_state import ProgressState
from sweep.report.figures.pareto import pareto_front
from sweep.report.findings.learning_curves import learning_curves
from sweep.report.standings import standings
from sweep.stored.rows import store_rows
from sweep.study.outcomes import Outcome
from sweep.study.study import StudyStore
from sweep.tracking.mlflow_page import experiment_tags
from trainables.base.storage.storage import Storage
from trainables.config.registry import config_class
from trainables.metrics import catalogue
from trainables.metrics.catalogue import METRICS, merit
from trainables.training.plateau import plateau_factor

PLAN = simulated_plan(samples=12, seeds=3, exempt=2)


@pytest.fixture(autouse=True)
def distance(monkeypatch: pytest.MonkeyPatch) -> None:
    """A metric that is si_sdr with its sign turned."""
    turned = replace(METRICS["si_sdr"], lower=True, title="distance (dB)")
    monkeypatch.setitem(catalogue._BUILT_IN, "distance", turned)


def ran(metric: str, sign: float) -> tuple[StudyStore, dict[str, tuple[Any, ...]]]:
    plan = replace(PLAN, metric=metric)
    store = StudyStore(InMemoryStorage(), plan.name, owner=plan)
    assert Simulation(plan, store, score=lambda *of: sign * simulated_score(*of)).run()
    return store, facts(store, plan)


def test_the_search_proposes_stops_and_finalises_as_its_mirror_image() -> None:
    _, higher = ran("si_sdr", 1.0)
    _, lower = ran("distance", -1.0)
    assert "pruned" in {state for state, *_ in higher.values()}
    assert {job: (state, nuisance) for job, (state, nuisance, *_) in lower.items()} == {
        job: (state, nuisance) for job, (state, nuisance, *_) in higher.items()
    }
    # Scores are kept in the metric's own sign.
    assert {job: score for job, (*_, score, _) in lower.items() if score is not None} == {
        job: -score for job, (*_, score, _) in higher.items() if score is not None
    }


def test_without_the_direction_it_would_be_another_search() -> None:
    """The mirror image is a test only if the sign matters."""
    _, higher = ran("si_sdr", 1.0)
    _, wrong = ran("si_sdr", -1.0)
    assert {job: nuisance for job, (_, nuisance, *_) in wrong.items()} != {
        job: nuisance for job, (_, nuisance, *_) in higher.items()
    }


@pytest.mark.parametrize(("metric", "direction"), [("si_sdr", "MAXIMIZE"), ("distance", "MINIMIZE")])
def test_the_stored_study_knows_the_direction(metric: str, direction: str) -> None:
    plan, storage = replace(PLAN, metric=metric), InMemoryStorage()
    store = StudyStore(storage, plan.name, owner=plan)
    assert Simulation(plan, store).run()
    assert {study.direction.name for study in optuna.get_all_study_summaries(storage)} == {direction}


def test_progress_and_standings_lead_with_the_lowest() -> None:
    plan = replace(PLAN, metric="distance")
    jobs = [Job("tera", "search", label, number) for number, label in enumerate(("none", "layer1", "layer1"))]
    scores = dict(zip(jobs, (3.0, 1.5, 2.0), strict=True))
    state = ProgressState(plan, states=dict.fromkeys(jobs, "complete"), scores=scores)
    assert state.leader("tera") == {"candidate": "layer1", "score": 1.5, "phase": "search"}
    outcomes = [Outcome(job, "complete", score) for job, score in scores.items()]
    rows = standings(plan, outcomes)[0]["candidates"]
    assert [(row["label"], row["best_search_score"]) for row in rows[:3]] == [
        ("layer1", 1.5),
        ("none", 3.0),
        ("random", None),
    ]


def test_curves_lead_the_baseline_where_they_are_below_it() -> None:
    summary = {"splits": {"train": {"utterances": 9, "speech_seconds": 60.0}}}
    found = {}
    for metric, sign in (("si_sdr", 1.0), ("distance", -1.0)):
        store, _ = ran(metric, sign)
        plan = replace(PLAN, metric=metric, corpus_summary=summary)
        found[metric] = learning_curves(plan, store.all_records(plan))
    for higher, lower in zip(found["si_sdr"], found["distance"], strict=True):
        assert lower["score"] == [-value for value in higher["score"]]
        assert lower["lead"] == pytest.approx(higher["lead"])
        assert lower["reached_baseline"] == higher["reached_baseline"]
    assert any((curve["lead"][-1] or 0.0) > 0 for curve in found["distance"])


def test_the_pareto_front_is_that_of_the_mirror_image() -> None:
    points = {"a": (1.0, 3.0), "b": (2.0, 2.0), "c": (3.0, 1.0), "dominated": (1.0, 1.0)}
    turned = {label: (-x, y) for label, (x, y) in points.items()}
    assert pareto_front(points, ("stoi", "si_sdr")) == ["a", "b", "c"]
    assert pareto_front(turned, ("distance", "si_sdr")) == ["c", "b", "a"]
    assert pareto_front(points, ("distance", "distance")) == ["dominated"]


def test_the_learning_rate_waits_for_a_lower_score() -> None:
    config = replace(config_class("separation").from_dict({}), plateau_patience=1, plateau_factor=0.5)
    falling, rising = [3.0, 2.0, 1.0, 0.5], [0.5, 1.0, 2.0, 3.0]
    assert plateau_factor([merit("distance", score) for score in falling], config) == 1.0
    assert plateau_factor([merit("distance", score) for score in rising], config) < 1.0


def test_mlflow_sorts_from_the_lowest() -> None:
    for metric, ascending in (("si_sdr", '"orderByAsc": false'), ("distance", '"orderByAsc": true')):
        assert ascending in str(experiment_tags(replace(PLAN, metric=metric)))


def test_the_finalist_with_the_lowest_mean_is_the_best_seed(tmp_path: Path) -> None:
    """As `enhance.py` and `load_winner` choose it, on valid."""
    facts = {
        "group": "tera",
        "candidate": "layer1",
        "phase": "final",
        "split": "valid",
        "utterance": "u",
        "status": "ok",
    }
    rows = [
        {
            **facts,
            "seed": seed,
            "job": f"tera/final/layer1/seed-{seed}",
            "metric": metric,
            "value": value,
            "status": "ok",
        }
        for seed, value in ((1001, 2.0), (1002, 1.0), (1003, 3.0))
        for metric in ("distance", "si_sdr")
    ]
    storage = Storage(tmp_path)
    store_rows(storage, rows, "valid")
    for metric, best in (("distance", 1002), ("si_sdr", 1003)):
        assert best_seed(replace(PLAN, metric=metric), storage, "tera", "layer1").number == best
