"""The report's files: whatever reads them finds the verdict's own numbers, and the published ones marked."""

import io
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
import pytest
from matplotlib import image

from benchmarks.simulation.simulated import Simulation, simulated_plan
from sweep.plan.plan import Plan
from sweep.report.figures.pareto import pareto_front, pareto_plot, second_metric
from sweep.report.figures.search import ended, search_plots, shared_parameters
from sweep.report.leaderboard_files import leaderboard_frame
from sweep.report.publication import Publication
from sweep.storage.checkpoints import StoredCheckpoints
from sweep.study.study import JobRecord, StudyStore
from sweep.verdict.result import Result
from tests.support import REPOSITORY
from tests.support.sweeps.finished_sweep import finished_sweep, rows_on_test
from tests.support.sweeps.kept_clips import keep_clips
from tests.support.sweeps.published_report import published_report
from trainables.base.storage.storage import Storage
from trainables.listening import LISTENING_FILE


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """(folder with the report, result) of a finished sweep."""
    folder, result = published_report(tmp_path_factory.mktemp("sweeps"))
    return folder, cast(Result, result)


@pytest.fixture(scope="module")
def searched() -> tuple[Plan, list[JobRecord]]:
    """(plan, records) of a simulated search in which some trials were stopped early."""
    plan = simulated_plan("sqlite://", samples=8, steps=16)
    store = StudyStore(plan.study_uri, plan.name)
    Simulation(plan, store).run()
    records = [r for group in plan.groups for r in store.records(group.name, "search")]
    assert {record.state for record in records} == {"complete", "pruned"}
    return plan, records


def test_csv_and_parquet_hold_the_same_table(published: tuple[Path, Result]) -> None:
    folder, result = published
    csv, parquet = pd.read_csv(folder / "leaderboard.csv"), pd.read_parquet(folder / "leaderboard.parquet")
    assert list(csv.columns) == list(parquet.columns)
    ours = parquet[parquet.source == "this sweep"]
    assert len(ours) == sum(len(group["candidates"]) for group in result["groups"])
    leader = ours[(ours.group == "tera") & (ours.verdict == "winner")].iloc[0]
    assert leader.candidate == "layer2"
    assert leader.score == result["groups"][0]["score"]
    assert [leader.low, leader.high] == result["groups"][0]["interval"]
    assert np.allclose(csv.score.dropna(), parquet.score.dropna().astype(float))


def test_published_rows_are_marked_and_have_no_interval(published: tuple[Path, Result]) -> None:
    _, result = published
    frame = leaderboard_frame(result)
    theirs = frame[frame.source == "published"]
    assert theirs.candidate.str.endswith("(published)").all()
    assert theirs[["low", "high", "seeds"]].isna().all(axis=None)
    row = theirs[theirs.candidate == "wav2vec2.0-normed (layer 2) (published)"].iloc[0]
    assert (row.group, row.wb_pesq) == ("wav2vec2", 2.7861)


def test_latex_has_the_leaderboard_and_a_table_per_group_with_balanced_columns(published: tuple[Path, Result]) -> None:
    text = (published[0] / "leaderboard.tex").read_text()
    tables = re.findall(r"\\begin\{tabular\}\{(\w+)\}(.*?)\\end\{tabular\}", text, re.DOTALL)
    assert len(tables) == 3
    for columns, body in tables:
        rows = [line for line in body.splitlines() if line.endswith("\\\\")]
        assert {line.count("&") for line in rows} == {len(columns) - 1}
        assert "$\\pm$" in body
    printed = "".join(line for line in text.splitlines() if not line.startswith("%"))
    assert "_" not in printed.replace("\\_", "")


def test_markdown_shows_published_rows_below_ours(published: tuple[Path, Result]) -> None:
    page = (published[0] / "leaderboard.md").read_text()
    assert "| TERA-normed (layer 1) (published) | 3.073 |" in page
    assert "Published rows are the paper's" in page


def test_the_index_links_every_file_and_only_files_that_are_there(published: tuple[Path, Result]) -> None:
    folder, _ = published
    page = (folder / "index.html").read_text()
    linked = set(re.findall(r'(?:href|src)="([^"]+)"', page)) - {"data:,"}
    assert page.index("forest.svg") < page.index("scores.png") < page.index("pareto.png")
    linked |= set(re.findall(r'srcset="([^"]+)"', page))
    assert linked == {path.name for path in folder.iterdir()} - {"index.html"}
    assert {"listen-tera.html", "listen-wav2vec2.html", "forest.png", "scores.png", "pareto.png"} <= linked


def test_the_listening_page_says_by_which_seed_and_that_it_decides_nothing(published: tuple[Path, Result]) -> None:
    page = (published[0] / "listen-tera.html").read_text()
    assert "candidates as trained with seed 1001" in page
    assert "decide nothing" in page


def test_pareto_keeps_what_no_other_beats_in_both() -> None:
    points = {"a": (1.0, 3.0), "b": (2.0, 2.0), "c": (3.0, 1.0), "worse": (1.0, 2.0), "inside": (1.5, 1.5)}
    assert pareto_front(points, ("stoi", "wb_pesq")) == ["a", "b", "c"]
    assert pareto_front({"x": (1.0, 1.0), "twin": (1.0, 1.0)}, ("stoi", "wb_pesq")) == ["x", "twin"]


def test_without_a_second_metric_there_is_no_pareto_plot(published: tuple[Path, Result], tmp_path: Path) -> None:
    _, result = published
    assert second_metric(result) == "wb_pesq"
    single = [e | {"scores": {m: v for m, v in e["scores"].items() if m == "si_sdr"}} for e in result["metrics"]]
    pareto_plot(result | {"metrics": single}, tmp_path / "pareto.png")
    assert list(tmp_path.iterdir()) == []


def test_the_study_of_a_search_is_honest_about_early_stops(searched: tuple[Plan, list[JobRecord]]) -> None:
    _, records = searched
    tera = [record for record in records if record.job.group == "tera"]
    study = ended(tera, "si_sdr")
    states = [trial.state.name for trial in study.trials]
    assert states.count("PRUNED") == sum(record.state == "pruned" for record in tera) > 0
    complete = [record.score for record in tera if record.state == "complete"]
    assert study.best_value == max(score for score in complete if score is not None)


def test_a_parameter_that_some_candidates_lack_is_not_shared(searched: tuple[Plan, list[JobRecord]]) -> None:
    _, records = searched
    study = ended([record for record in records if record.job.group == "tera"], "si_sdr")
    assert any("k0" in trial.params for trial in study.trials)
    assert shared_parameters(study.trials) == ["candidate", "lr_body_ratio", "lr_head"]
    assert shared_parameters([]) == []


def test_the_searchs_figures_are_drawn_and_leave_matplotlibs_style_alone(
    searched: tuple[Plan, list[JobRecord]], tmp_path: Path
) -> None:
    import matplotlib

    plan, records = searched
    before = dict(matplotlib.rcParams)
    search_plots(plan, records, tmp_path)
    assert {k: v for k, v in matplotlib.rcParams.items() if k != "backend"} == {
        k: v for k, v in before.items() if k != "backend"
    }
    names = {path.name for path in tmp_path.iterdir()}
    assert names >= {"curves-search.png", "history-tera.png", "parallel-tera.png", "parallel-wav2vec2.png"}
    for path in tmp_path.iterdir():
        pixels = image.imread(io.BytesIO(path.read_bytes()))
        assert min(pixels.shape[:2]) > 200
        assert pixels[..., :3].std() > 0.02


def test_importance_needs_enough_complete_trials(searched: tuple[Plan, list[JobRecord]], tmp_path: Path) -> None:
    plan, records = searched
    complete = [r for r in records if r.state == "complete"]
    search_plots(plan, records, tmp_path)
    for group in plan.groups:
        enough = sum(r.job.group == group.name for r in complete) >= 20
        assert (tmp_path / f"importance-{group.name}.png").exists() == enough
    few = [r for r in complete if r.job.number < 5]
    (tmp_path / "few").mkdir()
    search_plots(plan, few, tmp_path / "few")
    assert not (tmp_path / "few" / "importance-tera.png").exists()


def test_what_cannot_be_made_is_reported_and_left_out(
    published: tuple[Path, Result], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, result = published
    plan = finished_sweep(tmp_path)
    keep_clips(plan)
    checkpoints = StoredCheckpoints(Storage(plan.output))
    checkpoints.write_result("tera/final/layer2/seed-1001", LISTENING_FILE, b"damaged")
    folder = tmp_path / "report"
    folder.mkdir()
    Publication(plan, result, rows_on_test(plan), [], checkpoints).write(folder)
    assert "the report lacks a listening page: ArrowInvalid" in capsys.readouterr().err
    names = {path.name for path in folder.iterdir()}
    assert "listen-tera.html" not in names
    assert {"index.html", "listen-wav2vec2.html", "leaderboard.md", "scores.png"} <= names


HOSTILE = {
    "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0",  # text in ASCII
    "MPLBACKEND": "nonsense", "MATPLOTLIBRC": "{folder}/rc", "MPLCONFIGDIR": "/proc/nowhere",
    "HOME": "/proc/nowhere", "TERM": "dumb", "COLUMNS": "0", "TZ": "Mars/Olympus",
}  # fmt: skip


def test_locale_and_matplotlibs_settings_change_no_byte_of_it(published: tuple[Path, Result], tmp_path: Path) -> None:
    (tmp_path / "rc").write_bytes(b"figure.facecolor: red\nlines.linewidth: \xff\n")
    code = (
        "import locale, sys; from pathlib import Path; assert locale.getencoding() != 'utf-8';"
        "from tests.support.sweeps.published_report import published_report; published_report(Path(sys.argv[1]))"
    )
    hostile = {name: value.format(folder=tmp_path) for name, value in HOSTILE.items()}
    environment = {**os.environ, **hostile, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert b"the report lacks" not in done.stderr
    expected = {path.name: path.read_bytes() for path in published[0].iterdir()}
    assert {"listen-tera.html", "forest.svg", "scores.png", "index.html", "leaderboard.csv"} <= expected.keys()
    made = {path.name: path.read_bytes() for path in (tmp_path / "report").iterdir()}
    assert made.keys() == expected.keys()
    here, there = str(tmp_path).encode(), str(published[0].parent).encode()
    for name, content in expected.items():  # the one thing that may differ is where the sweep lies
        assert made[name].replace(here, b"") == content.replace(there, b""), name
