"""Early stopping compares like with like, and only with what ended before the trial began."""

import random
from dataclasses import replace

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.pruners import MedianPruner
from optuna.trial import TrialState, create_trial

from benchmarks.simulation.simulated import simulated_plan
from sweep.core.jobs import Job
from sweep.plan.plan import Plan
from sweep.search.median_rule import should_stop
from sweep.study.study import JobRecord, Proposal, Report, State

# Five candidates: trial 2 is layer1's first, 7 its second, 12 its third. Budget 8, rounds of 2.
TRIAL = Job("tera", "search", "layer1", 12)


@pytest.fixture
def plan() -> Plan:
    return simulated_plan(groups=("tera",), exempt=2)


def _record(number: int, scores: dict[int, float], state: State = "complete", label: str = "layer1") -> JobRecord:
    reports = tuple(Report(step, score, {}, 0) for step, score in scores.items())
    job = Job("tera", "search", label, number)
    last = reports[-1].score if state == "complete" else None
    return JobRecord(job, state, 1, number // 5, Proposal({}), 0, reports, score=last)


def _with_peers(own: dict[int, float], *others: JobRecord) -> list[JobRecord]:
    peers = [_record(n, {2: 1.0, 4: 2.0, 6: 3.0, 8: 4.0}) for n in (2, 7)]
    return [*peers, _record(12, own, "running"), *others]


def test_a_trial_below_the_median_of_its_candidate_is_stopped_and_one_above_is_not(plan: Plan) -> None:
    assert should_stop(_with_peers({2: 0.5, 4: 1.0}), TRIAL, 4, plan)
    assert not should_stop(_with_peers({2: 0.5, 4: 2.5}), TRIAL, 4, plan)


@pytest.mark.parametrize(("step", "why"), [(2, "before half the budget"), (8, "at the end")])
def test_never(plan: Plan, step: int, why: str) -> None:
    assert not should_stop(_with_peers({2: 0.0, 4: 0.0, 6: 0.0, 8: 0.0}), TRIAL, step, plan), why


def test_a_candidates_first_trials_are_exempt() -> None:
    plan = simulated_plan(groups=("tera",), exempt=3)
    assert not should_stop(_with_peers({2: 0.0, 4: 0.0}), TRIAL, 4, plan)


def _silent(record: JobRecord, clips: int) -> JobRecord:
    """The same scores, over fewer clips: on the others the model fell silent."""
    reports = tuple(replace(report, metrics={"failed_clips": clips}) for report in record.reports)
    return replace(record, reports=reports)


def test_silence_on_hard_clips_does_not_save_a_trial(plan: Plan) -> None:
    peers = [_record(n, {4: 2.0}) for n in (2, 7)]
    own = _record(12, {4: 9.0}, "running")
    assert not should_stop([*peers, own], TRIAL, 4, plan)
    assert should_stop([*peers, _silent(own, 4)], TRIAL, 4, plan)


def test_a_silent_peer_is_no_measure_of_others(plan: Plan) -> None:
    peers = [_record(2, {4: 2.0}), _silent(_record(7, {4: 9.0}), 4)]
    assert not should_stop([*peers, _record(12, {4: 3.0}, "running")], TRIAL, 4, plan)
    assert should_stop([*peers, _record(12, {4: 1.0}, "running")], TRIAL, 4, plan)


def test_clips_that_no_trial_can_score_change_nothing(plan: Plan) -> None:
    records = [_silent(record, 2) for record in _with_peers({2: 0.5, 4: 2.5})]
    assert not should_stop(records, TRIAL, 4, plan)
    records = [_silent(record, 2) for record in _with_peers({2: 0.5, 4: 1.0})]
    assert should_stop(records, TRIAL, 4, plan)


def test_finalists_are_never_stopped(plan: Plan) -> None:
    assert not should_stop(_with_peers({4: 0.0}), Job("tera", "final", "layer1", 1001), 4, plan)


def test_other_candidates_do_not_count(plan: Plan) -> None:
    better = [_record(n, {4: 9.0, 8: 9.0}, label="layer2") for n in (3, 8)]
    assert not should_stop(_with_peers({2: 0.5, 4: 2.5}, *better), TRIAL, 4, plan)


def test_the_same_generation_does_not_count(plan: Plan) -> None:
    neighbours = [_record(n, {4: 9.0, 8: 9.0}) for n in (10, 13, 14)]
    assert not should_stop(_with_peers({2: 0.5, 4: 2.5}, *neighbours), TRIAL, 4, plan)


def test_failed_and_stopped_trials_set_no_mark(plan: Plan) -> None:
    unfinished = [_record(3, {4: 9.0}, "failed"), _record(4, {4: 9.0}, "pruned")]
    assert not should_stop(_with_peers({2: 0.5, 4: 2.5}, *unfinished), TRIAL, 4, plan)


def test_the_order_in_which_trials_ended_does_not_matter(plan: Plan) -> None:
    records = _with_peers({2: 0.5, 4: 1.9}, _record(1, {4: 1.0, 8: 1.0}), _record(3, {4: 3.0, 8: 3.0}))
    decisions = set()
    for seed in range(10):
        random.Random(seed).shuffle(records)
        decisions.add(should_stop(records, TRIAL, 4, plan))
    assert decisions == {True}


def _by_optuna(own: dict[int, float], peers: list[dict[int, float]]) -> bool:
    study = optuna.create_study(direction="maximize")
    for scores in peers:
        study.add_trial(create_trial(value=scores[8], intermediate_values=scores))
    pruner = MedianPruner(n_startup_trials=1, n_warmup_steps=0, n_min_trials=1)
    return pruner.prune(study, create_trial(state=TrialState.RUNNING, intermediate_values=own))


@settings(max_examples=50, deadline=None)
@given(
    own=st.lists(st.floats(-5, 5), min_size=2, max_size=2),
    peers=st.lists(st.lists(st.floats(-5, 5), min_size=4, max_size=4), min_size=1, max_size=6),
)
def test_the_rule_is_optunas_median_pruner(own: list[float], peers: list[list[float]]) -> None:
    plan = simulated_plan(groups=("tera",), exempt=0, generation_size=100, tunes_apart=False)
    mine = dict(zip((2, 4), own, strict=True))
    others = [dict(zip((2, 4, 6, 8), scores, strict=True)) for scores in peers]
    records = [_record(number, scores) for number, scores in enumerate(others)]
    job = Job("tera", "search", "layer1", 1002)
    running = _record(1002, mine, "running")
    assert should_stop([*records, running], job, 4, plan) == _by_optuna(mine, others)


def test_with_async_whatever_is_complete_counts(plan: Plan) -> None:
    neighbours = [_record(n, {4: 9.0, 8: 9.0}) for n in (10, 13, 14)]
    records = _with_peers({2: 0.5, 4: 2.5}, *neighbours)
    assert should_stop(records, TRIAL, 4, replace(plan, asynchronous=True))


def test_later_scores_do_not_reach_back(plan: Plan) -> None:
    """After a crash the decision of an earlier step is taken again, when a later score may be known."""
    assert should_stop(_with_peers({4: 1.0, 6: 9.0}), TRIAL, 4, plan)
