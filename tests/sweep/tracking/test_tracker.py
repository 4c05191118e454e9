"""The tracker against real MLflow: every fact once, whatever dies in between."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import boto3
import pytest

from benchmarks.mlflow_server import MlflowServer, wait_until
from sweep.core.addresses import check_tracking_uri, hide_password
from sweep.core.jobs import Job
from sweep.core.listener import EndState, JobReported, JobStarted
from sweep.plan.plan import Plan
from sweep.study.study import JobRecord, Proposal, Report
from sweep.tracking.mlflow_page import note
from sweep.tracking.mlflow_view import IDENTITY_TAG, JOB_TAG, KIND_TAG, REUSED_TAG, STATE_TAG, MlflowView, open_client
from sweep.tracking.spool import Spool
from sweep.tracking.tracker import Tracker, curves, deliver_left_over
from sweep.verdict.result import Result
from tests.support import REPOSITORY
from tests.support.sweeps.small_sweep import (
    START_MS,
    STEPS,
    configuration,
    make_plan,
    make_result,
    score_of,
    tell_end,
    tell_job,
    tell_reports,
    tell_start,
)
from trainables.base.errors import UserError
from trainables.config.registry import METHODS

EXPERIMENT = "speech-sweep/norm_layers"
GUIDE = REPOSITORY / "docs" / "leaderboards.md"


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty MLflow database: migrating one takes seconds, copying it none."""
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    open_client(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def plan(tmp_path: Path, migrated: Path) -> Plan:
    (tmp_path / "mlflow.db").write_bytes(migrated.read_bytes())
    return make_plan(tmp_path)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def start(plan: Plan, said: list[str]) -> Callable[[], Tracker]:
    return lambda: Tracker(plan, Path(plan.home) / "spool", said.append)


def result_of(plan: Plan) -> Result:
    return cast(Result, make_result(plan))


def jobs_of(plan: Plan) -> list[Job]:
    return list(plan.all_jobs())[:6]


def search(plan: Plan, words: str) -> list[Any]:
    client = open_client(plan.tracking_uri)
    experiment = client.get_experiment_by_name(EXPERIMENT).experiment_id
    return list(client.search_runs([experiment], words, max_results=1000))


def runs_of(plan: Plan, kind: str = "") -> list[Any]:
    runs = search(plan, f"tags.`speech_sweep.sweep` = '{plan.name}'")
    return [run for run in runs if not kind or run.data.tags[KIND_TAG] == kind]


def run_of(plan: Plan, job: Job | None = None) -> Any:
    wanted = f"{plan.name}/{job.path}" if job else plan.name
    (run,) = [run for run in runs_of(plan) if run.data.tags[JOB_TAG] == wanted]
    return run


def history(plan: Plan, job: Job, metric: str = "score") -> list[tuple[int, float, int]]:
    points = open_client(plan.tracking_uri).get_metric_history(run_of(plan, job).info.run_id, metric)
    return [(point.step, point.value, point.timestamp) for point in points]


def expected_history(job: Job, until: int = STEPS) -> list[tuple[int, float, int]]:
    steps = range(50, until + 1, 50)
    return [(step, score_of(job, step), START_MS + job.number + step) for step in steps]


# -- what arrives ------------------------------------------------------------------------------------------


def test_each_job_is_one_run_below_the_sweep_with_all_its_reports(start: Callable[[], Tracker], plan: Plan) -> None:
    tracker = start()
    for job in jobs_of(plan):
        tell_job(tracker, job)
    tracker.close()
    parent = run_of(plan)
    for job in jobs_of(plan):
        run = run_of(plan, job)
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert (run.info.status, run.data.tags[STATE_TAG]) == ("FINISHED", "complete")
        assert run.info.start_time == START_MS + job.number
        assert history(plan, job) == expected_history(job)
        assert run.data.metrics["k"] == 0.5  # the strongest site
    params = run_of(plan, jobs_of(plan)[2]).data.params
    assert params["candidate"] == "layer1"
    assert params["upstream"] == "tera"
    assert params["lr_head"] == "0.001"
    # In the paper's terms too: horizons of a 40th and a 10th of STEPS.
    assert float(params["paper_k0"]) == 0.8
    assert float(params["paper_beta_m"]) == max(0.0, 1 - 40 / STEPS)
    assert float(params["paper_beta_r"]) == max(0.0, 1 - 10 / STEPS)
    assert "size" not in params  # the same for every job of the sweep: no column of its own


@pytest.mark.parametrize(("state", "status"), [("complete", "FINISHED"), ("pruned", "FINISHED"), ("failed", "FAILED")])
def test_how_a_job_ended_is_an_honest_tag(
    start: Callable[[], Tracker], plan: Plan, state: EndState, status: str
) -> None:
    job = jobs_of(plan)[0]
    tracker = start()
    tell_start(tracker, job)
    tell_end(tracker, job, state, reason="out of memory" if state == "failed" else None)
    tracker.close()
    run = run_of(plan, job)
    assert (run.info.status, run.data.tags[STATE_TAG]) == (status, state)
    assert run.data.tags.get("speech_sweep.reason") == ("out of memory" if state == "failed" else None)


def test_closing_before_the_end_leaves_no_run_running(start: Callable[[], Tracker], plan: Plan) -> None:
    tracker = start()
    tell_start(tracker, jobs_of(plan)[0])
    tracker.close()
    states = {(run.info.status, run.data.tags[STATE_TAG]) for run in runs_of(plan)}
    assert states == {("KILLED", "interrupted")}


def test_the_answer_is_one_search_away(start: Callable[[], Tracker], plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "board.md").write_text("# Leaderboard")
    tracker = start()
    tracker.log_results(
        result_of(plan),
        {"leaderboard.md": tmp_path / "board.md"},
        {Job("tera", "final", "layer2", 1001): {"si_sdr": 1.9, "wb_pesq": 1.2}},
    )
    tracker.close()
    client = open_client(plan.tracking_uri)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    (leader,) = client.search_runs(
        [experiment.experiment_id],
        "tags.`speech_sweep.kind` = 'candidate' and tags.`speech_sweep.leader` = 'true' "
        "and tags.`speech_sweep.upstream` = 'tera'",
    )
    assert leader.data.params["candidate"] == "layer2"
    assert leader.data.tags["verdict"] == "winner"
    assert leader.data.metrics["score_low"] < leader.data.metrics["score"] < leader.data.metrics["score_high"]
    assert leader.data.metrics["gain"] == pytest.approx(0.9)
    parent = run_of(plan)
    assert (parent.info.status, parent.data.tags[STATE_TAG]) == ("FINISHED", "complete")
    assert parent.data.metrics["trials_complete"] == 44
    assert parent.data.tags["verdict.tera"] == "winner layer2 1.900 (1.700 to 2.100)"
    assert "wav2vec2: tie layer2" in parent.data.tags["mlflow.note.content"]
    artifacts = {item.path for item in client.list_artifacts(parent.info.run_id)}
    assert artifacts == {"leaderboard.md", "leaderboard.json"}
    assert experiment.artifact_location == (tmp_path / "mlflow-artifacts").as_uri()
    finalist = run_of(plan, Job("tera", "final", "layer2", 1001))
    assert finalist.data.metrics["test_wb_pesq"] == 1.2


@pytest.mark.parametrize("prefix", ["lab", "a b%20+ä//c"])
def test_artifacts_lie_with_the_results_in_s3_as_every_file_there(
    s3_bucket: str, plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    """Encrypted as asked, and where MLflow's own client finds them."""
    monkeypatch.setenv("SPEECH_SWEEP_S3_ENCRYPTION", "AES256")
    plan = replace(plan, output=f"{s3_bucket}/{prefix}/{plan.name}")
    (tmp_path / "board.md").write_text("# Leaderboard")
    tracker = Tracker(plan, tmp_path / "spool")
    tracker.log_results(result_of(plan), {"pages/leaderboard.md": tmp_path / "board.md"})
    tracker.close()
    run, client = run_of(plan).info, open_client(plan.tracking_uri)
    key = f"{prefix}/{plan.name}/mlflow-artifacts/{run.run_id}/artifacts/pages/leaderboard.md"
    found = boto3.client("s3").get_object(Bucket=s3_bucket.removeprefix("s3://"), Key=key)
    assert (found["Body"].read(), found["ServerSideEncryption"]) == (b"# Leaderboard", "AES256")
    assert [item.path for item in client.list_artifacts(run.run_id)] == ["leaderboard.json", "pages"]
    copy = client.download_artifacts(run.run_id, "pages/leaderboard.md", str(tmp_path))
    assert Path(copy).read_text() == "# Leaderboard"


@pytest.mark.parametrize(("alpha", "level"), [(0.05, "95 %"), (0.0125, "98.75 %")])
def test_the_description_has_the_level_of_its_intervals(plan: Plan, alpha: float, level: str) -> None:
    """With several looks at the data, each has a share of alpha."""
    result: Any = make_result(plan)
    result["groups"] = [group | {"alpha": alpha} for group in result["groups"]]
    assert f"; {level} intervals." in note(result)


def test_a_whole_sweep_needs_fewer_than_fifty_columns(start: Callable[[], Tracker], plan: Plan) -> None:
    tracker = start()
    for job in plan.all_jobs():
        tell_job(tracker, job)
    tracker.log_results(result_of(plan), {})
    tracker.close()
    runs = runs_of(plan)
    assert len(runs) == 50 + 10 + 1
    columns = {name for run in runs for name in (*run.data.metrics, *run.data.params)}
    assert len(columns) < 50


def test_the_guides_search_finds_one_leader_per_upstream(start: Callable[[], Tracker], plan: Plan) -> None:
    tracker = start()
    tracker.log_results(result_of(plan), {})
    tracker.close()
    (words,) = re.findall(r"^ {4}(tags\..*)$", GUIDE.read_text(), re.MULTILINE)
    leaders = search(plan, words)
    assert {run.data.tags["speech_sweep.upstream"] for run in leaders} == {"tera", "wav2vec2"}
    assert [run.data.params["candidate"] for run in leaders] == ["layer2", "layer2"]


def test_every_run_says_which_code_corpus_seeds_and_software_it_rests_on(
    start: Callable[[], Tracker], plan: Plan
) -> None:
    tracker = start()
    for job in jobs_of(plan):
        tell_job(tracker, job)
    tracker.log_results(result_of(plan), {})
    tracker.close()
    for run in runs_of(plan):
        assert run.data.tags["speech_sweep.code"] == plan.code
        assert run.data.tags["speech_sweep.corpus"] == plan.corpus_fingerprint
        assert "torch 2." in run.data.tags["speech_sweep.environment"]
        assert "seed" in run.data.params or run.data.tags["speech_sweep.seeds"] == "1001, 1002, 1003"


def test_a_candidates_run_shows_the_values_that_its_search_chose(start: Callable[[], Tracker], plan: Plan) -> None:
    result = result_of(plan)
    layer2 = next(c for c in result["groups"][0]["candidates"] if c["label"] == "layer2")
    layer2["config"] = {**layer2["config"], "lr_head": 0.004, "size": "tiny"}
    tracker = start()
    tracker.log_results(result, {})
    tracker.close()
    candidate = "tags.`speech_sweep.kind` = 'candidate' and tags.`speech_sweep.upstream` = 'tera'"
    (run,) = search(plan, f"{candidate} and params.candidate = 'layer2'")
    assert run.data.params["lr_head"] == "0.004"
    assert float(run.data.params["paper_beta_m"]) == 1 - 40 / STEPS
    assert json.loads(run.data.params["norm_layers"]) == [2]
    assert "size" not in run.data.params  # the same in every job


OWN_CURVES = METHODS["normalized_ssl"].curves


def test_reports_keep_few_curves() -> None:
    report = {"score": 1.0, "loss_total": 2.0, "loss_time": 1.5, "site1/k": 0.1, "site2/k": 0.4, "step": 50}
    assert curves(report, OWN_CURVES) == {"score": 1.0, "loss": 2.0, "k": 0.4}


def test_a_curve_per_layer_is_kept_where_similarity_is_measured() -> None:
    report = {"similarity/site3": 0.9, "similarity_k0/site3": 0.8, "site1/log_ratio_max": 0.5}
    assert curves(report, OWN_CURVES) == {"similarity/site3": 0.9, "log_ratio_max": 0.5}


# -- coming back -------------------------------------------------------------------------------------------


def test_a_resumed_sweep_finds_its_runs_again(start: Callable[[], Tracker], plan: Plan) -> None:
    first, second = jobs_of(plan)[:2]
    tracker = start()
    tell_job(tracker, first)
    tell_start(tracker, second)
    tell_reports(tracker, second, until=100)
    tracker.close()
    before = run_of(plan, second).info.run_id
    tracker = start()
    tell_start(tracker, second, attempt=2)
    tell_reports(tracker, second)  # steps 50 and 100 again, after a checkpoint
    tell_end(tracker, second)
    tracker.close()
    run = run_of(plan, second)
    assert run.info.run_id == before
    assert (run.info.status, run.data.tags["speech_sweep.attempt"]) == ("FINISHED", "2")
    assert history(plan, second) == expected_history(second)
    assert len(runs_of(plan)) == 3


def test_reconcile_puts_back_what_a_lost_spool_took(start: Callable[[], Tracker], plan: Plan) -> None:
    kept, lost = jobs_of(plan)[:2]
    tracker = start()
    tell_start(tracker, kept)
    tell_reports(tracker, kept, until=100)
    tracker.close()
    records = [record_of(kept, "complete"), record_of(lost, "pruned", until=100)]
    for _ in range(2):  # a second time changes nothing
        tracker = start()
        tracker.reconcile(records)
        tracker.close()
        assert history(plan, kept) == expected_history(kept)
        assert history(plan, lost) == expected_history(lost, until=100)
        assert run_of(plan, lost).data.tags[STATE_TAG] == "pruned"
        assert len(runs_of(plan)) == 3


def record_of(job: Job, state: EndState, until: int = STEPS) -> JobRecord:
    reports = tuple(Report(step, score, {}, time_ms) for step, score, time_ms in expected_history(job, until))
    nuisance = {"lr_head": 1e-3, "lr_body_ratio": 0.5}
    return JobRecord(job, state, 1, 0, Proposal(nuisance), START_MS + job.number, reports, ended_ms=START_MS + 999)


def test_a_run_names_who_trained_it_until_it_has_to_be_trained_here_after_all(
    start: Callable[[], Tracker], plan: Plan
) -> None:
    kept, gone, own = jobs_of(plan)[:3]
    tracker = start()
    for job, source in ((kept, "first/a"), (gone, "first/b"), (own, None)):
        tracker.hear(JobStarted(job, START_MS, 1, configuration(job), source))
    tracker.hear(JobStarted(gone, START_MS + 1, 2, configuration(gone), None))
    tracker.close()
    assert [run_of(plan, job).data.tags.get(REUSED_TAG) for job in (kept, gone, own)] == ["first/a", "", None]


def test_of_two_runs_with_one_identity_the_one_with_content_stays(start: Callable[[], Tracker], plan: Plan) -> None:
    job = jobs_of(plan)[0]
    tracker = start()
    tell_job(tracker, job)
    tracker.close()
    kept = run_of(plan, job)
    # What a create leaves whose answer was lost on the way.
    open_client(plan.tracking_uri).create_run(
        kept.info.experiment_id, tags={JOB_TAG: f"{plan.name}/{job.path}", "speech_sweep.sweep": plan.name}
    )
    start().close()
    assert run_of(plan, job).info.run_id == kept.info.run_id


def test_two_sweeps_of_one_name_stay_apart(plan: Plan, said: list[str], tmp_path: Path) -> None:
    """MLflow was away when the second started, so that its name was not refused."""
    first, second = (replace(plan, identity=letter * 32, home=str(tmp_path / letter)) for letter in "ab")

    def track(sweep: Plan, interrupted: bool) -> None:
        tracker = Tracker(sweep, Path(sweep.home) / "spool", said.append)
        tell_job(tracker, jobs_of(sweep)[0])
        if not interrupted:
            tracker.log_results(result_of(sweep), {})
        tracker.close()

    def runs(sweep: Plan) -> dict[str, tuple[Any, ...]]:
        found = search(sweep, f"tags.`{IDENTITY_TAG}` = '{sweep.identity}'")
        return {r.info.run_id: (r.info.status, r.info.end_time, r.data.tags, r.data.metrics) for r in found}

    track(first, interrupted=False)
    before, view = runs(first), view_tags(first)
    assert {status for status, *_ in before.values()} == {"FINISHED"}
    track(second, interrupted=True)
    assert runs(first) == before
    assert view_tags(first) == view | view_tags(second, only=second)
    parent, job = len([1 for run in runs(second).values() if run[2][KIND_TAG] == "sweep"]), len(runs(second))
    assert (parent, job) == (1, 2)
    track(second, interrupted=False)
    assert runs(first) == before


def view_tags(plan: Plan, only: Plan | None = None) -> dict[str, str]:
    """The leaderboard views of all sweeps of the experiment, or of one."""
    tags = open_client(plan.tracking_uri).get_experiment_by_name(EXPERIMENT).tags
    return {key: tag for key, tag in tags.items() if "sharedViewState" in key and (not only or only.key in key)}


def test_a_run_without_an_identity_is_an_earlier_sweeps_only_on_the_same_corpus(plan: Plan, tmp_path: Path) -> None:
    old, other = (replace(plan, corpus_fingerprint=text, home=str(tmp_path / text)) for text in ("mine", "theirs"))
    for sweep in (other, old):
        tracker = Tracker(sweep, Path(sweep.home) / "spool")
        tell_job(tracker, jobs_of(sweep)[0])
        tracker.close()
    assert sorted(run.data.tags["speech_sweep.corpus"] for run in runs_of(plan)) == 2 * ["mine"] + 2 * ["theirs"]


def test_a_spool_that_was_moved_still_finds_its_files(tmp_path: Path) -> None:
    (tmp_path / "report.txt").write_text("text")
    spool = Spool(tmp_path / "old" / "spool")
    spool.append({"kind": "file", "path": spool.keep_file(tmp_path / "report.txt", "more/report.txt")})
    spool.append({"kind": "file", "path": f"{tmp_path}/old/spool/files/more/report.txt"})  # earlier versions
    (tmp_path / "old").rename(tmp_path / "new")
    for record in Spool(tmp_path / "new" / "spool").waiting(2):
        assert record["path"] == f"{tmp_path}/new/spool/files/more/report.txt"
        assert Path(record["path"]).read_text() == "text"


def test_records_delivered_twice_land_once(plan: Plan, tmp_path: Path) -> None:
    job = jobs_of(plan)[0]
    spool = Spool(tmp_path / "spool")
    tracker = Tracker(plan, spool.folder)
    tell_job(tracker, job)
    records = spool_records(spool.folder)
    tracker.close()
    for _ in range(2):
        view = MlflowView(plan.tracking_uri, EXPERIMENT, plan.name, None)
        view.apply(records)
        assert view.rejected == []
    assert history(plan, job) == expected_history(job)
    assert len(runs_of(plan)) == 2


def spool_records(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "records.jsonl").read_text().splitlines()]


def test_a_record_that_mlflow_refuses_does_not_block_the_others(
    start: Callable[[], Tracker], plan: Plan, said: list[str]
) -> None:
    first, second = jobs_of(plan)[:2]
    tracker = start()
    tracker.hear(JobReported(first, START_MS, 50, {"score": 1.0, "site 1?/k": 0.1}))
    tracker._append_tags(f"{plan.name}/{first.path}", {"not a name?": "x"})
    tell_job(tracker, second)
    tracker.close()
    assert history(plan, second) == expected_history(second)
    assert any("refused" in line and "not a name?" in line for line in said)


# -- a server that goes away -------------------------------------------------------------------------------


@pytest.fixture
def server(tmp_path: Path, migrated: Path) -> Iterator[MlflowServer]:
    (tmp_path / "mlflow.db").write_bytes(migrated.read_bytes())
    server = MlflowServer(tmp_path)
    yield server
    server.kill()


def test_a_server_killed_in_the_middle_has_everything_once_afterwards(
    server: MlflowServer, tmp_path: Path, said: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    plan = make_plan(tmp_path, server.uri)
    first, second, third = jobs_of(plan)[:3]
    server.start()
    tracker = Tracker(plan, tmp_path / "spool", said.append)
    tell_job(tracker, first)
    wait_until(lambda: len(tracker._spool) == 0)
    server.kill()
    tell_job(tracker, second)  # returns at once: nothing waits for the server
    wait_until(lambda: any("its records are kept" in line for line in said))
    server.start()
    tell_job(tracker, third)
    tracker.close(timeout=120)
    for job in (first, second, third):
        assert history(plan, job) == expected_history(job)
    assert len(runs_of(plan)) == 4
    assert not (tmp_path / "spool").exists()
    assert capfd.readouterr().out == ""  # standard output belongs to the answer


def test_what_could_not_be_delivered_is_reported_and_delivered_by_the_next_start(
    server: MlflowServer, tmp_path: Path, said: list[str]
) -> None:
    secret = server.uri.replace("://", "://me:hunter2@")
    plan = make_plan(tmp_path / "evening", secret)
    job = jobs_of(plan)[0]
    tracker = Tracker(plan, tmp_path / "spool", said.append)
    tell_job(tracker, job)
    tracker.close(timeout=0.5)
    assert re.search(rf"could not be delivered.*--resume evening --output {tmp_path}`", said[-1])
    assert "hunter2" not in " ".join(said)
    server.start()
    tracker = Tracker(plan, tmp_path / "spool", said.append)
    tracker.close(timeout=120)
    assert history(plan, job) == expected_history(job)
    assert Counter(run.data.tags[KIND_TAG] for run in runs_of(plan)) == {"sweep": 1, "search": 1}


def test_what_a_finished_sweep_could_not_deliver_is_delivered_when_it_is_shown_again(
    server: MlflowServer, tmp_path: Path, said: list[str]
) -> None:
    plan, spool = make_plan(tmp_path, server.uri), tmp_path / "spool"
    tracker = Tracker(plan, spool, said.append)
    tell_job(tracker, jobs_of(plan)[0])
    tracker.log_results(result_of(plan), {})
    tracker.close(timeout=0.5)
    server.start()
    deliver_left_over(plan, spool, said.append)
    assert {run.info.status for run in runs_of(plan)} == {"FINISHED"}
    assert len(runs_of(plan)) == 1 + 1 + 10
    assert not spool.exists()


# -- addresses ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("uri", ["./mlruns", "file:///data/mlruns", "", "databricks", "s3://bucket/mlruns"])
def test_file_stores_are_refused(uri: str) -> None:
    with pytest.raises(UserError, match=r"file stores .* are not supported; give sqlite"):
        check_tracking_uri(uri)


@pytest.mark.parametrize(
    "uri", ["sqlite:///m.db", "postgresql+psycopg2://u:p@h/d", "http://h:5000", "https://h", "mysql://h/d"]
)
def test_databases_and_servers_are_accepted(uri: str) -> None:
    check_tracking_uri(uri)


def test_passwords_are_never_shown() -> None:
    assert hide_password("postgresql://me:secret@host/db") == "postgresql://me:***@host/db"
    assert hide_password("no such user: secret", "postgresql://me:secret@host/db") == "no such user: ***"
    with pytest.raises(UserError) as refusal:
        check_tracking_uri("ftp://me:secret@host")
    assert "secret" not in str(refusal.value)
