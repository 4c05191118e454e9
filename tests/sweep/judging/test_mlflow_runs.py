"""An MLflow experiment in a real database: one value a run, seeds and candidates by tag, parameter or run name."""

import math
from pathlib import Path
from typing import Any

import pytest

from sweep.core.addresses import sqlite_uri
from sweep.judging.columns import Asked
from sweep.judging.mlflow_runs import read_experiment
from sweep.judging.scores import Scores, joined
from sweep.tracking.mlflow_view import open_client
from trainables.base.errors import UserError


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """By tags; by run names, with a failed run, one under way and a parent run; without seeds; twice the same."""
    uri = sqlite_uri(tmp_path_factory.mktemp("mlflow") / "mlflow.db")
    client = open_client(uri)

    def log(experiment: str, status: str = "FINISHED", pesq: float | None = None, **facts: Any) -> None:
        found = client.get_experiment_by_name(experiment)
        ident = found.experiment_id if found else client.create_experiment(experiment)
        run = client.create_run(ident, run_name=facts.pop("name", None), tags=facts.pop("tags", {}))
        for name, value in facts.items():
            client.log_param(run.info.run_id, name, value)
        if pesq is not None:
            client.log_metric(run.info.run_id, "pesq", pesq)
        if status != "RUNNING":
            client.set_terminated(run.info.run_id, status)

    for seed in (1, 2, 3):
        for system, level in (("a", 2.0), ("b", 2.5)):
            log("tagged", pesq=level + seed / 8, seed=seed, tags={"system": system})
            log("named", pesq=level + seed / 8, random_seed=seed, name=f"{system}-seed{seed}")
            log("twice", pesq=level, seed=1 + seed // 2, tags={"system": system})
            log("seedless", pesq=level, tags={"system": system})
    log("named", "FAILED", pesq=9.0, random_seed=4, name="b-seed4")
    log("named", "RUNNING", pesq=9.0, random_seed=5, name="b-seed5")
    log("named", name="parent")
    return uri


def scores_of(uri: str, experiment: str, **asked: str) -> Scores:
    table, how = read_experiment(uri, experiment, Asked(**{"metric": "pesq", **asked}))
    return joined([table], [("", None)], how)


def cells(scores: Scores) -> dict[tuple[str, str], float]:
    frame = scores.frame
    return dict(zip(zip(frame["candidate"], frame["seed"], strict=True), frame["value"], strict=True))


@pytest.mark.parametrize("asked", [{}, {"candidate": "system", "seed": "seed"}])
def test_candidates_and_seeds_from_tags_and_parameters(uri: str, asked: dict[str, str]) -> None:
    scores = scores_of(uri, "tagged", **asked)
    assert cells(scores) == {(c, str(s)): level + s / 8 for c, level in (("a", 2.0), ("b", 2.5)) for s in (1, 2, 3)}
    assert "candidate=system" in scores.notes[0]
    assert "seed=seed" in scores.notes[0]


def test_the_runs_names_without_their_seeds_and_what_did_not_end_well(uri: str) -> None:
    scores = scores_of(uri, "named")
    found = cells(scores)
    assert len(found) == 7
    assert math.isnan(found.pop(("b", "4")))
    assert found[("a", "3")] == 2.375
    assert [note.split(" ", 1)[0] for note in scores.notes[1:]] == ["1", "1", "1"]


@pytest.mark.parametrize(
    ("experiment", "asked", "said"),
    [
        ("morning", {}, ["'morning'", "tagged"]),
        ("tagged", {"metric": "stoi"}, ["'stoi'", "pesq"]),
        ("tagged", {"seed": "fold"}, ["--seed fold", "seed, system"]),
        ("seedless", {}, ["--seed", "system"]),
        ("twice", {}, ["both have candidate", "delete"]),
    ],
)
def test_what_is_not_there_is_refused_with_what_is(
    uri: str, experiment: str, asked: dict[str, str], said: list[str]
) -> None:
    with pytest.raises(UserError) as error:
        scores_of(uri, experiment, **asked)
    assert all(words in str(error.value) for words in said)


@pytest.mark.parametrize("place", ["sqlite:///{}/none.db", "{}/mlruns", "http://127.0.0.1:9"])
def test_a_place_that_does_not_answer_is_refused_and_nothing_is_made_there(place: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--mlflow"):
        scores_of(place.format(tmp_path), "tagged")
    assert not [*tmp_path.iterdir()]
