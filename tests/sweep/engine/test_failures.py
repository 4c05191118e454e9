"""When a job is retried, how long the pauses are, when a sweep stops, and which jobs count as hanging."""

import pytest

from sweep.core.jobs import Job
from sweep.engine.failures import MAX_FAILURES, MAX_OUTAGES, Failures
from sweep.engine.watchdog import Patience, Watchdog

JOB = Job("tera", "search", "none", 0)


def test_a_lost_worker_is_replaced_at_once_a_few_times() -> None:
    failures = Failures()
    assert [failures.pause(JOB, outage=False) for _ in range(MAX_FAILURES)] == [0.0, 0.0, None]


def test_after_an_outage_the_pauses_grow_and_add_up_to_half_an_hour() -> None:
    failures = Failures()
    pauses = [failures.pause(JOB, outage=True) for _ in range(MAX_OUTAGES)]
    assert pauses[:6] == [5, 10, 20, 40, 60, 60]
    assert pauses[-1] is None
    assert 25 * 60 < sum(pause for pause in pauses if pause) < 35 * 60


@pytest.mark.parametrize("before", [False, True])
def test_one_kind_does_not_count_against_the_other(before: bool) -> None:
    failures = Failures()
    for _ in range(MAX_FAILURES - 1):
        failures.pause(JOB, outage=before)
    assert failures.pause(JOB, outage=not before) == Failures().pause(JOB, outage=not before)


@pytest.mark.parametrize("outage", [False, True])
def test_a_completed_round_resets_both_counts(outage: bool) -> None:
    failures = Failures()
    for _ in range(MAX_FAILURES - 1):
        failures.pause(JOB, outage=outage)
    failures.reset(JOB)
    assert failures.pause(JOB, outage=outage) == (5 if outage else 0)


@pytest.mark.parametrize(
    ("reasons", "stops"),
    [
        ([f"ValueError: loss is nan at step {step}" for step in range(5)], [False] * 4 + [True]),
        (["a", "b", "c", "d", "e", "f"], [False] * 6),
        ([None] * 5 + ["a"] * 6, [False] * 10 + [True]),
    ],
    ids=["one reason but for its numbers", "many reasons", "most only at the last"],
)
def test_a_sweep_stops_when_five_and_most_of_its_ended_jobs_failed_alike(
    reasons: list[str | None], stops: list[bool]
) -> None:
    failures = Failures()
    answers = [failures.ended(reason) for reason in reasons]
    assert [answer is not None for answer in answers] == stops
    if stops[-1]:
        assert str(reasons[-1]) in str(answers[-1])


def test_a_job_hangs_when_it_is_silent_for_many_rounds() -> None:
    now = [0.0]
    watchdog = Watchdog(Patience(rounds=10, least=30, unknown=100), clock=lambda: now[0])
    assert watchdog.silent(["a", "b"]) == []
    for _ in range(5):
        now[0] += 5
        watchdog.report("a")
        assert watchdog.silent(["a", "b"]) == []
    assert watchdog.allowed() == 50
    for _ in range(3):
        now[0] += 9
        last = watchdog.silent(["a", "b"])
    assert last == ["b"]
    assert watchdog.silent(["a"]) == []


def test_silence_that_the_driver_could_not_hear_is_no_silence() -> None:
    now = [0.0]
    watchdog = Watchdog(Patience(unknown=100), clock=lambda: now[0])
    watchdog.silent(["a"])
    now[0] += 600  # the study's database was away
    assert watchdog.silent(["a"]) == []


def test_before_any_round_is_known_patience_is_long() -> None:
    now = [0.0]
    watchdog = Watchdog(Patience(rounds=10, least=30, unknown=100), clock=lambda: now[0])
    assert watchdog.silent(["a"]) == []
    for _ in range(11):
        now[0] += 9
        assert watchdog.silent(["a"]) == []
    now[0] += 9
    assert watchdog.silent(["a"]) == ["a"]
