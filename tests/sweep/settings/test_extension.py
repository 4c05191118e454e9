"""A resumed sweep may be given more, never less, and nothing that its results could have asked for."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from optuna.storages import InMemoryStorage

from benchmarks.simulation.simulated import Simulation, facts, simulated_plan
from sweep.driver.whose import freeze as frozen_by_driver
from sweep.plan.job_key import libraries
from sweep.plan.plan import Plan
from sweep.settings.extension import refuse_dishonest
from sweep.stored import layout
from sweep.study.study import Proposal, StudyStore
from tests.support.sweeps.typed_plan import freeze, plan, resume
from trainables.base.errors import UserError
from trainables.base.storage.storage import Storage


def test_samples_seeds_hours_and_upstreams_are_raised_and_the_plan_keeps_the_history(tmp_path: Path) -> None:
    started = plan(tmp_path, "--name", "first", "--upstreams", "tera", "--samples", "2", "--seeds", "3")
    freeze(started)
    flags = ["--samples", "4", "--seeds", "5", "--max-hours", "2.5", "--upstreams", "wav2vec2"]
    more = resume(tmp_path, "first", *flags)
    assert more.stored == started.plan
    assert (more.plan.samples, len(more.plan.seeds), more.plan.max_hours) == (4, 5, 2.5)
    assert more.plan.seeds[:3] == started.plan.seeds
    assert [group.name for group in more.plan.groups] == ["tera", "wav2vec2"]
    (change,) = more.plan.extensions
    assert change["samples"] == [2, 4]
    assert change["upstreams"] == [["tera"], ["wav2vec2"]]
    assert Plan.from_json(more.plan.to_json()) == more.plan


def test_the_extensions_of_an_older_plan_are_kept() -> None:
    plain = simulated_plan().to_json()
    del plain["extensions"]
    change = {"time": "2026-01-01T00:00:00+00:00", "samples": [2, 4]}
    assert Plan.from_json({**plain, "raises": [change]}).extensions == (change,)


def test_naming_what_the_plan_has_already_changes_nothing(tmp_path: Path) -> None:
    started = plan(tmp_path, "--name", "first", "--samples", "2")
    freeze(started)
    same = resume(tmp_path, "first", "--samples", "2", "--upstreams", "tera")
    assert same.plan == started.plan


def test_a_plan_that_was_resumed_under_other_libraries_knows_it_at_every_later_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = plan(tmp_path, "--name", "first", "--samples", "2")
    assert started.plan.libraries == libraries()
    freeze(started)
    with monkeypatch.context() as other:
        other.setattr("sweep.settings.resume.libraries", lambda: {**libraries(), "torch": "1.0"})
        second = resume(tmp_path, "first")
    assert second.plan == replace(started.plan, libraries={})
    frozen_by_driver(second, second.plan, Storage(second.plan.output))
    assert resume(tmp_path, "first").plan.libraries == {}


@pytest.mark.parametrize("flag", ["--samples", "--seeds", "--max-hours"])
def test_nothing_is_lowered(tmp_path: Path, flag: str) -> None:
    freeze(plan(tmp_path, "--name", "first", flag, "4"))
    with pytest.raises(UserError, match=f"{flag} 3: .*never lowered"):
        resume(tmp_path, "first", flag, "3")


def test_looks_are_fixed_when_a_sweep_starts(tmp_path: Path) -> None:
    freeze(plan(tmp_path, "--name", "looks", "--seeds", "auto"))
    freeze(plan(tmp_path, "--name", "fixed", "--seeds", "3"))
    assert resume(tmp_path, "looks", "--seeds", "auto").plan.extensions == ()
    with pytest.raises(UserError, match=r"--seeds 9: .*--seeds auto, whose looks were fixed"):
        resume(tmp_path, "looks", "--seeds", "9")
    with pytest.raises(UserError, match=r"--seeds auto: .*planned with 3 seeds for all"):
        resume(tmp_path, "fixed", "--seeds", "auto")


def test_a_search_that_was_raised_ends_as_one_that_was_planned_so() -> None:
    small = simulated_plan(groups=("tera",), samples=2)
    large = simulated_plan(samples=3)
    raised, planned = (StudyStore(InMemoryStorage(), "sweep") for _ in range(2))
    Simulation(small, raised).run(killed_after=20)
    Simulation(large, raised).run()
    Simulation(large, planned).run()
    assert facts(raised, large) == facts(planned, large)


def test_search_trials_are_refused_once_a_finalist_has_started(tmp_path: Path) -> None:
    before, after = simulated_plan(samples=2), simulated_plan(samples=3)
    store = StudyStore(InMemoryStorage(), before.name)
    refuse_dishonest(before, after, store, Storage(tmp_path))
    store.start(before.final_jobs("tera")[0], Proposal({}))
    with pytest.raises(UserError, match="--samples 3: finalists of tera have started"):
        refuse_dishonest(before, after, store, Storage(tmp_path))


def test_seeds_are_refused_once_the_leaders_are_named(tmp_path: Path) -> None:
    before, after = simulated_plan(seeds=2), simulated_plan(seeds=3)
    store, storage = StudyStore(InMemoryStorage(), before.name), Storage(tmp_path)
    refuse_dishonest(before, after, store, storage)
    storage.write(layout.NOMINATIONS, json.dumps({"leaders": {}}).encode())
    with pytest.raises(UserError, match="second look"):
        refuse_dishonest(before, after, store, storage)
