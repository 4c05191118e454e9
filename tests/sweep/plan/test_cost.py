"""What a plan is said to cost before it runs."""

from dataclasses import replace
from pathlib import Path

import pytest

from sweep.plan.cost import disk_bytes, estimate, kept_bytes, speakers_on_test
from sweep.plan.plan import Plan
from tests.support.sweeps import separation_sweep, small_sweep
from tests.support.sweeps.typed_plan import plan
from trainables.job.stages import Stage
from trainables.ssl.upstream_table import UPSTREAM_TABLE


@pytest.fixture
def separation(tmp_path: Path) -> Plan:
    return separation_sweep.make_plan(tmp_path)


def pretraining(plan: Plan, missing: list[Stage]) -> float:
    cost = estimate(plan, missing)
    assert cost is not None
    return cost.pretraining


def test_every_step_of_pre_training_is_counted_once(separation: Plan) -> None:
    """Two stretches of 120 steps cost what one of 240 costs; and what is in the cache costs nothing."""
    in_one = replace(separation, method_config={**separation.method_config, "pretraining_stretch": 240})
    whole, chained = pretraining(in_one, in_one.stages()), pretraining(separation, separation.stages())
    assert whole > 0
    assert chained == pytest.approx(whole)
    assert pretraining(separation, []) == 0


def test_pre_training_is_paid_per_task_and_seed(separation: Plan) -> None:
    """SE, MAMA and CC, with the search's seed and the finalists'."""
    fewer = replace(separation, seeds=separation.seeds[:1])
    costs = [pretraining(plan, plan.stages()) for plan in (separation, fewer)]
    assert costs[0] / costs[1] == pytest.approx((1 + 3) / (1 + 1))


def test_upstreams_are_pre_trained_too(tmp_path: Path) -> None:
    plan = small_sweep.make_plan(tmp_path, corpus_summary={}, method_config={"size": "tiny"})
    assert pretraining(plan, plan.stages()) > 0


def test_what_adapters_learn_alone_is_paid_by_its_steps(tmp_path: Path) -> None:
    made = {
        steps: plan(tmp_path, "--space", "norm_rivals", "--upstreams", "tera", "--set", f"draft_steps={steps}").plan
        for steps in (100, 700)
    }
    costs = {steps: pretraining(each, each.stages()) for steps, each in made.items()}
    step = UPSTREAM_TABLE["tera"].pretraining_step_seconds
    assert costs[700] - costs[100] == pytest.approx(600 * step * (1 + len(made[700].seeds)))


def test_nothing_is_said_of_a_network_never_timed(separation: Plan) -> None:
    unknown = replace(separation, method_config={**separation.method_config, "size": "paper"})
    assert estimate(unknown, []) is None


def test_full_size_checkpoints_take_full_size_disk(tmp_path: Path) -> None:
    """Measured with optimizer: 227 MB for a waveform body, 317 MB for TERA with a frozen branch of three layers."""
    tiny, base = (
        small_sweep.make_plan(tmp_path, corpus_summary={}, method_config={"size": size}) for size in ("tiny", "base")
    )
    jobs = sum(1 for _ in base.all_jobs())
    finalists = sum(len(base.final_jobs(group.name)) for group in base.groups)
    assert finalists * 317e6 < disk_bytes(base) < 2.5 * jobs * 317e6
    assert disk_bytes(tiny) < disk_bytes(base) / 20
    assert finalists * 317e6 < kept_bytes(base) < disk_bytes(base)


def test_where_splits_change_roles_the_speakers_of_test_are_those_of_the_split_that_serves_as_test(
    separation: Plan,
) -> None:
    splits = {"train": {"speakers": 28}, "test": {"speakers": 2}}
    plan = replace(separation, corpus_summary={"splits": splits})
    assert speakers_on_test(plan) == 2
    assert speakers_on_test(replace(plan, data=replace(plan.data, swap_roles=True))) == 28


def test_scoring_costs_no_more_than_the_audio_there_is(separation: Plan) -> None:
    def scoring(seconds: float) -> float:
        splits = {"valid": {"seconds": 20.0}, "test": {"seconds": 30.0}}
        data = replace(separation.data, valid_seconds=20.0, test_seconds=seconds)
        cost = estimate(replace(separation, corpus_summary={"splits": splits}, data=data), [])
        assert cost is not None
        return cost.scoring

    assert scoring(30.0) == scoring(3000.0) > 0
