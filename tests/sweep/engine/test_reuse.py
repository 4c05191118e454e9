"""Jobs of earlier sweeps: found instead of trained, with the same study in the end, whatever dies or is damaged."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from pathlib import Path
from threading import Event as Flag
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from optuna.storages import InMemoryStorage

from benchmarks.simulation.simulated import Simulation, facts, simulated_plan, simulated_score
from sweep.core.jobs import Job
from sweep.core.listener import Announcer, Event, JobEnded, JobStarted
from sweep.engine.dispatcher import Dispatcher, Handout, Pause
from sweep.engine.reuse import Keeping, Reuse
from sweep.plan.job_key import job_key, rows_key
from sweep.plan.plan import Plan
from sweep.storage.artifacts import StoredArtifacts
from sweep.storage.checkpoints import StoredCheckpoints
from sweep.storage.kept_jobs import KEPT_JOBS, KeptJobs, KeptReports
from sweep.stored.rows import Rows, collect_rows, rows_file, to_parquet
from sweep.study.study import Proposal, StudyStore
from trainables.base.storage.storage import Storage
from trainables.inference import NOISY
from trainables.job import stages
from trainables.job.assignment import Assignment, DataSettings
from trainables.listening import LISTENING_FILE

PLAN = simulated_plan(groups=("tera",), samples=3, exempt=1, sweep_seed=2, name="first")
AGAIN = replace(PLAN, name="second")


class _Workers:
    """A listener that leaves what workers would: a finalist's last checkpoint, before its end is heard by others."""

    def __init__(self, checkpoints: StoredCheckpoints) -> None:
        self._checkpoints = checkpoints

    def hear(self, event: Event) -> None:
        if isinstance(event, JobEnded) and event.job.phase == "final" and event.state == "complete":
            self._checkpoints.save(event.job.path, PLAN.steps, weights(event.job))


def weights(job: Job) -> dict[str, bytes]:
    return {"model.pt": job.path.encode() * 10}


class Sweep:
    """One sweep of a machine whose cache is `folder`/cache."""

    def __init__(self, folder: Path, plan: Plan = PLAN, reads: bool = True, workers: int = 2) -> None:
        self.plan = plan
        self.store = StudyStore(InMemoryStorage(), plan.name)
        self.checkpoints = StoredCheckpoints(Storage(folder / plan.name))
        kept = KeptJobs(StoredArtifacts(Storage(folder / "cache"), KEPT_JOBS))
        self.reuse = Reuse(plan, kept, self.checkpoints, reads)
        self.keeping = Keeping(plan, self.store, self.reuse)
        self.events: list[Event] = []
        self.simulation = Simulation(
            plan,
            self.store,
            workers=workers,
            order=random.Random(workers),
            listeners=(_Workers(self.checkpoints), self.keeping, self),
            reuse=self.reuse,
        )

    def hear(self, event: Event) -> None:
        self.events.append(event)

    def run(self) -> "Sweep":
        assert self.simulation.run()
        self.keeping.keep_all(())
        return self

    @property
    def trained(self) -> list[str]:
        return self.simulation.handed_out

    @property
    def facts(self) -> dict[str, tuple[Any, ...]]:
        return facts(self.store, self.plan)


@pytest.fixture(scope="module")
def fresh() -> dict[str, tuple[Any, ...]]:
    store = StudyStore(InMemoryStorage(), PLAN.name)
    Simulation(PLAN, store).run()
    found = facts(store, PLAN)
    assert {fact[0] for fact in found.values()} == {"complete", "pruned"}
    return found


def kept_files(folder: Path, name: str) -> list[Path]:
    return sorted((folder / "cache" / KEPT_JOBS).glob(f"*/{name}"))


def test_the_same_sweep_again_trains_nothing_and_has_the_same_study(
    tmp_path: Path, fresh: dict[str, tuple[Any, ...]]
) -> None:
    first = Sweep(tmp_path).run()
    assert len(first.trained) == len(fresh)
    second = Sweep(tmp_path, AGAIN).run()
    assert second.trained == []
    assert first.facts == second.facts == fresh
    records = second.store.all_records(AGAIN)
    assert {record.attempt for record in records} == {1}
    assert [record.reused_from for record in records] == [f"first/{record.job.path}" for record in records]


def test_finalists_have_their_weights_and_search_trials_leave_nothing(tmp_path: Path) -> None:
    Sweep(tmp_path).run()
    second = Sweep(tmp_path, AGAIN).run()
    for job in AGAIN.final_jobs("tera"):
        assert second.checkpoints.newest(job.path) == (AGAIN.steps, weights(job))
    assert all(second.checkpoints.newest(job.path) is None for job in AGAIN.search_jobs("tera"))


def test_listeners_hear_of_a_reused_job_what_they_hear_of_any_other(tmp_path: Path) -> None:
    def heard(sweep: Sweep, job: str) -> list[str]:
        return [type(event).__name__ for event in sweep.events if getattr(event, "job", None) == Job.parse(job)]

    first, second = Sweep(tmp_path).run(), Sweep(tmp_path, AGAIN).run()
    for job in PLAN.all_jobs():
        assert heard(first, job.path) == heard(second, job.path)
    starts = [event for event in second.events if isinstance(event, JobStarted)]
    assert all(event.reused_from == f"first/{event.job.path}" for event in starts)
    assert all(event.reused_from is None for event in first.events if isinstance(event, JobStarted))


def _without(plan: Plan, label: str) -> Plan:
    (group,) = plan.groups
    return replace(plan, groups=(replace(group, candidates=tuple(c for c in group.candidates if c.label != label)),))


@pytest.mark.parametrize("added", [candidate.label for candidate in PLAN.groups[0].candidates])
def test_one_candidate_more_trains_its_own_jobs_alone_and_has_the_study_of_a_sweep_that_trained_all(
    tmp_path: Path, added: str
) -> None:
    """Wherever it stands among the candidates, with trials that TPE draws and trials that are stopped early."""
    whole = replace(PLAN, samples=8, name="whole")
    store = StudyStore(InMemoryStorage(), whole.name)
    Simulation(whole, store).run()
    Sweep(tmp_path, _without(replace(whole, name="fewer"), added)).run()
    more = Sweep(tmp_path, whole)
    more.simulation.run(killed_after=3)
    more.run()
    assert more.facts == facts(store, whole)
    assert {Job.parse(job).candidate for job in more.trained} == {added}
    assert "pruned" in {fact[0] for fact in more.facts.values()}


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lost=st.integers(0, 9999), share=st.floats(0.1, 0.9), kills=st.lists(st.integers(0, 9), max_size=3))
def test_whatever_is_missing_and_whenever_the_driver_dies_the_study_is_that_of_a_sweep_that_trained_all(
    tmp_path_factory: pytest.TempPathFactory,
    fresh: dict[str, tuple[Any, ...]],
    lost: int,
    share: float,
    kills: list[int],
) -> None:
    folder = tmp_path_factory.mktemp("reuse")
    Sweep(folder).run()
    chance = random.Random(lost)
    gone = [file for file in kept_files(folder, "*") if chance.random() < share]
    for file in gone:
        file.unlink()
    second = Sweep(folder, AGAIN, workers=1 + lost % 4)
    for events in kills:
        second.simulation.run(killed_after=second.simulation.events + events)
    second.run()
    assert second.facts == fresh
    assert len(set(second.trained)) <= len(gone)


@pytest.mark.parametrize(("name", "phase"), [("reports", "search"), ("weights", "final")])
def test_a_damaged_entry_is_computed_again_and_replaced(
    tmp_path: Path, fresh: dict[str, tuple[Any, ...]], name: str, phase: str
) -> None:
    Sweep(tmp_path).run()
    for file in kept_files(tmp_path, name):
        content = bytearray(file.read_bytes())
        content[-1] ^= 1
        file.write_bytes(content)
    second = Sweep(tmp_path, AGAIN).run()
    assert {job for job in fresh if f"/{phase}/" in job} <= set(second.trained)
    assert second.facts == fresh
    assert Sweep(tmp_path, replace(PLAN, name="third")).run().trained == []


def test_a_trial_that_was_stopped_early_never_counts_as_one_that_used_its_budget(tmp_path: Path) -> None:
    first = Sweep(tmp_path).run()
    stopped = {job for job, fact in first.facts.items() if fact[0] == "pruned"}
    lenient = Sweep(tmp_path, replace(AGAIN, exempt=PLAN.samples)).run()
    assert stopped <= set(lenient.trained)
    assert {fact[0] for fact in lenient.facts.values()} == {"complete"}
    # Now its whole curve is kept, and a strict sweep stops it where it did.
    third = Sweep(tmp_path, replace(PLAN, name="third")).run()
    assert third.trained == []
    assert third.facts == first.facts


def test_a_job_whose_entry_went_while_its_driver_was_dead_is_trained_and_says_so(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path)
    job = PLAN.search_jobs("tera")[0]
    sweep.store.start(job, Proposal(anchor()))
    sweep.store.mark_reused(job, "gone/tera/search/none/0000")
    sweep.run()
    record = sweep.store.record(job)
    assert job.path in sweep.trained
    assert record is not None
    assert record.reused_from is None


def test_two_drivers_at_once_share_what_either_has_ended_and_both_have_the_study_of_one_alone(
    tmp_path: Path, fresh: dict[str, tuple[Any, ...]]
) -> None:
    sweeps = [Sweep(tmp_path, replace(PLAN, name=name), workers=3) for name in ("ada", "bob")]
    with ThreadPoolExecutor(2) as drivers:
        list(drivers.map(Sweep.run, sweeps))
    assert [sweep.facts for sweep in sweeps] == [fresh, fresh]
    third = Sweep(tmp_path, AGAIN).run()
    assert (third.trained, third.facts) == ([], fresh)


class _Waits:
    """Finds all but the finalists of `none`, and copies no files before it may."""

    def __init__(self, reuse: Reuse, fits: bool) -> None:
        self.go = Flag()
        self._reuse, self._fits = reuse, fits

    def find(self, assignment: Assignment) -> KeptReports | None:
        return None if assignment.job.startswith("tera/final/none/") else self._reuse.find(assignment)

    def place(self, assignment: Assignment) -> bool:
        assert assignment.phase == "search" or self.go.wait(60)
        return self._reuse.place(assignment) and (self._fits or assignment.phase == "search")


@pytest.mark.parametrize("fits", [True, False])
def test_jobs_are_handed_out_while_files_of_others_are_copied(
    tmp_path: Path, fresh: dict[str, tuple[Any, ...]], fits: bool
) -> None:
    Sweep(tmp_path).run()
    second = Sweep(tmp_path, AGAIN)
    reuse = _Waits(second.reuse, fits)
    finalists = {job.path for job in AGAIN.final_jobs("tera")}
    missing = {job for job in finalists if "/none/" in job}
    with ThreadPoolExecutor(2) as background:
        dispatcher = Dispatcher(AGAIN, second.store, Announcer(), reuse=reuse, background=background)
        handed: list[Handout] = []
        while isinstance(answer := dispatcher.next(), Handout):
            handed.append(answer)
        assert answer is Pause.WAIT
        assert {handout.job.path for handout in handed} == missing
        reuse.go.set()
        background.shutdown()
        while isinstance(answer := dispatcher.next(), Handout):
            handed.append(answer)
        assert answer is Pause.WAIT
        assert {handout.job.path for handout in handed} == (missing if fits else finalists)
        for handout in handed:
            for step in range(AGAIN.round_steps, AGAIN.steps + 1, AGAIN.round_steps):
                dispatcher.report(handout.job, 1, step, simulated_score(handout.assignment, step), {})
        assert dispatcher.next() is Pause.DONE
    assert second.facts == fresh


def test_without_reuse_everything_is_trained(tmp_path: Path, fresh: dict[str, tuple[Any, ...]]) -> None:
    Sweep(tmp_path).run()
    second = Sweep(tmp_path, AGAIN, reads=False).run()
    assert sorted(second.trained) == sorted(fresh)
    assert {record.reused_from for record in second.store.all_records(AGAIN)} == {None}


def test_another_seed_or_more_seeds_train_only_what_is_new(tmp_path: Path) -> None:
    Sweep(tmp_path).run()
    more = replace(AGAIN, seeds=(*PLAN.seeds, 1003))
    second = Sweep(tmp_path, more).run()
    assert {Job.parse(job).number for job in second.trained} == {1003}


@pytest.mark.parametrize(
    "change",
    [
        lambda plan: replace(plan, code="other"),
        lambda plan: replace(plan, corpus_fingerprint="other"),
        lambda plan: replace(plan, threads=2),
        lambda plan: replace(plan, gpus_per_trial=1.0),
        lambda plan: replace(plan, metric="wb_pesq"),
        lambda plan: replace(plan, round_steps=4),
        lambda plan: replace(plan, data=replace(plan.data, batch=plan.data.batch + 1)),
        lambda plan: replace(plan, data=replace(plan.data, valid_seconds=plan.data.valid_seconds + 4)),
        lambda plan: replace(plan, search_seed=plan.search_seed + 1, seeds=tuple(s + 100 for s in plan.seeds)),
    ],
)
def test_whatever_changes_bits_changes_every_key(tmp_path: Path, change: Callable[[Plan], Plan]) -> None:
    first = Sweep(tmp_path)
    first.run()
    other = Sweep(tmp_path, change(AGAIN))
    assert other.reuse.find(other.plan.assignment(PLAN.search_jobs("tera")[0], anchor(), 1)) is None
    assert first.reuse.find(first.plan.assignment(PLAN.search_jobs("tera")[0], anchor(), 1)) is not None


def anchor() -> dict[str, Any]:
    group = PLAN.groups[0]
    return PLAN.anchor(group, group.candidates[0])


# -- rows ------------------------------------------------------------------------------------------------


def _rows(job: str, split: str) -> Rows:
    group, phase, candidate, _ = ("all", "final", NOISY, "") if job == NOISY else job.split("/")
    seed = -1 if job == NOISY else Job.parse(job).number
    identity = {"group": group, "candidate": candidate, "phase": phase, "seed": seed, "job": job, "split": split}
    clip = {"utterance": "u1", "speaker": "s1", "noise_type": "hum", "snr_db": 0.0}
    score = {"metric": "si_sdr", "value": 0.1 + seed / 3, "status": "ok", "gain": 1.0, "polarity": 1.0, "lag": 0}
    return [{**identity, **clip, **score}]


def _score(sweep: Sweep, split: str) -> list[str]:
    """Write the rows that scoring would write; returns the jobs."""
    jobs = [NOISY, *(job.path for job in sweep.plan.final_jobs("tera"))]
    for job in jobs:
        sweep.checkpoints.write_result(job, rows_file(split), to_parquet(_rows(job, split)))
        if split == "test":
            sweep.checkpoints.write_result(job, LISTENING_FILE, job.encode())
    return jobs


def test_rows_and_clips_are_kept_and_those_of_test_are_placed_only_when_asked_for(tmp_path: Path) -> None:
    first = Sweep(tmp_path).run()
    jobs = _score(first, "valid") and _score(first, "test")
    first.keeping.keep_all(PLAN.final_jobs("tera"))
    second = Sweep(tmp_path, AGAIN).run()
    assert collect_rows(second.checkpoints, jobs, "valid") == collect_rows(first.checkpoints, jobs, "valid")
    assert not any(second.checkpoints.has_result(job, rows_file("test")) for job in jobs)
    assert not any(second.checkpoints.has_result(job, LISTENING_FILE) for job in jobs)
    finalists = [AGAIN.assignment(job, second.store.record(job).nuisance, 1) for job in AGAIN.final_jobs("tera")]  # type: ignore[union-attr]
    second.reuse.place_rows(finalists, "test")
    for job in jobs:
        for name in (rows_file("test"), LISTENING_FILE):
            assert second.checkpoints.read_result(job, name) == first.checkpoints.read_result(job, name)


def test_other_metrics_are_scored_anew_from_the_same_weights(tmp_path: Path) -> None:
    first = Sweep(tmp_path).run()
    _score(first, "valid")
    _score(first, "test")
    first.keeping.keep_all(PLAN.final_jobs("tera"))
    more = Sweep(tmp_path, replace(AGAIN, also=("sdr",))).run()
    assert more.trained == []
    finalists = [more.plan.assignment(job, more.store.record(job).nuisance, 1) for job in PLAN.final_jobs("tera")]  # type: ignore[union-attr]
    more.reuse.place_rows(finalists, "test")
    assert not any(more.checkpoints.has_result(job.path, rows_file("test")) for job in PLAN.final_jobs("tera"))
    assert all(more.checkpoints.has_result(job.path, rows_file("valid")) for job in PLAN.final_jobs("tera"))


class _Counted(KeptJobs):
    """Counts what is asked of it."""

    asked = 0

    def files(self, key: str, name: str) -> dict[str, bytes] | None:
        self.asked += 1
        return super().files(key, name)


@pytest.mark.parametrize("scored", [True, False])
def test_the_rows_of_the_unprocessed_input_are_asked_for_once(tmp_path: Path, scored: bool) -> None:
    first = Sweep(tmp_path).run()
    if scored:
        _score(first, "valid")
        first.keeping.keep_all(PLAN.final_jobs("tera"))
    kept = _Counted(StoredArtifacts(Storage(tmp_path / "cache"), KEPT_JOBS))
    checkpoints = StoredCheckpoints(Storage(tmp_path / "other"))
    reuse = Reuse(AGAIN, kept, checkpoints)
    finalists = [AGAIN.assignment(job, first.store.record(job).nuisance, 1) for job in AGAIN.final_jobs("tera")]  # type: ignore[union-attr]
    for assignment in finalists:
        reuse.place_rows([assignment], "valid")
    assert kept.asked == len(finalists) + 1
    assert checkpoints.has_result(NOISY, rows_file("valid")) == scored


@pytest.mark.parametrize("library", ["torch", "numba", "pesq"])
def test_another_version_of_a_library_that_trains_or_scores_changes_every_key(
    monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    assignment = PLAN.assignment(PLAN.search_jobs("tera")[0], anchor(), 1)

    def keys() -> set[str]:
        return {job_key(assignment, PLAN.code), rows_key(PLAN, PLAN.data, "test")}

    before = keys()
    versions = stages.metadata.version
    monkeypatch.setattr(stages.metadata, "version", lambda name: "9.9" if name == library else versions(name))
    stages.library_versions.cache_clear()
    after = keys()
    monkeypatch.undo()
    stages.library_versions.cache_clear()
    assert before.isdisjoint(after)
    assert keys() == before


@pytest.mark.parametrize("name", [each.name for each in fields(DataSettings)])
def test_whatever_may_change_an_evaluation_set_changes_the_key_of_its_rows(name: str) -> None:
    """Fields that a later version adds, too, unless it says that only training reads them."""
    other = replace(PLAN.data)
    object.__setattr__(other, name, "another")
    changed = rows_key(PLAN, other, "test") != rows_key(PLAN, PLAN.data, "test")
    assert changed == (name not in {"batch", "crop_seconds", "training_snrs", "labelled_minutes"})


def test_another_model_in_the_same_place_changes_the_key_of_the_rows_that_it_scores() -> None:
    scored = replace(PLAN, also=("wer_own",), models={"wer_own": "/models/recogniser"})
    keys = {
        rows_key(replace(scored, weights={"metric wer_own": content}), PLAN.data, "test") for content in ("one", "two")
    }
    assert len(keys) == 2


def test_a_sweep_that_goes_on_with_other_libraries_keeps_nothing(tmp_path: Path) -> None:
    """Jobs that ended before carry bits of the versions before."""
    Sweep(tmp_path, replace(PLAN, libraries={**PLAN.libraries, "torch": "1.0"})).run()
    assert not (tmp_path / "cache" / KEPT_JOBS).exists()
    assert len(Sweep(tmp_path, AGAIN).run().trained) == len(list(AGAIN.all_jobs()))
