"""Under --resolve: each group's number of seeds is set once, after the first three, and survives the driver."""

import json
import random
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.storages import InMemoryStorage

from benchmarks.simulation.simulated import Simulation, facts, simulated_plan
from sweep.engine.finalist_queue import Contention
from sweep.engine.interim_looks import InterimLooks
from sweep.engine.seed_number import SeedNumber, further_seeds, seed_remarks, stages_so_far
from sweep.stored import layout
from sweep.study.study import StudyStore
from tests.sweep.engine.test_interim_looks import _row, rows_of
from trainables.base.storage.storage import Storage

_DESIGN = {"resolve": 0.6, "seeds": 5, "source": "here", "spreads": {}}
PLAN = simulated_plan(groups=("tera",), samples=2, seeds=10, design=_DESIGN)


def number(storage: Storage, store: StudyStore) -> SeedNumber:
    return SeedNumber(PLAN, storage, lambda group: rows_of(store, group))


def _given(rows: list[dict[str, Any]], group: str) -> list[dict[str, Any]]:
    return rows


def scattered(spread: float) -> list[dict[str, Any]]:
    """Validation rows whose seeds scatter by about `spread` dB."""
    luck = random.Random(1)
    rows = []
    for job in (job for job in PLAN.final_jobs("tera") if job.number in PLAN.seeds[:3]):
        score = luck.gauss(0, spread)
        rows += [_row(job, utterance, score) for utterance in range(12)]
    return rows


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Any, ...]]:
    store = StudyStore(InMemoryStorage(), PLAN.name)
    Simulation(PLAN, store, contention=number(Storage(tmp_path_factory.mktemp("numbers")), store)).run()
    return facts(store, PLAN)


def test_the_number_grows_with_the_spread_within_what_was_priced(tmp_path: Path) -> None:
    found = []
    for spread in (0.01, 0.1, 5.0):
        storage = Storage(tmp_path / str(spread))
        rows = scattered(spread)
        contention = SeedNumber(PLAN, storage, partial(_given, rows))
        staying = contention.staying("tera", 3)
        assert staying is not None
        found.append(contention.until("tera", 3))
        assert len(staying) == (5 if found[-1] > 3 else 0)
        assert contention.staying("tera", found[-1]) == ()
    assert found == sorted(found)
    assert found[0] < found[1] < found[2] == len(PLAN.seeds)


def test_a_group_without_spreads_of_its_own_is_steadied_by_those_of_the_others(tmp_path: Path) -> None:
    """A later start may add groups, which the design never saw."""
    expected = [1.0, 0.01, 0.0, 0.01, 0.0]

    def number_with(spreads: dict[str, list[float]]) -> int:
        plan = replace(PLAN, design={**_DESIGN, "spreads": spreads})
        contention = SeedNumber(plan, Storage(tmp_path / "-".join(["with", *spreads])), lambda group: scattered(0.05))
        contention.staying("tera", 3)
        return contention.until("tera", 3)

    assert number_with({"wav2vec2": expected}) == number_with({"tera": expected}) > number_with({})


def test_the_number_is_stored_with_its_reason_and_never_set_again(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    first = SeedNumber(PLAN, storage, lambda group: scattered(0.3))
    assert not first.is_decided("tera", 3)
    first.staying("tera", 3)
    assert first.is_decided("tera", 3)
    stored = json.loads(storage.read(layout.SEED_NUMBERS))["tera"]
    assert stored["seeds"] == first.until("tera", 3)
    assert str(stored["seeds"]) in seed_remarks(storage)["tera"][0]

    def must_not_be_read(group: str) -> NoReturn:
        raise AssertionError("valid was read again")

    again = SeedNumber(PLAN, storage, must_not_be_read)
    again.staying("tera", 3)
    assert again.until("tera", 3) == stored["seeds"]


def test_nothing_is_set_while_valid_is_being_scored(tmp_path: Path) -> None:
    assert SeedNumber(PLAN, Storage(tmp_path), lambda group: None).staying("tera", 3) is None
    assert not Storage(tmp_path).exists(layout.SEED_NUMBERS)


def test_without_scores_it_stays_as_planned(tmp_path: Path) -> None:
    contention = SeedNumber(PLAN, Storage(tmp_path), lambda group: [])
    contention.staying("tera", 3)
    assert contention.until("tera", 3) == 5


def test_every_candidate_gets_the_same_number(undisturbed: dict[str, tuple[Any, ...]]) -> None:
    labels = ("none", "random", "layer1", "layer2", "layer3")
    counts = {sum(f"final/{label}/" in path for path in undisturbed) for label in labels}
    assert len(counts) == 1
    assert 3 <= counts.pop() <= 10


@settings(max_examples=5, deadline=None)
@given(kills=st.lists(st.integers(0, 60), max_size=4), workers=st.integers(1, 5), seed=st.integers(0, 99))
def test_a_driver_killed_at_any_moment_trains_the_same_seeds(
    tmp_path_factory: pytest.TempPathFactory,
    undisturbed: dict[str, tuple[Any, ...]],
    kills: list[int],
    workers: int,
    seed: int,
) -> None:
    store, storage = StudyStore(InMemoryStorage(), PLAN.name), Storage(tmp_path_factory.mktemp("killed"))
    simulation = Simulation(PLAN, store, workers=workers, order=random.Random(seed))
    for events in kills:
        simulation.contention = number(storage, store)
        simulation.run(killed_after=simulation.events + events)
    simulation.contention = number(storage, store)
    assert simulation.run()
    assert facts(store, PLAN) == undisturbed


def test_later_seeds_pre_train_when_they_are_known_to_be_needed(tmp_path: Path) -> None:
    def seeds(contention: Contention) -> set[int]:
        return {stage.seed for stage in stages_so_far(PLAN, contention)} - {PLAN.search_seed}

    contention = SeedNumber(PLAN, Storage(tmp_path), lambda group: scattered(0.15))
    assert seeds(contention) == set(PLAN.seeds[:3])
    contention.staying("tera", 3)
    assert 3 < contention.until("tera", 3) < len(PLAN.seeds)
    assert seeds(contention) == set(PLAN.seeds[: contention.until("tera", 3)])


def test_other_plans_have_looks(tmp_path: Path) -> None:
    assert isinstance(further_seeds(replace(PLAN, design={}), Storage(tmp_path), lambda group: []), InterimLooks)
    assert isinstance(further_seeds(PLAN, Storage(tmp_path), lambda group: []), SeedNumber)
