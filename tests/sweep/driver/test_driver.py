"""Disk space before the first job, and a second start of a sweep that has an answer.

Whole sweeps are in test_whole_sweep.py.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from sweep.driver.answer import terms_of_paper
from sweep.driver.before_first_job import require_space
from sweep.driver.driver import drive
from sweep.plan.cost import disk_bytes, kept_bytes
from sweep.plan.plan import Plan
from sweep.settings.settings import Planned
from sweep.study.lock import sweep_lock
from sweep.study.study import StudyStore
from tests.support.sweeps import small_sweep
from tests.support.sweeps.finished_sweep import finished_sweep, given_more
from trainables.base.errors import UserError
from trainables.base.storage.storage import Storage


def continues(stored: Plan, plan: Plan) -> bool:
    """Whether a resume of `stored` as `plan` goes beyond showing the answer: it then takes the lock."""
    with sweep_lock(plan):
        try:
            drive(Planned(plan, stored=stored))
        except UserError as error:
            return "already being driven" in str(error)
    return False


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    finished = finished_sweep(tmp_path)
    StudyStore(finished.study_uri, finished.name)  # creates the file
    return finished


def test_a_whole_answer_is_shown_again(plan: Plan) -> None:
    assert not continues(plan, plan)


def test_groups_that_the_answer_does_not_cover_are_run_although_an_earlier_start_has_planned_them(
    plan: Plan,
) -> None:
    given_more(plan)
    assert continues(plan, plan)


def test_more_seeds_are_not_passed_over(plan: Plan) -> None:
    assert continues(plan, replace(plan, seeds=(*plan.seeds, 1004)))


def test_the_result_names_what_was_used_in_the_papers_terms(plan: Plan) -> None:
    """200 steps: horizons of 5 and 20."""
    chosen = {("tera", "layer1"): {"k0": 0.5}, ("tera", "none"): {}}
    terms = {"tera": {"layer1": {"k0": 0.5, "beta_m": 0.8, "beta_r": 0.95}}}
    assert terms_of_paper(plan, chosen) == terms


# -- space on the disk ---------------------------------------------------------------------------------


class Disk(Storage):
    """A folder on a disk with so much space."""

    free = 0

    def free_bytes(self) -> int | None:
        return self.free


def test_a_sweep_that_does_not_fit_is_refused_before_it_starts(tmp_path: Path) -> None:
    plan, disk = small_sweep.make_plan(tmp_path, corpus_summary={}), Disk(tmp_path)
    needed = int(disk_bytes(plan) + kept_bytes(plan))  # the cache is on the same disk
    disk.free = needed + 1
    require_space(plan, disk)
    disk.free = needed - 1
    with pytest.raises(UserError, match=r"GB are needed .*--output"):
        require_space(plan, disk)


def test_a_resume_needs_only_what_is_not_there_yet(tmp_path: Path) -> None:
    plan, disk = small_sweep.make_plan(tmp_path, corpus_summary={}), Disk(tmp_path)
    disk.free = int(disk_bytes(plan) / 2 + kept_bytes(plan)) + 1
    stored = tmp_path / "jobs" / "tera" / "final" / "estimates.bin"
    stored.parent.mkdir(parents=True)
    with stored.open("wb") as file:
        file.truncate(int(disk_bytes(plan) / 2) + 1)  # holes take no space
    require_space(plan, disk)
