"""One sweep from plan to answer, on the driver: prepare, compute stages, run jobs, score, decide, show.

A second start of the same plan finds what is done and does the rest: stages by their key, jobs in the study,
checkpoints and rows in storage, nominations and the ledger of test reads as files. Nothing here trains.
"""

import contextlib
import json
import os
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from sweep.core.jobs import Job
from sweep.core.listener import Listener
from sweep.core.next_command import command_line, typed_in
from sweep.core.stopping import StopSignal, stop_on_signals
from sweep.driver import answer
from sweep.engine.interim_looks import Looks, left_after, stored_looks
from sweep.engine.scoring import (
    FinalistScoring,
    ScoringFailed,
    ScoringPool,
    Workplace,
    full_pool_size,
    pool_size,
)
from sweep.engine.spent_checkpoints import SpentCheckpoints
from sweep.engine.tune_run import ray_session, run_stages, run_sweep
from sweep.machines.capacity import require_room
from sweep.machines.gpu_share import measured_share
from sweep.machines.shared_storage import require_shared
from sweep.machines.warm_workers import warm_workers
from sweep.plan.plan import Plan
from sweep.progress.progress import Progress
from sweep.report.findings.findings import findings
from sweep.report.findings.metric_means import Scores, scores_of
from sweep.report.publication import Publication
from sweep.report.result_tables import print_result
from sweep.settings.extension import refuse_dishonest
from sweep.settings.planning import Planned
from sweep.storage.checkpoints import StoredCheckpoints
from sweep.storage.patient import PatientStorage
from sweep.storage.stage_store import stage_store
from sweep.storage.storage import Storage
from sweep.stored import layout
from sweep.stored.by_name import is_remote
from sweep.stored.heartbeat import Heartbeat
from sweep.stored.hours import SPENT, Hours
from sweep.stored.ledger import ReadLedger
from sweep.stored.reading import is_answered, read_result
from sweep.stored.rows import Rows, collect_rows, has_rows, store_rows
from sweep.stored.stop_request import stop_on_request, void_requests
from sweep.study.lock import sweep_lock
from sweep.study.study import JobRecord, StudyStore
from sweep.tracking.mlflow_page import open_line
from sweep.tracking.tracker import Tracker, deliver_left_over
from sweep.verdict.gates import interpretable
from sweep.verdict.result import GateVerdict, Result
from trainables.audio.corpus.corpus import Corpus
from trainables.audio.corpus.corpus_copy import shared_copy
from trainables.audio.recipes.preparation import open_or_prepare
from trainables.base.cache_use import using_cache
from trainables.base.errors import UserError
from trainables.config.registry import gates_of
from trainables.inference import NOISY

SPOOL = "spool"


def drive(planned: Planned, kind: type["Drive"] | None = None) -> Result:
    """Run or continue the sweep to its answer, print it, and return what `--json` says.

    `kind` may put something else in place of training and scoring.
    Raises `UserError` before any job starts where the corpus, the output or the plan cannot be used.
    """
    plan = planned.plan
    storage = Storage(plan.output)
    if _asks_nothing_new(planned, storage):
        return _shown_again(plan, storage)
    storage.probe()
    Path(plan.home).mkdir(parents=True, exist_ok=True)
    with sweep_lock(plan) as take_lock_again, _own_empty_folder(), contextlib.ExitStack() as stack:
        stack.enter_context(using_cache())
        if planned.stored is not None and _is_raised(planned):
            refuse_dishonest(planned.stored, plan, StudyStore(plan.study_uri, plan.name), storage)
        corpus, warming = _prepare_while_ray_starts(plan, stack, warm=kind is None)
        require_room(plan)
        require_shared(storage, corpus)
        plan = _with_gpu_share(planned, _with_corpus(planned, corpus), corpus)
        _require_space(plan, storage)
        _freeze(planned, plan, storage)
        return (kind or Drive)(plan, corpus, take_lock_again, warming).run()


class Drive:
    """The parts of one running sweep; `run` takes them through it in order."""

    trainable: type | None = None  # None = SpeechTrainable

    def __init__(
        self,
        plan: Plan,
        corpus: Corpus,
        take_lock_again: Callable[[], None],
        warming: Sequence[Any] = (),  # what `warm_workers` gave
    ) -> None:
        self.plan = plan
        self.corpus = corpus
        self.warming = warming
        self.storage = PatientStorage(plan.output)
        self.stages = stage_store(plan.output, PatientStorage)
        self.checkpoints = StoredCheckpoints(self.storage)
        self.store = StudyStore(plan.study_uri, plan.name, returned=take_lock_again)
        self.stop = StopSignal()
        self.signs = Storage(plan.output)  # of life and of stopping: nothing waits for them
        self.hours = Hours(self.storage, plan.max_hours)

    def run(self) -> Result:
        with contextlib.ExitStack() as stack:
            progress, tracker = Progress(self.plan), Tracker(self.plan, Path(self.plan.home) / SPOOL)
            spent = SpentCheckpoints(Storage(self.plan.output))
            listeners: list[Listener] = [progress, tracker, spent]
            # Closed in reverse: MLflow is told last, when everything else has settled.
            stack.callback(tracker.close)
            stack.callback(progress.close)
            stack.callback(spent.close)
            stack.enter_context(stop_on_signals(self.stop))
            stack.enter_context(
                Heartbeat(self.signs, lambda: {**progress.snapshot(), SPENT: self.hours.spent()})
            )
            void_requests(self.storage)
            stack.enter_context(stop_on_request(self.stop, self.signs, self.hours.left, progress.phase))
            self._reconcile(progress, tracker)
            progress.phase("pre-training and gates")
            self._stages(listeners)
            pool = self._pool()
            stack.callback(pool.close)
            self._jobs(pool, listeners)
            pool.grow(full_pool_size())
            progress.phase("scoring the finalists on valid")
            leaders = self._nominate(pool)
            progress.phase("scoring the finalists on test, once")
            rows = self._test_rows(pool)
            scores = scores_of(self.plan, rows)
            result = self._confirm(rows, scores, leaders)
            files = self._publish(result, rows)
            tracker.log_results(result, files, answer.finalist_means(scores))
            # Last: a sweep with a result is finished, and MLflow's records are safe in the spool by now.
            self.storage.write(layout.RESULT, files[layout.RESULT].read_bytes())
        self._tidy()
        _show(self.plan, result)
        return result

    # -- the work --------------------------------------------------------------------------------------

    def _stages(self, listeners: list[Listener]) -> None:
        stages = [*self.plan.stages(), *self.plan.gate_stages()]
        gpus = self.plan.gpus_per_trial
        run_stages(stages, self.corpus, self.stages, listeners, gpus, self.stop, self.warming)

    def _pool(self) -> ScoringPool:
        plan = self.plan
        place = Workplace(
            self.corpus,
            self.checkpoints,
            self.stages,
            plan.threads,
            plan.gpus_per_trial,
            plan.scored,
        )
        return ScoringPool(place, pool_size())

    def _jobs(self, pool: ScoringPool, listeners: list[Listener]) -> None:
        self._submit(pool, self._complete(), "valid", infer=False)
        watching = [*listeners, FinalistScoring(self.plan, pool, self._nuisance)]
        judge = Looks(self.plan, self.storage, lambda group: self._valid_rows(pool, group))
        parameters = self._trainable_parameters()
        run_sweep(self.plan, self.store, parameters, watching, self.trainable, self.stop, judge=judge)

    def _valid_rows(self, pool: ScoringPool, group: str) -> Rows | None:
        """Of the group's finalists that have ended; None while they are being scored. Never waits."""
        jobs = list(answer.Finalists.of(self.store.records(group, "final")).complete)
        if not jobs:
            return []
        try:
            scored = pool.has_scored([NOISY, *(job.path for job in jobs)], "valid")
        except ScoringFailed as error:
            self.stop.ask(str(error), ScoringFailed)
            return None
        return self._rows(jobs, "valid") if scored else None

    def _trainable_parameters(self) -> dict[str, Any]:
        """Plain storage, not patient: see `PatientStorage`."""
        return {
            "checkpoints": StoredCheckpoints(Storage(self.plan.output)),
            "artifacts": stage_store(self.plan.output),
        }

    def _nominate(self, pool: ScoringPool) -> dict[str, str]:
        finalists = self._finalists()
        jobs = self._complete()
        self._score(pool, jobs, "valid", infer=False)
        rows = self._rows(jobs, "valid")
        store_rows(self.storage, rows, "valid")
        return answer.freeze_nominations(self.plan, self.storage, rows, finalists)

    def _test_rows(self, pool: ScoringPool) -> pd.DataFrame:
        """Open the test split, for the first and only time."""
        jobs = self._complete()
        self._note_test_read(jobs)
        self._score(pool, jobs, "test", infer=True)
        rows = self._rows(jobs, "test")
        store_rows(self.storage, rows, "test")
        return pd.DataFrame(rows)

    def _confirm(self, rows: pd.DataFrame, scores: Scores, leaders: dict[str, str]) -> Result:
        """Decide on test, once per group."""
        decided = answer.verdicts(self.plan, rows, leaders, self._finalists(), self._gates(), self._chosen())
        records = self._records()
        failed = [record for record in records if record.state == "failed"]
        found = answer.result_object(self.plan, decided, self._counts(), failed)
        reads = {group.name: ReadLedger(self.storage).count(group.name) for group in self.plan.groups}
        return {**found, "test_reads": reads, **findings(self.plan, scores, leaders, records)}

    def _gates(self) -> dict[str, GateVerdict]:
        """Each group's gates, judged."""
        reader = gates_of(self.plan.method_name())
        judged: dict[str, GateVerdict] = {}
        if reader is None:
            return judged
        for group in self.plan.groups:
            measured = defaultdict(list)
            for stage in self.plan.gate_stages(group.name):
                measured[stage.kind].append(self.stages.read(stage.key))
            if measured:
                facts = reader.read_gates(measured)
                judged[group.name] = interpretable(facts["transfer_gap"], facts["mismatch"], self.plan.alpha)
        return judged

    def _score(self, pool: ScoringPool, jobs: list[Job], split: str, infer: bool) -> None:
        self._submit(pool, jobs, split, infer)
        pool.wait(self.stop)

    def _submit(self, pool: ScoringPool, jobs: list[Job], split: str, infer: bool) -> None:
        for job in jobs:
            pool.submit(self._assignment(job), split, infer=infer)
        if jobs:
            pool.submit_noisy(self._assignment(jobs[0]), split)

    def _rows(self, jobs: list[Job], split: str) -> Rows:
        return collect_rows(self.checkpoints, [NOISY, *(job.path for job in jobs)], split)

    def _note_test_read(self, jobs: list[Job]) -> None:
        """Before any test audio is opened; a resumed sweep that finds it all scored reads nothing."""
        ledger = ReadLedger(self.storage)
        unscored = {job.group for job in jobs if not has_rows(self.checkpoints, job.path, "test")}
        for group in sorted(unscored):
            ledger.record(group, "score the finalists", answer.plan_hash(self.plan))

    def _reconcile(self, progress: Progress, tracker: Tracker) -> None:
        """Tell a fresh display and MLflow what earlier drivers of this sweep have done."""
        records = self._records()
        if records:
            progress.reconcile(records)
            tracker.reconcile(records)

    # -- what the study knows ----------------------------------------------------------------------------

    def _finalists(self) -> dict[str, answer.Finalists]:
        looks = stored_looks(self.storage)
        return {
            g.name: answer.Finalists.of(
                self.store.records(g.name, "final"), left_after(looks.get(g.name, ()))
            )
            for g in self.plan.groups
        }

    def _complete(self) -> list[Job]:
        return [job for group in self._finalists().values() for job in group.complete]

    def _nuisance(self, job: Job) -> dict[str, Any]:
        record = self.store.record(job)
        return record.nuisance if record else {}

    def _assignment(self, job: Job) -> Any:
        return self.plan.assignment(job, self._nuisance(job), attempt=1)

    def _chosen(self) -> dict[tuple[str, str], dict[str, Any]]:
        """The nuisance values each candidate's search chose."""
        return {
            (record.job.group, record.job.candidate): record.nuisance
            for group in self.plan.groups
            for record in self.store.records(group.name, "final")
        }

    def _counts(self) -> dict[str, int]:
        states = [record.state for record in self._records()]
        return {state: states.count(state) for state in ("complete", "pruned", "failed")}

    def _records(self) -> list[JobRecord]:
        phases = ("search", "final")
        return [
            r for group in self.plan.groups for phase in phases for r in self.store.records(group.name, phase)
        ]

    # -- showing it ----------------------------------------------------------------------------------------

    def _publish(self, result: Result, rows: pd.DataFrame) -> dict[str, Path]:
        """Write the report beside the rows; returns the local copies, which MLflow takes."""
        folder = Path(self.plan.home) / "report"
        folder.mkdir(exist_ok=True)
        (folder / layout.RESULT).write_text(json.dumps(result, indent=1))
        Publication(self.plan, result, rows, self._records(), self.checkpoints).write(folder)
        files = {path.name: path for path in sorted(folder.iterdir())}
        for name, path in files.items():
            self.storage.write(f"report/{name}", path.read_bytes())
        return files

    def _tidy(self) -> None:
        """What no later start needs: the checkpoints of search jobs, and all but the last of each finalist."""
        for group in self.plan.groups:
            self.storage.delete_prefix(f"jobs/{group.name}/search")
            for record in self.store.records(group.name, "final"):
                self.checkpoints.prune(record.job.path, keep=1)


def _show(plan: Plan, result: Result) -> None:
    print_result(result)
    print(f"\nresults    {plan.output}")
    print(f"MLflow     {open_line(plan.tracking_uri, plan.space, plan.name)}")
    print(f"again      {command_line('leaderboard.py', plan.output)}")


def _asks_nothing_new(planned: Planned, storage: Storage) -> bool:
    """Whether there is an answer to all that is asked; flags that ask for more are never silently passed over."""
    plan, stored = planned.plan, planned.stored
    if stored is None or (stored.samples, stored.seeds) != (plan.samples, plan.seeds):
        return False
    return is_answered(plan, storage)


def _shown_again(plan: Plan, storage: Storage) -> Result:
    """A finished sweep has nothing left to do: its stored answer is the answer."""
    result = read_result(plan, storage)
    spool = Path(plan.home) / SPOOL
    if spool.exists():
        with contextlib.suppress(UserError), sweep_lock(plan):  # refused where its driver is delivering now
            deliver_left_over(plan, spool)
    _show(plan, result)
    return result


# -- before the first job ------------------------------------------------------------------------------


def _prepare_while_ray_starts(
    plan: Plan, stack: contextlib.ExitStack, warm: bool
) -> tuple[Corpus, Sequence[Any]]:
    """Either takes seconds and one core; with `warm`, workers begin to import what stages need, and are returned."""
    with ThreadPoolExecutor(1) as beside:
        corpus = beside.submit(_corpus_for_all, plan)
        stack.enter_context(ray_session())
        warming = warm_workers(plan) if warm else ()
        return corpus.result(), warming


def _corpus_for_all(plan: Plan) -> Corpus:
    """Prepared if need be; and where the results go to S3, so does a corpus that only this machine has."""
    corpus = open_or_prepare(plan.corpus_source, progress=_say_preparation)
    if not is_remote(plan.output):
        return corpus
    return shared_copy(corpus, f"{plan.output.rsplit('/', 1)[0]}/corpora")


def _with_corpus(planned: Planned, corpus: Corpus) -> Plan:
    """The plan with the corpus it will run on; on resume it must be the same one."""
    plan = planned.plan
    if planned.resume and corpus.fingerprint != plan.corpus_fingerprint:
        raise UserError(
            f"the corpus {plan.corpus_source} has changed since sweep {plan.name!r} started (fingerprint "
            f"{corpus.fingerprint}, it was {plan.corpus_fingerprint}): restore it, or start a new sweep"
        )
    return replace(
        plan, corpus_uri=corpus.uri, corpus_fingerprint=corpus.fingerprint, corpus_summary=corpus.summary()
    )


def _with_gpu_share(planned: Planned, plan: Plan, corpus: Corpus) -> Plan:
    """The plan with as many jobs on each GPU as its memory holds."""
    if not planned.shares_gpus_as_it_likes:
        return plan
    return replace(plan, gpus_per_trial=measured_share(plan, corpus, stage_store(plan.output)))


def _freeze(planned: Planned, plan: Plan, storage: Storage) -> None:
    """plan.json is written at the first start, and again only with what a later one honestly raises."""
    if _is_raised(planned) or not storage.exists(layout.PLAN):
        storage.write(layout.PLAN, json.dumps(plan.to_json(), indent=1).encode())


def _is_raised(planned: Planned) -> bool:
    return planned.stored is not None and planned.stored.raises != planned.plan.raises


def _require_space(plan: Plan, storage: Storage) -> None:
    """Raise `UserError` where what is still to be written does not fit."""
    from sweep.plan.cost import disk_bytes

    free = storage.free_bytes()
    if free is None:
        return
    needed = disk_bytes(plan) - sum(storage.sizes("jobs").values())
    if free < needed:
        raise UserError(
            f"{plan.output}: about {needed / 1e9:.1f} GB are needed and {free / 1e9:.1f} GB are free; free some, or "
            "choose another --output"
        )


def _say_preparation(done: int, total: int) -> None:
    if total and (done == total or done % max(1, total // 10) == 0):
        print(f"corpus     {done} of {total}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def _own_empty_folder() -> Iterator[None]:
    """Ray exports the working folder to every worker; a home folder may hold anything, so give it nothing."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="speech-sweep-") as folder, typed_in(before):
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)
