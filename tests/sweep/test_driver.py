"""What a second start does with a sweep that has an answer: shows it, or goes on where it covers not all."""

from dataclasses import replace
from pathlib import Path

import pytest

from sweep.driver import drive
from sweep.plan import Plan
from sweep.planning import Planned
from sweep.sweep_lock import sweep_lock
from tests.sweep.finished_sweep import finished_sweep, given_more
from trainables.errors import UserError


def goes_on(stored: Plan, plan: Plan) -> bool:
    """Whether a resume that makes `plan` of the stored one goes beyond showing the answer: it then wants the lock."""
    with sweep_lock(plan):
        try:
            drive(Planned(plan, resume=True, stored=stored))
        except UserError as error:
            return "already being driven" in str(error)
    return False


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return finished_sweep(tmp_path)


def test_a_whole_answer_is_shown_again(plan: Plan) -> None:
    assert not goes_on(plan, plan)


def test_groups_that_the_answer_does_not_cover_are_run_although_an_earlier_start_has_planned_them(
    plan: Plan,
) -> None:
    given_more(plan)
    assert goes_on(plan, plan)


def test_more_seeds_are_not_passed_over(plan: Plan) -> None:
    assert goes_on(plan, replace(plan, seeds=(*plan.seeds, 1004)))
