"""The whole path from a command to an answer: real Ray, real MLflow, real pre-training, real scores.

One tiny sweep is run once and looked at from every side; a second one, which trains everything anew, is killed,
resumed, stopped and resumed again, and a third one, which trains nothing, must agree with it to the bit. The runs share
stages and the corpus through one cache.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sweep.core.jobs import Job
from sweep.plan.plan import Plan
from sweep.stored.reading import read_rows
from sweep.study.study import StudyStore
from tests.support import REPOSITORY
from tests.support.methods.tiny_corpus import make_tiny_corpus
from trainables.base.storage.storage import Storage
from trainables.inference import read_estimates
from trainables.listening import LISTENING_FILE, read_clips

QUESTION = ["--space", "norm_layers", "--preset", "smoke", "--upstreams", "tera"]
pytestmark = pytest.mark.timeout(1800)


@dataclass(frozen=True)
class Place:
    """A folder to run commands in, with a cache and a corpus of its own."""

    folder: Path
    corpus: str

    def start(self, command: str, *arguments: str) -> subprocess.Popen[str]:
        environment = {**os.environ, "SPEECH_SWEEP_CACHE": str(self.folder / "cache"), "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(
            [sys.executable, str(REPOSITORY / "sweep" / command), *arguments],
            cwd=self.folder,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def run(self, command: str, *arguments: str) -> "Done":
        process = self.start(command, *arguments)
        out, err = process.communicate()
        return Done(process.returncode, out, err)

    def sweep(self, name: str) -> "Done":
        return self.run("run.py", *QUESTION, "--corpus", self.corpus, "--name", name, "--json")

    def storage(self, name: str) -> Storage:
        return Storage(self.folder / "sweeps" / name)

    def plan(self, name: str) -> Plan:
        return Plan.from_json(json.loads(self.storage(name).read("plan.json")))


@dataclass(frozen=True)
class Done:
    status: int
    out: str
    err: str

    @property
    def result(self) -> dict[str, Any]:
        return json.loads(self.out.splitlines()[-1])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("whole")
    return Place(folder, make_tiny_corpus(folder / "material").uri)


@pytest.fixture(scope="module")
def first(place: Place) -> Done:
    done = place.sweep("first")
    assert done.status == 0, done.err
    return done


def test_it_ends_with_the_leaderboard_what_to_type_and_one_json_object(place: Place, first: Done) -> None:
    *_, details, page, _ = first.out.splitlines()
    assert details == "python sweep/leaderboard.py first --details"
    assert (
        page == f"python -m mlflow ui --backend-store-uri sqlite:///{place.folder}/sweeps/first/mlflow.db --port 5000"
    )
    ending = first.out[first.out.index("first: SI-SDR (dB) on test") :].splitlines()
    assert len(ending) <= 18
    assert any(line.startswith("tera ") for line in ending)
    assert first.result["sweep"] == "first"
    assert first.result["trials"] == {"complete": 15, "pruned": 0, "failed": 0}


def test_the_json_says_all_that_was_promised(first: Done) -> None:
    (group,) = first.result["groups"]
    assert group["group"] == {"upstream": "tera"}
    promised = (
        "leader winner verdict contenders equivalent resolvable seeds_needed beats_baseline interpretable "
        "score interval gain candidates"
    )
    assert set(promised.split()) <= set(group)
    assert group["verdict"] in ("winner", "tie")
    assert [candidate["label"] for candidate in group["candidates"]] == [
        "none",
        "random",
        "layer1",
        "layer2",
        "layer3",
    ]
    for candidate in group["candidates"]:
        assert candidate["n_seeds"] == 2
        assert candidate["failures"] == 0


def test_a_smoke_run_says_that_it_means_nothing(first: Done) -> None:
    assert "NOT MEANINGFUL" in first.out


def test_progress_goes_to_standard_error(first: Done) -> None:
    assert "pre-training" in first.err
    assert "jobs done" in first.err


def test_every_score_is_a_row_with_all_metrics(place: Place, first: Done) -> None:
    rows = read_rows(place.plan("first"), place.storage("first"))
    plan = place.plan("first")
    finalists = rows[rows["candidate"] != "noisy"]
    assert set(finalists["job"]) == {job.path for job in plan.final_jobs("tera")}
    assert set(rows["metric"]) >= {"wb_pesq", "stoi", "csig", "cbak", "covl", "si_sdr", "segsnr"}
    assert rows[rows["candidate"] == "noisy"]["seed"].eq(-1).all()


def test_the_verdict_is_of_the_rows(place: Place, first: Done) -> None:
    rows = read_rows(place.plan("first"), place.storage("first"))
    (group,) = first.result["groups"]
    leaders = rows["candidate"].eq(group["leader"]["label"])
    mine = rows[leaders & rows["metric"].eq("si_sdr") & rows["status"].eq("ok")]
    assert group["score"] == pytest.approx(mine["value"].mean(), abs=1e-9)


def test_the_leader_was_named_before_test_was_opened_once(place: Place, first: Done) -> None:
    storage = place.storage("first")
    nominated = json.loads(storage.read("nominations.json"))
    (read,) = [json.loads(line) for line in storage.read("test_reads.jsonl").splitlines()]
    assert nominated["time"] <= read["time"]
    assert nominated["plan"] == read["plan"]
    assert nominated["leaders"] == {"tera": first.result["groups"][0]["leader"]["label"]}


def test_mlflow_holds_the_parent_and_every_job_and_none_is_left_running(place: Place, first: Done) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(place.plan("first").tracking_uri)
    (experiment,) = client.search_experiments(filter_string="name = 'speech-sweep/norm_layers'")
    runs = client.search_runs([experiment.experiment_id], max_results=1000)
    by_kind: dict[str, list[Any]] = {}
    for run in runs:
        by_kind.setdefault(run.data.tags["speech_sweep.kind"], []).append(run)
    assert {kind: len(found) for kind, found in by_kind.items()} == {
        "sweep": 1,
        "search": 5,
        "final": 10,
        "candidate": 5,
    }
    assert {run.info.status for run in runs} == {"FINISHED"}
    (parent,) = by_kind["sweep"]
    artifacts = {item.path for item in client.list_artifacts(parent.info.run_id)}
    assert artifacts >= {"leaderboard.md", "index.html", "listen-tera.html", "scores.png"}
    children = [run for kind in ("search", "final", "candidate") for run in by_kind[kind]]
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parent.info.run_id}


def test_the_report_is_whole_and_can_be_listened_to(place: Place, first: Done) -> None:
    storage = place.storage("first")
    files = {Path(path).name for path in storage.list("report")}
    assert files >= {"index.html", "listen-tera.html", "scores.png", "pareto.png", "leaderboard.parquet"}
    page = storage.read("report/listen-tera.html").decode()
    assert "NOT MEANINGFUL" in page
    assert page.count("<audio") >= 6  # noisy, clean, none, the leader and the next best, of one clip at least
    rows = read_rows(place.plan("first"), storage)
    kept = read_clips(storage.read(f"jobs/noisy/{LISTENING_FILE}"))
    assert {clip.utterance for clip in kept} <= set(rows["utterance"])
    for job in place.plan("first").final_jobs("tera"):
        heard = read_estimates(storage.read(f"jobs/{job.path}/{LISTENING_FILE}"))
        assert list(heard) == [clip.utterance for clip in kept]


def test_it_keeps_weights_rows_and_clips_and_nothing_that_led_to_them(place: Place, first: Done) -> None:
    storage, plan = place.storage("first"), place.plan("first")
    kept = {f"step-{plan.steps}/model.pt", f"step-{plan.steps}/progress.json", f"step-{plan.steps}/manifest.json"}
    kept |= {"rows-valid.parquet", "rows-test.parquet", LISTENING_FILE}
    for job in plan.final_jobs("tera"):
        assert {path.removeprefix(f"jobs/{job.path}/") for path in storage.list(f"jobs/{job.path}")} == kept
    assert storage.list("jobs/tera/search") == []
    assert storage.unfinished() == {}
    assert place.run("clean.py", "--free", "first").status == 0
    assert {path.split("/")[3] for path in storage.list("jobs/tera") if path.endswith("model.pt")} == {
        first.result["groups"][0]["leader"]["label"]
    }


def test_its_databases_are_one_file_each_whoever_reads_them(place: Place, first: Done) -> None:
    assert logs_of_databases(place, "first") == []
    job = place.plan("first").search_jobs("tera")[0]
    for command in (["status.py"], ["leaderboard.py"], ["replay.py", job.path], ["clean.py"]):
        script, *more = command
        assert place.run(script, *([] if script == "clean.py" else ["first"]), *more).status == 0
        assert logs_of_databases(place, "first") == []


def test_the_leaderboard_command_prints_the_same_groups(place: Place, first: Done) -> None:
    shown = place.run("leaderboard.py", "first", "--format", "json")
    assert shown.status == 0, shown.err
    assert json.loads(shown.out)["groups"] == first.result["groups"]


def test_status_says_finished_and_what_to_type(place: Place, first: Done) -> None:
    shown = place.run("status.py", "first")
    assert "finished" in shown.out
    assert "leaderboard.py first" in shown.out


def test_killed_and_then_stopped_from_another_shell_it_ends_in_the_same_groups_to_the_bit(
    place: Place, first: Done
) -> None:
    process = place.start("run.py", *QUESTION, "--corpus", place.corpus, "--name", "second", "--no-reuse", "--json")
    wait_until(lambda: ended_jobs(place, "second") >= 3)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert ended_jobs(place, "second") < 15
    dead = place.run("status.py", "second")
    assert "dead" in dead.out
    assert "--resume second" in dead.out

    process = place.start("run.py", "--resume", "second", "--no-reuse", "--json")
    wait_until(lambda: ended_jobs(place, "second") >= 7)
    asked = place.run("stop.py", "second")
    assert asked.status == 0, asked.err
    _, err = process.communicate()
    assert process.returncode == 130, err
    assert "\nstopped (a stop request)\n" in err
    assert err.splitlines()[-2:] == ["python sweep/run.py --resume second", "python sweep/status.py second"]
    assert logs_of_databases(place, "second") == []
    assert ended_jobs(place, "second") < 15
    assert place.run("stop.py", "second").status == 2  # there is nothing left to stop

    resumed = place.run("run.py", "--resume", "second", "--no-reuse", "--json")
    assert resumed.status == 0, resumed.err
    assert resumed.result["groups"] == first.result["groups"]
    assert resumed.result["trials"] == first.result["trials"]


def test_a_resumed_sweep_has_lost_nothing_and_done_nothing_twice(place: Place, first: Done) -> None:
    plan = place.plan("second")
    store = StudyStore(plan.study_uri, plan.name)
    jobs: list[Job] = [r.job for phase in ("search", "final") for r in store.records("tera", phase)]
    assert sorted(jobs) == sorted(plan.all_jobs())


def test_the_same_sweep_again_trains_nothing_and_ends_in_the_same_groups_to_the_bit(place: Place, first: Done) -> None:
    again = place.sweep("again")
    assert again.status == 0, again.err
    assert again.result["groups"] == first.result["groups"]
    assert again.result["trials"] == first.result["trials"]
    assert (first.result["reused"], again.result["reused"]) == (0, 15)
    assert first.result["earlier_reads"]["tera"]["sweeps"] == 0
    earlier = again.result["earlier_reads"]["tera"]
    assert earlier["sweeps"] in (1, 2)  # "first", and "second" where its test has run
    assert earlier["added"] == []
    assert f"{earlier['sweeps']} earlier sweep" in again.out
    assert f"{earlier['sweeps']} earlier sweep" in place.storage("again").read("report/index.html").decode()
    rows = [read_rows(place.plan(name), place.storage(name)) for name in ("first", "again")]
    assert rows[0].equals(rows[1])
    records = StudyStore(place.plan("again").study_uri, "again").all_records(place.plan("again"))
    assert [record.reused_from for record in records] == [f"first/{record.job.path}" for record in records]


def test_mlflow_names_where_a_reused_job_was_trained(place: Place, first: Done) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(place.plan("again").tracking_uri)
    (experiment,) = client.search_experiments(filter_string="name = 'speech-sweep/norm_layers'")
    jobs = [
        run
        for run in client.search_runs([experiment.experiment_id], max_results=1000)
        if run.data.tags["speech_sweep.kind"] in ("search", "final")
    ]
    assert {run.info.status for run in jobs} == {"FINISHED"}
    assert len(jobs) == 15
    assert {run.data.tags["speech_sweep.reused_from"].split("/")[0] for run in jobs} == {"first"}


def test_resuming_a_finished_sweep_shows_its_answer_again(place: Place, first: Done) -> None:
    again = place.run("run.py", "--resume", "first", "--json")
    assert again.status == 0, again.err
    assert again.result == first.result


def test_a_finished_sweep_refuses_seeds_that_would_be_a_second_look(place: Place, first: Done) -> None:
    refused = place.run("run.py", "--resume", "first", "--seeds", "5")
    assert refused.status == 2
    assert "second look" in refused.err


def test_a_second_driver_on_the_same_name_is_refused(place: Place, first: Done) -> None:
    refused = place.sweep("first")
    assert refused.status == 2
    assert refused.err.strip() == refused.err.strip().splitlines()[-1]
    assert "--resume first" in refused.err


def logs_of_databases(place: Place, name: str) -> list[str]:
    """What SQLite keeps next to a database that is not closed."""
    return [path.name for path in (place.folder / "sweeps" / name).glob("*.db-*")]


def ended_jobs(place: Place, name: str) -> int:
    """Jobs the study of a running sweep says have ended."""
    storage = place.storage(name)
    if not storage.exists("study.db"):
        return 0
    import sqlite3

    # Closed, or the driver could not leave a single file behind.
    with contextlib.closing(sqlite3.connect(f"file:{storage.uri}/study.db?mode=ro", uri=True)) as database:
        try:
            (count,) = database.execute("SELECT COUNT(*) FROM trials WHERE state = 'COMPLETE'").fetchone()
        except sqlite3.OperationalError:  # the tables are being made
            return 0
    return int(count)


def wait_until(condition: Callable[[], bool], seconds: float = 900) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.2)
