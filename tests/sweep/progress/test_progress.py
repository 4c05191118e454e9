"""What the progress display of a running sweep shows."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sweep.core.jobs import Job
from sweep.core.listener import StageProgressed
from sweep.plan.plan import Plan
from sweep.progress.progress import Progress, display
from sweep.progress.progress_state import ProgressState, duration, progress_line
from sweep.study.study import JobRecord, Proposal, Report
from tests.support.sweeps.small_sweep import (
    START_MS,
    STEPS,
    make_plan,
    score_of,
    tell_end,
    tell_job,
    tell_start,
)


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return make_plan(tmp_path)


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def progress(plan: Plan, stream: io.StringIO) -> Iterator[Progress]:
    progress = Progress(plan, stream)
    yield progress
    progress.close()


def search(candidate: str, number: int, group: str = "tera") -> Job:
    return Job(group, "search", candidate, number)


def final(candidate: str, seed: int, group: str = "tera") -> Job:
    return Job(group, "final", candidate, seed)


def test_a_line_says_what_is_done_how_far_and_who_is_ahead(plan: Plan) -> None:
    state = ProgressState(plan, phase="searching", elapsed=125.0, training_since=25.0)
    done, running, stopped = search("layer2", 3), search("none", 0), search("random", 1)
    state.states = {done: "complete", running: "running", stopped: "pruned"}
    state.scores = {done: 1.913, running: 9.0}
    state.steps = {done: STEPS, running: 100, stopped: 100}
    # 400 of the remaining steps took 100 s; 47 untouched jobs and half of the running one are left.
    left = (47 * STEPS + 100) * 100 / 400
    assert progress_line(state) == (
        "searching | 2 of 50 jobs done, 1 running, 1 stopped early | "
        f"ahead so far: tera layer2 1.91 dB (search) | 2 min 05 s elapsed, about {duration(left)} left"
    )


def test_stages_take_the_place_of_the_phase_while_they_run(plan: Plan) -> None:
    state = ProgressState(plan, stages={"tera pre-training": (5, 10), "gate": (10, 10), "wav2vec2": (0, 4)})
    assert progress_line(state).startswith("tera pre-training 50 %, wav2vec2 0 % | 0 of 50 jobs done")
    state.stages["more"] = (1, 3)
    assert progress_line(state).startswith("tera pre-training 50 %, wav2vec2 0 % and 1 more")


def test_before_anything_is_known_nothing_is_promised(plan: Plan) -> None:
    line = progress_line(ProgressState(plan))
    assert line == "starting | 0 of 50 jobs done | 0 s elapsed"


def test_finalists_outrank_search_scores_by_their_mean(plan: Plan) -> None:
    state = ProgressState(plan)
    scores = {
        search("layer1", 0): 9.0,
        final("none", 1001): 1.5,
        final("none", 1002): 1.7,
        final("layer2", 1001): 1.9,
        final("layer2", 1002): 1.1,
    }
    state.scores = dict(scores)
    state.states = dict.fromkeys(scores, "complete")
    leader = state.leader("tera")
    assert leader == {"candidate": "none", "score": pytest.approx(1.6), "phase": "final"}
    assert state.leader("wav2vec2") is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (61, "1 min 01 s"),
        (1500, "25 min"),
        (3599, "60 min"),
        (7500, "2 h 05 min"),
    ],
)
def test_durations_are_as_precise_as_a_reader_can_use(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_events_become_counts_and_leaders(progress: Progress, plan: Plan) -> None:
    tell_job(progress, search("layer2", 3))
    tell_start(progress, search("none", 0))
    tell_start(progress, search("random", 1))
    tell_end(progress, search("random", 1), "failed", "out of memory")
    snapshot = json.loads(json.dumps(progress.snapshot()))
    assert snapshot["jobs"] == {"total": 50, "running": 1, "complete": 1, "pruned": 0, "failed": 1}
    assert snapshot["groups"]["wav2vec2"]["jobs"]["running"] == 0
    assert snapshot["groups"]["tera"]["leader"]["candidate"] == "layer2"
    assert snapshot["groups"]["tera"]["leader"]["score"] == score_of(search("layer2", 3))


def test_a_resumed_sweep_counts_what_earlier_drivers_did(progress: Progress) -> None:
    reports = (Report(100, 1.0, {}, START_MS), Report(STEPS, 1.4, {}, START_MS))
    ended = JobRecord(search("none", 0), "complete", 1, 0, Proposal({}), START_MS, reports, score=1.4)
    broken = JobRecord(search("random", 1), "running", 1, 0, Proposal({}), START_MS, reports[:1])
    progress.reconcile([ended, broken])
    snapshot = progress.snapshot()
    assert snapshot["jobs"]["complete"] == 1
    assert snapshot["jobs"]["running"] == 0  # not before it is handed out again
    assert snapshot["left"] is None  # the speed of this driver is not known yet


def test_a_log_gets_a_plain_line_at_every_change_of_stage(progress: Progress, stream: io.StringIO) -> None:
    for done in (1, 5, 10):
        progress.hear(StageProgressed("tera pre-training", done, 10))
    progress.phase("scoring")
    lines = stream.getvalue().splitlines()
    assert [line.split(" | ")[0] for line in lines] == ["tera pre-training 10 %", "starting", "scoring"]
    assert "\x1b" not in stream.getvalue()


def test_a_terminal_gets_a_bar_and_the_running_stages(plan: Plan) -> None:
    from rich.console import Console

    state = ProgressState(plan, phase="searching", stages={"gate of tera": (1, 4)})
    state.states = {search("layer2", 0): "complete"}
    state.scores = {search("layer2", 0): 1.9}
    stream = io.StringIO()
    console = Console(file=stream, width=120, force_terminal=True, color_system=None)
    console.print(display(state))
    shown = stream.getvalue()
    for part in ("searching", "1 of 50 jobs done", "gate of tera", "25 %", "tera layer2 1.90 dB (search)"):
        assert part in shown
