"""When a job is retried, how long the pauses are, when a sweep stops, and which jobs count as hanging."""

import pytest

from sweep.core.jobs import Job
from sweep.engine.deaths import Fault
from sweep.engine.failures import LIMITS, MAX_OWN_DEATHS, Failures, Losses, pause
from sweep.engine.watchdog import Patience, Watchdog

JOB, OTHER = Job("tera", "search", "none", 0), Job("tera", "search", "none", 5)


def _pauses(fault: Fault) -> list[float | None]:
    return [pause(fault, count) for count in range(1, LIMITS[fault] + 1)]


def test_a_job_that_ends_its_worker_is_tried_again_at_once_a_few_times() -> None:
    assert [pause(Fault.OWN, count) for count in range(1, MAX_OWN_DEATHS + 1)] == [0.0, 0.0, None]


def test_after_an_outage_the_pauses_grow_and_add_up_to_half_an_hour() -> None:
    pauses = _pauses(Fault.OUTAGE)
    assert pauses[:6] == [5, 10, 20, 40, 60, 60]
    assert pauses[-1] is None
    assert 25 * 60 < sum(pause for pause in pauses if pause) < 35 * 60


def test_a_lost_worker_is_replaced_at_once_and_then_with_growing_pauses() -> None:
    pauses = _pauses(Fault.OTHERS)
    assert pauses[:6] == [0, 5, 10, 20, 40, 60]
    assert 25 * 60 < sum(pause for pause in pauses if pause) < 35 * 60
    assert _pauses(Fault.UNKNOWN) == [*pauses[: LIMITS[Fault.UNKNOWN] - 1], None]


def test_a_round_resets_all_counts_of_its_job_and_of_no_other() -> None:
    losses = Losses()
    for job in (JOB, OTHER):
        assert [losses.add(job, Fault.OTHERS), losses.add(job, Fault.OUTAGE)] == [1, 1]
    losses.reset(JOB)
    assert [losses.add(JOB, Fault.OTHERS), losses.add(JOB, Fault.OUTAGE)] == [1, 1]
    assert [losses.add(OTHER, Fault.OTHERS), losses.add(OTHER, Fault.OUTAGE)] == [2, 2]


def test_whether_others_went_on_is_counted_from_the_first_loss_in_a_row() -> None:
    losses = Losses()
    losses.reset(OTHER)
    losses.add(JOB, Fault.OTHERS)
    assert not losses.others_went_on(JOB)
    losses.reset(OTHER)
    assert losses.others_went_on(JOB)
    losses.reset(JOB)
    losses.add(JOB, Fault.OTHERS)
    assert not losses.others_went_on(JOB)


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
    assert watchdog.silent({"a": 0, "b": 0}) == []
    for _ in range(5):
        now[0] += 5
        watchdog.report("a")
        assert watchdog.silent({"a": 0, "b": 0}) == []
    assert [watchdog.allowed(deaths) for deaths in (0, 1, 2)] == [50, 200, 800]
    assert watchdog.silent({"a": 0, "b": 1}) == []
    for _ in range(3):
        now[0] += 9
        last = watchdog.silent({"a": 0, "b": 0})
    assert last == ["b"]
    assert watchdog.silent({"a": 0}) == []


def test_silence_that_the_driver_could_not_hear_is_no_silence() -> None:
    now = [0.0]
    watchdog = Watchdog(Patience(unknown=100), clock=lambda: now[0])
    watchdog.silent({"a": 0})
    now[0] += 600  # the study's database was away
    assert watchdog.silent({"a": 0}) == []


def test_before_any_round_is_known_patience_is_long() -> None:
    now = [0.0]
    watchdog = Watchdog(Patience(rounds=10, least=30, unknown=100), clock=lambda: now[0])
    assert watchdog.silent({"a": 0}) == []
    for _ in range(11):
        now[0] += 9
        assert watchdog.silent({"a": 0}) == []
    now[0] += 9
    assert watchdog.silent({"a": 0}) == ["a"]
