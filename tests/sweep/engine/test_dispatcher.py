"""The logic of a sweep against a simulation: any number of workers, any order, any crash, one result."""

import random
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.storages import InMemoryStorage

from benchmarks.simulation.simulated import BEST_LAYER, Simulation, facts, simulated_plan
from sweep.core.jobs import Job
from sweep.core.listener import (
    Announcer,
    Event,
    JobEnded,
    JobEvent,
    JobReported,
    JobStarted,
)
from sweep.core.stopping import Interrupted, StopSignal, TooManyFailures
from sweep.engine.deaths import Fault
from sweep.engine.dispatcher import Dispatcher, Handout, Pause
from sweep.engine.failures import LIMITS, MAX_OWN_DEATHS
from sweep.engine.group_queue import NOTHING_TO_FINALISE
from sweep.plan.cost import job_seconds
from sweep.plan.plan import Plan
from sweep.study.study import StudyStore

PLAN = simulated_plan(groups=("tera",), samples=3, exempt=1, sweep_seed=2)


def _store(plan: Plan = PLAN) -> StudyStore:
    return StudyStore(InMemoryStorage(), plan.name)


@pytest.fixture(scope="module")
def undisturbed() -> dict[str, tuple[Any, ...]]:
    store = _store()
    Simulation(PLAN, store, workers=1).run()
    return facts(store, PLAN)


# -- what is promised ----------------------------------------------------------------------------------


@settings(max_examples=12, deadline=None)
@given(workers=st.integers(1, 12), seed=st.integers(0, 999))
def test_workers_and_order_of_finishing_change_nothing(
    undisturbed: dict[str, tuple[Any, ...]], workers: int, seed: int
) -> None:
    store = _store()
    Simulation(PLAN, store, workers=workers, order=random.Random(seed)).run()
    assert facts(store, PLAN) == undisturbed


@settings(max_examples=12, deadline=None)
@given(kills=st.lists(st.integers(0, 25), max_size=4), workers=st.integers(1, 4), seed=st.integers(0, 99))
def test_a_driver_killed_at_any_moment_loses_no_job_and_runs_none_twice(
    undisturbed: dict[str, tuple[Any, ...]], kills: list[int], workers: int, seed: int
) -> None:
    store = _store()
    simulation = Simulation(PLAN, store, workers=workers, order=random.Random(seed))
    for events in kills:
        simulation.run(killed_after=simulation.events + events)
    assert simulation.run()
    assert facts(store, PLAN) == undisturbed
    assert len(undisturbed) == len(list(PLAN.all_jobs()))


def test_a_report_that_was_recorded_but_not_acted_upon_is_acted_upon_at_the_next_start(
    undisturbed: dict[str, tuple[Any, ...]],
) -> None:
    """The driver may die between recording a round and ending the job it was the last round of."""
    ended_early = {path for path, fact in undisturbed.items() if fact[0] == "pruned"}
    assert ended_early
    store = _store()
    simulation = Simulation(PLAN, store, workers=1)
    for _ in undisturbed:
        with pytest.MonkeyPatch.context() as dying:
            dying.setattr(store, "end", _killed)
            with pytest.raises(ConnectionError):
                simulation.run()
        Dispatcher(PLAN, store, Announcer())  # takes over, and ends what had to end
    assert facts(store, PLAN) == undisturbed


def _killed(*_: Any, **__: Any) -> None:
    raise ConnectionError("killed")


@pytest.mark.parametrize("upstream", ["tera", "wav2vec2"])
def test_the_best_layer_wins(upstream: str) -> None:
    plan = simulated_plan()
    store = _store(plan)
    Simulation(plan, store, workers=4).run()
    finals = [record for record in store.records(upstream, "final") if record.score is not None]
    best = max(finals, key=lambda record: record.score or 0.0)
    assert best.job.candidate == f"layer{BEST_LAYER[upstream]}"


# -- order -----------------------------------------------------------------------------------------------


def _handouts(dispatcher: Dispatcher) -> list[Handout]:
    found = []
    while (handout := dispatcher.next()) is not Pause.WAIT:
        assert isinstance(handout, Handout)
        found.append(handout)
    return found


def _finish(dispatcher: Dispatcher, handout: Handout, score: float = 1.0) -> None:
    for step in (2, 4, 6, 8):
        dispatcher.report(handout.job, handout.attempt, step, score, {})


def test_a_trial_waits_for_the_earlier_ones_of_its_candidate_and_for_no_others() -> None:
    dispatcher = Dispatcher(PLAN, _store(), Announcer())
    first = _handouts(dispatcher)
    assert [handout.job.number for handout in first] == [0, 1, 2, 3, 4]
    for handout in (first[3], first[1]):
        _finish(dispatcher, handout)
        assert [each.job.number for each in _handouts(dispatcher)] == [handout.job.number + 5]


def test_a_search_that_is_given_more_trials_goes_on_as_if_it_had_been_planned_with_them() -> None:
    whole = replace(PLAN, samples=7)
    store = _store()
    assert not Simulation(PLAN, store).run(killed_after=30)
    assert not store.records("tera", "final")
    assert Simulation(whole, store).run()
    planned = _store()
    Simulation(whole, planned).run()
    assert facts(store, whole) == facts(planned, whole)


def test_a_group_added_later_searches_as_if_it_had_been_planned() -> None:
    both, store, planned = simulated_plan(samples=4), _store(), _store()
    Simulation(replace(both, groups=both.groups[:1]), store).run()
    Simulation(both, store).run()
    Simulation(both, planned).run()
    assert facts(store, both) == facts(planned, both)


def test_in_one_search_for_the_group_a_generation_waits_for_all_of_the_one_before() -> None:
    dispatcher = Dispatcher(replace(PLAN, tunes_apart=False), _store(), Announcer())
    first = _handouts(dispatcher)
    assert [handout.job.number for handout in first] == [0, 1, 2, 3, 4]
    for handout in first[:-1]:
        _finish(dispatcher, handout)
        assert dispatcher.next() is Pause.WAIT
    _finish(dispatcher, first[-1])
    assert [handout.job.number for handout in _handouts(dispatcher)] == [5, 6, 7, 8, 9]


def test_groups_of_equal_jobs_take_turns() -> None:
    plan = simulated_plan(groups=("mockingjay", "tera"))
    dispatcher = Dispatcher(plan, _store(plan), Announcer())
    groups = [handout.job.group for handout in _handouts(dispatcher)]
    assert groups == ["mockingjay", "tera"] * 5


def test_the_group_with_most_work_left_comes_first() -> None:
    """A job of wav2vec2 takes longer here: handed out in turns, its last ones would keep one worker busy alone."""
    plan = simulated_plan()
    tera, wav2vec2 = (job_seconds(plan, group) or 0.0 for group in plan.groups)
    assert wav2vec2 > tera
    dispatcher = Dispatcher(plan, _store(plan), Announcer())
    groups = [handout.job.group for handout in _handouts(dispatcher)]
    jobs = len(plan.search_jobs("tera")) + len(plan.final_jobs("tera"))
    left = {"tera": jobs * tera, "wav2vec2": jobs * wav2vec2}
    for group in groups[:5]:
        assert left[group] == max(left.values())
        left[group] -= tera if group == "tera" else wav2vec2
    assert groups.count("tera") == groups.count("wav2vec2") == 5, "the rest waits for this generation"


def test_every_candidate_has_finalists_with_its_best_configuration_and_the_same_seeds() -> None:
    store = _store()
    Simulation(PLAN, store).run()
    finals = store.records("tera", "final")
    assert [record.job for record in finals] == PLAN.final_jobs("tera")
    for record in finals:
        tried = [r for r in store.records("tera", "search") if r.job.candidate == record.job.candidate]
        complete = [r for r in tried if r.state == "complete"]
        best = max(complete, key=lambda r: (r.score or 0.0, -r.job.number))
        assert record.nuisance == best.nuisance


def test_seeds_added_later_share_the_configuration_of_the_first() -> None:
    store = _store()
    Simulation(PLAN, store).run()
    more = replace(PLAN, samples=4, seeds=(*PLAN.seeds, 1003))
    Simulation(more, store).run()
    by_candidate = {(record.job.candidate, str(record.nuisance)) for record in store.records("tera", "final")}
    assert len(by_candidate) == 5
    assert len(store.records("tera", "final")) == 15


def test_assignments_are_complete_json_with_the_attempt() -> None:
    handout = Dispatcher(PLAN, _store(), Announcer()).next()
    assert isinstance(handout, Handout)
    assert handout.assignment["job"] == handout.job.path
    assert handout.assignment["attempt"] == handout.attempt == 1
    assert handout.assignment["config"]["upstream"] == "tera"


# -- misfortunes -----------------------------------------------------------------------------------------


POISON = Job("tera", "search", "none", 0)


def _ends_its_worker(handout: Handout, step: int) -> None:
    if handout.job == POISON:
        raise ChildProcessError("its worker crashed")


def test_a_job_that_ends_its_worker_again_and_again_fails_with_the_reason() -> None:
    store = _store()
    simulation = Simulation(PLAN, store, misfortune=_ends_its_worker)
    assert simulation.run()
    assert Counter(simulation.handed_out)[POISON.path] == MAX_OWN_DEATHS
    record = store.record(POISON)
    assert record is not None
    assert (record.state, record.attempt) == ("failed", MAX_OWN_DEATHS)
    assert record.reason == f"its worker crashed, {MAX_OWN_DEATHS} times in a row"


@settings(max_examples=12, deadline=None)
@given(kills=st.lists(st.integers(0, 12), max_size=6), seed=st.integers(0, 99))
def test_a_new_driver_gives_a_job_that_ends_its_workers_no_further_lives(kills: list[int], seed: int) -> None:
    store = _store()
    simulation = Simulation(PLAN, store, order=random.Random(seed), misfortune=_ends_its_worker)
    for events in kills:
        simulation.run(killed_after=simulation.events + events)
    assert simulation.run()
    record = store.record(POISON)
    assert record is not None
    assert (record.state, len(record.deaths)) == ("failed", MAX_OWN_DEATHS)
    reopened = StudyStore(InMemoryStorage(), PLAN.name)
    reopened._database = store._database  # as the next start reads it
    assert reopened.record(POISON) == record


def test_a_driver_that_dies_before_it_fails_a_job_leaves_that_to_the_next() -> None:
    store = _store()
    dispatcher = Dispatcher(PLAN, store, Announcer())
    for _ in range(MAX_OWN_DEATHS - 1):
        handout = _next(dispatcher)
        dispatcher.fail(handout.job, handout.attempt, "it crashed", Fault.OWN)
    store.add_death(handout.job, "it crashed")
    Dispatcher(PLAN, store, Announcer())
    record = store.record(handout.job)
    assert record is not None
    assert (record.state, record.reason) == ("failed", f"it crashed, {MAX_OWN_DEATHS} times in a row")


@pytest.mark.parametrize(
    ("misfortune", "losses"),
    [
        (ChildProcessError, MAX_OWN_DEATHS - 1),
        (InterruptedError, LIMITS[Fault.OTHERS] - 1),
        (ConnectionError, LIMITS[Fault.OUTAGE] - 1),
    ],
    ids=["its own deaths", "kills from outside", "an outage of minutes"],
)
def test_losses_before_every_round_cost_no_job(
    undisturbed: dict[str, tuple[Any, ...]], misfortune: type[Exception], losses: int
) -> None:
    """A long job on machines that are taken away again and again still ends."""
    lost: Counter[tuple[str, int]] = Counter()

    def lose_workers(handout: Handout, step: int) -> None:
        lost[handout.job.path, step] += 1
        if lost[handout.job.path, step] <= losses:
            raise misfortune("the worker died")

    store = _store()
    Simulation(PLAN, store, misfortune=lose_workers).run()
    assert facts(store, PLAN) == undisturbed


@pytest.mark.parametrize("fault", LIMITS)
def test_a_job_that_is_lost_while_all_others_go_on_fails_in_the_end(fault: Fault) -> None:
    dispatcher, store, now = _clocked()
    lost, other, *_ = _handouts(dispatcher)
    for _ in range(LIMITS[fault] - 1):
        dispatcher.fail(lost.job, lost.attempt, "killed", fault)
        now[0] += 60
        lost = _next(dispatcher)
    dispatcher.report(other.job, other.attempt, 2, 1.0, {})
    dispatcher.fail(lost.job, lost.attempt, "killed", fault)
    record = store.record(lost.job)
    assert record is not None
    assert (record.state, record.reason) == ("failed", f"killed, {LIMITS[fault]} times in a row")


@pytest.mark.parametrize("fault", LIMITS)
def test_where_no_job_goes_on_none_fails_and_the_sweep_stops_to_be_resumed(fault: Fault) -> None:
    stop = StopSignal()
    dispatcher, store, now = _clocked(stop)
    lost, *_ = _handouts(dispatcher)
    for _ in range(LIMITS[fault] - 1):
        dispatcher.fail(lost.job, lost.attempt, "killed", fault)
        now[0] += 60
        lost = _next(dispatcher)
    assert not stop.asked
    dispatcher.fail(lost.job, lost.attempt, "killed", fault)
    with pytest.raises(Interrupted, match=lost.job.path):
        stop.check()
    now[0] += 1e6
    assert dispatcher.next() is Pause.WAIT
    record = store.record(lost.job)
    assert record is not None
    assert record.state == "running"


def _clocked(stop: StopSignal | None = None) -> tuple[Dispatcher, StudyStore, list[float]]:
    """With a clock that the test moves."""
    store, now = _store(), [0.0]
    return Dispatcher(PLAN, store, Announcer(), stop, clock=lambda: now[0]), store, now


def _next(dispatcher: Dispatcher) -> Handout:
    handout = dispatcher.next()
    assert isinstance(handout, Handout)
    return handout


def test_a_job_that_would_fail_again_is_not_tried_again() -> None:
    def diverge(handout: Handout, step: int) -> None:
        if handout.job.number == 3 and handout.job.phase == "search":
            raise ValueError("loss is not finite at step 4")

    store = _store()
    simulation = Simulation(PLAN, store, misfortune=diverge)
    assert simulation.run()
    assert Counter(simulation.handed_out)["tera/search/layer2/0003"] == 1
    record = store.record(Job("tera", "search", "layer2", 3))
    assert record is not None
    assert record.state == "failed"


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_a_score_that_is_not_finite_fails_the_job_and_never_enters_the_study(score: float) -> None:
    store = _store()
    dispatcher = Dispatcher(PLAN, store, Announcer())
    handout = dispatcher.next()
    assert isinstance(handout, Handout)
    assert not dispatcher.report(handout.job, 1, 2, score, {})
    record = store.record(handout.job)
    assert record is not None
    assert (record.state, record.reason, record.scores) == ("failed", "si_sdr is not finite after step 2", {})


def test_a_candidate_without_a_finished_trial_fails_with_its_finalists_and_the_others_go_on() -> None:
    def never_finish(handout: Handout, step: int) -> None:
        if handout.job.candidate == "layer3":
            raise ValueError("cannot be trained")

    store = _store()
    assert Simulation(PLAN, store, misfortune=never_finish).run()
    finals = store.records("tera", "final")
    failed = [record for record in finals if record.state == "failed"]
    assert {record.job.candidate for record in failed} == {"layer3"}
    assert {record.reason for record in failed} == {NOTHING_TO_FINALISE}
    assert len(finals) - len(failed) == 8


def test_an_older_attempt_that_is_still_alive_cannot_change_anything() -> None:
    store = _store()
    first = Dispatcher(PLAN, store, Announcer()).next()
    assert isinstance(first, Handout)
    dispatcher = Dispatcher(PLAN, store, Announcer())
    second = dispatcher.next()
    assert isinstance(second, Handout)
    assert (second.job, second.attempt) == (first.job, 2)
    assert not dispatcher.report(first.job, first.attempt, 2, 9.0, {})
    dispatcher.fail(first.job, first.attempt, "too late")
    assert dispatcher.report(second.job, second.attempt, 2, 1.0, {})
    record = store.record(first.job)
    assert record is not None
    assert record.scores == {2: 1.0}


def test_after_an_outage_a_job_is_handed_out_again_when_its_pause_is_over() -> None:
    now = [0.0]
    dispatcher = Dispatcher(PLAN, _store(), Announcer(), clock=lambda: now[0])
    first, *others = _handouts(dispatcher)
    dispatcher.fail(first.job, first.attempt, "S3 is away", Fault.OUTAGE)
    assert dispatcher.next() is Pause.WAIT
    now[0] = 5.0
    again = dispatcher.next()
    assert isinstance(again, Handout)
    assert (again.job, again.attempt) == (first.job, 2)
    assert len(others) == 4


def test_a_sweep_whose_jobs_all_fail_alike_asks_to_stop() -> None:
    stop, store = StopSignal(), _store()
    dispatcher = Dispatcher(PLAN, store, Announcer(), stop)
    for handout in _handouts(dispatcher):
        dispatcher.fail(handout.job, handout.attempt, "KeyError: 'k0'")
    with pytest.raises(TooManyFailures, match="5 of 5 jobs failed in the same way"):
        stop.check()


def test_with_async_no_trial_waits_for_a_generation() -> None:
    dispatcher = Dispatcher(replace(PLAN, asynchronous=True), _store(), Announcer())
    assert len(_handouts(dispatcher)) == 15


# -- listeners -------------------------------------------------------------------------------------------


class _Log:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def hear(self, event: Event) -> None:
        self.events.append(event)


class _Broken:
    def hear(self, event: Event) -> None:
        if isinstance(event, JobReported):
            raise ConnectionError("MLflow is away")


def test_listeners_hear_every_fact_once_and_each_start_before_all_else_of_its_job() -> None:
    log, store = _Log(), _store()
    Simulation(PLAN, store, listeners=(log,)).run()
    records = store.all_records(PLAN)
    expected: list[JobEvent] = []
    for record in records:
        config = PLAN.config(record.job.group, record.job.candidate, record.nuisance)
        expected.append(JobStarted(record.job, record.started_ms, 1, config))
        for report in record.reports:
            expected.append(JobReported(record.job, report.timestamp_ms, report.step, report.metrics))
        assert record.state != "running"
        assert record.ended_ms is not None
        expected.append(JobEnded(record.job, record.ended_ms, record.state, record.score, record.reason))
    heard = [event for event in log.events if isinstance(event, JobEvent)]
    assert sorted(heard, key=lambda event: event.job) == sorted(expected, key=lambda event: event.job)
    assert [event.job for event in log.events if isinstance(event, JobStarted)] == [r.job for r in records]


def test_a_listener_that_fails_is_reported_once_and_stops_nothing(
    caplog: pytest.LogCaptureFixture, undisturbed: dict[str, tuple[Any, ...]]
) -> None:
    log, store = _Log(), _store()
    assert Simulation(PLAN, store, listeners=(_Broken(), log)).run()
    assert facts(store, PLAN) == undisturbed
    assert sum(isinstance(event, JobReported) for event in log.events) > 1
    (record,) = caplog.records
    assert isinstance(record.args, tuple)
    assert record.args[:2] == ("_Broken", "JobReported")
    assert "MLflow is away" in record.message
