"""Designs: what each pair of numbers detects and costs, and which one is chosen."""

from dataclasses import replace
from pathlib import Path

import pytest

from sweep.plan.plan import Plan
from sweep.plan.resolution import Resolution, levels_of_test, sized, utterances
from sweep.verdict.planning.spreads import Spreads
from tests.support.sweeps import small_sweep

SPREADS = Spreads(seed=0.12**2, speaker=0.05**2, utterance=0.1**2, speaker_residual=0.05**2, residual=0.16**2)
"""Of every group."""
_SPEECH = {"splits": {"test": {"speakers": 40, "seconds": 600.0}}}


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    made = small_sweep.make_plan(tmp_path, corpus_summary=_SPEECH)
    return replace(made, data=replace(made.data, test_seconds=75.0, evaluation_clip_seconds=4.0))


def price(plan: Plan) -> float:
    """1,000 s a seed, 2 s for each second of test audio of a seed."""
    return len(plan.seeds) * (1000 + 2 * plan.data.test_seconds)


def resolution(plan: Plan) -> Resolution:
    return Resolution(plan, {group.name: SPREADS for group in plan.groups}, price)


def test_levels_go_from_the_presets_audio_to_all_there_is(plan: Plan) -> None:
    assert levels_of_test(plan) == [75.0, 150.0, 300.0, 600.0]
    assert [utterances(plan, seconds) for seconds in levels_of_test(plan)] == [19, 38, 75, 150]


def test_a_split_that_has_no_more_or_lists_its_snrs_has_one_level(plan: Plan) -> None:
    assert levels_of_test(replace(plan, data=replace(plan.data, test_seconds=700.0))) == [700.0]
    assert levels_of_test(replace(plan, data=replace(plan.data, evaluation_snrs=(0.0, 5.0)))) == [75.0]
    assert levels_of_test(replace(plan, corpus_summary={})) == [75.0]


def test_the_cheapest_design_detects_the_difference_and_no_cheaper_one_does(plan: Plan) -> None:
    wanted, found = 0.15, resolution(plan).cheapest(0.15)
    assert found is not None
    assert found.detectable <= wanted
    every = [resolution(plan).design(seeds, level) for seeds in range(3, 101) for level in range(4)]
    assert found.cost == min(design.cost or 0.0 for design in every if design.detectable <= wanted)
    assert found.cost == pytest.approx(price(sized(plan, found.seeds, found.test_seconds)))


def test_the_finest_design_costs_no_more_than_is_paid_and_no_finer_one_does(plan: Plan) -> None:
    paid, found = 10_000.0, resolution(plan).finest(10_000.0)
    assert found is not None
    assert found.cost is not None
    assert found.cost <= paid
    every = [resolution(plan).design(seeds, level) for seeds in range(3, 101) for level in range(4)]
    assert found.detectable == min(design.detectable for design in every if (design.cost or 0.0) <= paid)


def test_what_cannot_be_has_no_design(plan: Plan) -> None:
    assert resolution(plan).cheapest(0.01) is None
    assert resolution(plan).finest(1_000.0) is None


def test_without_costs_the_fewest_seeds_are_chosen(plan: Plan) -> None:
    unknown = Resolution(plan, {group.name: SPREADS for group in plan.groups}, lambda plan: None)
    found = unknown.cheapest(0.15)
    assert found is not None
    assert found.seeds == min(
        design.seeds for design in [unknown.design(n, 3) for n in range(3, 101)] if design.detectable <= 0.15
    )
    assert unknown.finest(1e9) is None


def test_the_group_that_scatters_most_decides(plan: Plan) -> None:
    first, *others = (group.name for group in plan.groups)
    assert others
    wild = replace(SPREADS, seed=4 * SPREADS.seed)
    uneven = Resolution(plan, {first: wild, **dict.fromkeys(others, SPREADS)}, price)
    both = Resolution(plan, {group.name: wild for group in plan.groups}, price)
    assert uneven.design(5, 0) == both.design(5, 0)
