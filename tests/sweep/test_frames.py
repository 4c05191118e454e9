"""A sweep as data frames, one line each, without torch."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.simulation.simulated import Simulation
from sweep.frames import leaderboard, trials, utterance_scores
from sweep.study.study import StudyStore
from tests.support import REPOSITORY
from tests.support.sweeps.finished_sweep import finished_sweep
from trainables.base.errors import UserError


@pytest.fixture
def base(tmp_path: Path) -> str:
    finished_sweep(tmp_path)
    return str(tmp_path)


def test_the_leaderboard_has_a_row_per_group_and_candidate_best_first(base: str) -> None:
    frame = leaderboard("evening", output=base)
    assert len(frame) == 10
    tera = frame[frame["group"] == "tera"]
    assert list(tera["candidate"]) == ["layer2", "layer3", "layer1", "none", "random"]
    assert tera["score"].is_monotonic_decreasing
    assert (tera["low"] < tera["score"]).all()


def test_another_metric_keeps_the_leader(base: str) -> None:
    frame = leaderboard("evening", metric="wb_pesq", output=base)
    assert set(frame["metric"]) == {"wb_pesq"}
    assert frame["score"].max() < 1.5
    with pytest.raises(UserError, match="unknown metric"):
        leaderboard("evening", metric="loudness", output=base)


def test_utterance_scores_are_the_rows_of_the_verdict(base: str) -> None:
    rows = utterance_scores("evening", output=base)
    means = rows.query("metric == 'si_sdr' and group == 'tera'").groupby("candidate")["value"].mean()
    board = leaderboard("evening", output=base).query("group == 'tera'").set_index("candidate")["score"]
    pd.testing.assert_series_equal(means[board.index], board, check_names=False)
    with pytest.raises(UserError, match="no valid scores yet"):
        utterance_scores("evening", "valid", output=base)


def test_trials_are_the_study(tmp_path: Path) -> None:
    plan = finished_sweep(tmp_path)
    with pytest.raises(UserError, match="has no study"):
        trials("evening", output=str(tmp_path))
    store = StudyStore(plan.study_uri, plan.name)
    Simulation(plan, store).run(killed_after=30)
    frame = trials("evening", output=str(tmp_path))
    records = store.all_records(plan)
    assert list(frame["job"]) == [record.job.path for record in records]
    assert list(frame["state"]) == [record.state for record in records]
    assert list(frame["lr_head"]) == [record.nuisance["lr_head"] for record in records]
    complete = frame[frame["state"] == "complete"]
    assert len(complete)
    assert complete["ended"].ge(complete["started"]).all()
    assert frame[frame["state"] == "running"]["ended"].isna().all()


def test_no_torch_no_ray_no_mlflow() -> None:
    code = "import sweep.frames, sys; print(*({'torch', 'ray', 'mlflow'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
