"""`sweep/clean.py`: lists first, frees only what is named, and never what is still needed."""

import json
from pathlib import Path

import pytest

from sweep.commands.clean import size_text
from sweep.commands.freeable import Freeable, everything
from sweep.commands.main import run_command
from sweep.core.jobs import Job
from sweep.plan.plan import Plan
from sweep.storage.checkpoints import StoredCheckpoints
from sweep.stored import layout
from sweep.stored.heartbeat import beating
from sweep.study.lock import sweep_lock
from sweep.study.study import Proposal, StudyStore
from tests.support.sweeps.finished_sweep import finished_sweep, given_more
from tests.support.sweeps.small_sweep import make_plan
from trainables.base.cache import using_cache
from trainables.base.errors import UserError
from trainables.base.storage.storage import Storage

CONTENT = {"model.pt": b"m" * 1000}


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished sweep that layer2 won, and a cache with two parts."""
    monkeypatch.setenv("SPEECH_SWEEP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SPEECH_SWEEP_OUTPUT", str(tmp_path / "sweeps"))
    plan = finished_sweep(tmp_path / "sweeps")
    StudyStore(plan.study_uri, plan.name).close()
    keep_checkpoints(plan, *plan.final_jobs("tera"), *plan.final_jobs("wav2vec2"), *plan.search_jobs("tera")[:2])
    cache = Storage(tmp_path / "cache")
    cache.write("stages/pretraining-1", b"s" * 5000)
    cache.write("kept-jobs/0123/reports", b"r" * 3000)
    cache.write("prepared/demo-1/corpus.json", b"p" * 20_000_000)
    return tmp_path


def keep_checkpoints(plan: Plan, *jobs: Job) -> None:
    for job in jobs:
        StoredCheckpoints(Storage(plan.output)).save(job.path, 4, CONTENT)
        StoredCheckpoints(Storage(plan.output)).write_result(job.path, "rows-test.parquet", b"rows")


def found(base: Path) -> dict[str, Freeable]:
    return {item.name: item for item in everything(str(base / "sweeps"))}


def kept_jobs(plan: Plan) -> set[str]:
    checkpoints = StoredCheckpoints(Storage(plan.output))
    return {job.path for job in plan.all_jobs() if checkpoints.newest(job.path)}


def test_listing_is_sorted_readable_and_deletes_nothing(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = Storage(base).sizes()
    assert run_command("clean", []) == 0
    out = capsys.readouterr().out
    firsts = [words[0] for words in map(str.split, out.splitlines()) if words]
    assert [word for word in firsts if word == "evening" or word.startswith("cache/")] == [
        "cache/prepared",
        "evening",
        "cache/stages",
        "cache/kept-jobs",
    ]
    assert "20.0 MB" in out
    assert {path: size for path, size in Storage(base).sizes().items() if "in-use" not in path} == before


def test_freeing_a_sweep_leaves_the_winners_and_every_row(base: Path) -> None:
    plan = make_plan(base / "sweeps" / "evening")
    assert run_command("clean", ["--free", "evening"]) == 0
    winners = {job.path for job in plan.all_jobs() if (job.phase, job.candidate) == ("final", "layer2")}
    assert kept_jobs(plan) == winners
    rows = [path for path in Storage(plan.output).list("jobs") if path.endswith(".parquet")]
    assert {path.split("/")[2] for path in rows} == {"final"}
    assert len(rows) == 30
    assert found(base)["evening"].bytes == 0


def test_in_a_bucket_the_jobs_kept_for_later_sweeps_are_listed_and_freed_and_nothing_else(s3_bucket: str) -> None:
    output, lab = f"{s3_bucket}/lab", Storage(f"{s3_bucket}/lab")
    lab.write("stages/pretraining-1", b"s" * 50)
    lab.write("test-sets/0123/sweep.json", b"{}")
    assert everything(output) == []
    lab.write("kept-jobs/0123/reports", b"r" * 300)
    (item,) = everything(output)
    assert (item.name, item.bytes, item.kept) == ("kept-jobs", 300, 0)
    assert run_command("clean", ["--free", "kept-jobs", "--output", output]) == 0
    assert lab.list() == ["stages/pretraining-1", "test-sets/0123/sweep.json"]


def on_disk(folder: Path) -> int:
    """As `du --apparent-size` counts files: bytes, hidden ones included."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_the_figures_are_those_of_the_disk(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever an older version, a killed worker or a failed job has left is counted, and goes."""
    plan = make_plan(base / "sweeps" / "evening")
    storage = Storage(plan.output)
    leader, other = (next(job for job in plan.final_jobs("tera") if job.candidate == c) for c in ("layer2", "none"))
    storage.write(f"jobs/{leader.path}/rows-valid.parquet", b"rows")
    for job in (leader, other):
        storage.write(f"jobs/{job.path}/estimates-valid.arrow", b"e" * 4000)
        storage.write(f"jobs/{job.path}/listening.arrow", b"c" * 300)
        storage.write(f"jobs/{job.path}/step-2/model.pt", b"o" * 700)
    failed = next(job for job in plan.final_jobs("tera") if job.candidate == "random")
    storage.delete(f"jobs/{failed.path}/rows-test.parquet")
    for half in (f"jobs/{leader.path}", "jobs/noisy", "results", "."):
        (Path(plan.output) / half).mkdir(exist_ok=True)
        (Path(plan.output) / half / ".writing-12ab").write_bytes(b"h" * 111)
    with sweep_lock(plan):  # its file stays
        pass
    before, item = on_disk(Path(plan.output)), found(base)["evening"]
    assert item.bytes + item.kept == before
    assert run_command("clean", ["--free", "evening"]) == 0
    after = on_disk(Path(plan.output))
    assert before - after == item.bytes
    assert found(base)["evening"].kept == after
    assert set(storage.list(f"jobs/{leader.path}")) == {
        f"jobs/{leader.path}/{name}"
        for name in (
            "step-4/model.pt",
            "step-4/manifest.json",
            "rows-valid.parquet",
            "rows-test.parquet",
            "listening.arrow",
        )
    }
    # Without rows of valid its estimates may still have to be scored; its weights go, as it does not lead.
    assert {path.rpartition("/")[2] for path in storage.list(f"jobs/{other.path}")} == {
        "estimates-valid.arrow",
        "rows-test.parquet",
        "listening.arrow",
    }
    assert storage.list(f"jobs/{failed.path}") == []
    assert storage.unfinished() == {}


def test_freeing_a_part_of_the_cache_leaves_the_others(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command("clean", ["--free", "cache/stages"]) == 0
    assert "freed 5.0 kB" in capsys.readouterr().out
    left = ["kept-jobs/0123/reports", "prepared/demo-1/corpus.json"]
    assert [path for path in Storage(base / "cache").list() if "locks" not in path] == left
    assert run_command("clean", ["--free", "cache/kept-jobs"]) == 0
    assert [path for path in Storage(base / "cache").list() if "locks" not in path] == left[1:]


def test_what_was_listed_is_what_goes(base: Path) -> None:
    before = sum(Storage(base / "sweeps" / "evening").sizes("jobs").values())
    item = found(base)["evening"]
    assert item.free is not None
    item.free()
    assert before - sum(Storage(base / "sweeps" / "evening").sizes("jobs").values()) == item.bytes


def test_a_cache_that_a_sweep_is_using_is_not_freed(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with using_cache():
        assert run_command("clean", ["--free", "cache/stages"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert Storage(base / "cache").list("stages")


def test_a_running_sweep_is_never_touched(base: Path) -> None:
    plan = make_plan(base / "sweeps" / "evening")
    before = kept_jobs(plan)
    with beating(Storage(plan.output), dict):
        assert found(base)["evening"].free is None
        assert run_command("clean", ["--free", "evening"]) == 2
        assert run_command("clean", ["--free", "all"]) == 0
    assert kept_jobs(plan) == before


def test_one_whose_driver_starts_after_the_listing_neither(base: Path) -> None:
    plan = make_plan(base / "sweeps" / "evening")
    item, before = found(base)["evening"], kept_jobs(plan)
    assert item.free is not None
    with sweep_lock(plan), pytest.raises(UserError, match="already being driven"):
        item.free()
    assert kept_jobs(plan) == before


def test_without_an_answer_only_ended_search_trials_may_go(base: Path) -> None:
    plan = make_plan(base / "sweeps" / "noon", name="noon")
    Storage(plan.output).write(layout.PLAN, json.dumps(plan.to_json()).encode())
    study = StudyStore(plan.study_uri, plan.name)
    ended, running = plan.search_jobs("tera")[:2]
    finalist = plan.final_jobs("tera")[0]
    for job in (ended, running, finalist):
        study.start(job, Proposal({}))
    study.end(ended, 1, "pruned")
    study.close()
    keep_checkpoints(plan, ended, running, finalist)
    item = found(base)["noon"]
    assert item.free is not None
    item.free()
    assert kept_jobs(plan) == {running.path, finalist.path}


def test_a_finished_sweep_that_was_given_more_keeps_what_its_resume_goes_on_from(base: Path) -> None:
    plan = make_plan(base / "sweeps" / "evening")
    given_more(plan)
    before = kept_jobs(plan)
    assert run_command("clean", ["--free", "evening"]) == 0
    assert kept_jobs(plan) == before
    assert found(base)["evening"].bytes == 0


def test_a_name_that_is_not_listed_says_what_is(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command("clean", ["--free", "attic"]) == 2
    error = capsys.readouterr().err
    assert all(name in error for name in ("'attic'", "cache/prepared", "evening", "cache/stages"))


@pytest.mark.parametrize("content", [b"{}", b"[]", b'{"groups": [{"leader": 3}]}'])
def test_a_damaged_answer_holds_up_its_own_sweep_alone(base: Path, content: bytes) -> None:
    plan = finished_sweep(base / "sweeps", "broken")
    Storage(plan.output).write(layout.RESULT, content)
    broken, whole = found(base)["broken"], found(base)["evening"]
    assert broken.free is None
    assert f"{plan.output}/{layout.RESULT}" in broken.meaning
    assert whole.free is not None


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (36_040_000, "36.0 MB"), (2 * 10**12, "2.0 TB")],
)
def test_sizes_are_rounded_with_a_unit(count: int, text: str) -> None:
    assert size_text(count) == text
