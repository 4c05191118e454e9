"""One sweep from plan to answer, on the driver: compute stages, run jobs, score, decide, publish.

`Drive.run` is the whole protocol, top to bottom. A second start of the same plan finds what is done and continues:
stages by their key, jobs in the study, checkpoints and rows in storage, nominations and the ledger of test reads as
files. Nothing is trained in this process.
"""

import contextlib
import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from sweep.core.jobs import Job
from sweep.core.listener import EndState, Listener
from sweep.core.next_command import command_line
from sweep.core.outage import say_on_standard_error
from sweep.core.stopping import StopSignal, stop_on_signals
from sweep.driver import answer
from sweep.driver.before_first_job import ready_to_drive
from sweep.driver.running_costs import measured_once
from sweep.driver.whose import settle
from sweep.engine.finalist_queue import Contention
from sweep.engine.finalist_scoring import FinalistScoring
from sweep.engine.interim_looks import left_after, remarks, stored_looks
from sweep.engine.reuse import Keeping, Reuse
from sweep.engine.scoring import ScoringContext, ScoringPool, full_pool_size, pool_size
from sweep.engine.seed_number import further_seeds, seed_remarks, stages_so_far
from sweep.engine.spent_checkpoints import SpentCheckpoints
from sweep.engine.stage_runner import run_stages
from sweep.engine.tune_run import run_sweep
from sweep.machines.workers import Workers
from sweep.plan.plan import Plan
from sweep.progress.progress import Progress
from sweep.report.findings.corpus_rates import corpus_rates
from sweep.report.findings.costs import Running, costs
from sweep.report.findings.findings import findings
from sweep.report.findings.metric_means import Scores, scores_of
from sweep.report.publication import Publication
from sweep.settings.settings import Planned
from sweep.storage.checkpoints import StoredCheckpoints
from sweep.storage.patient import PatientStorage
from sweep.storage.stage_store import kept_jobs, shared_base, stage_store
from sweep.stored import layout
from sweep.stored.heartbeat import SPENT, Hours, beating
from sweep.stored.ledger import ReadLedger
from sweep.stored.openings import Openings
from sweep.stored.reading import is_answered, read_result
from sweep.stored.rows import has_rows, store_rows
from sweep.stored.spent_files import delete_files, spent_files
from sweep.stored.stop_request import stop_on_request, void_requests
from sweep.study.lock import sweep_lock
from sweep.study.study import StudyStore
from sweep.tracking.tracker import Tracker, deliver_left_over
from sweep.verdict.gates import interpretable
from sweep.verdict.result import GateVerdict, Result
from trainables.audio.corpus.corpus import Corpus
from trainables.base.errors import UserError
from trainables.base.storage.storage import Storage
from trainables.config.registry import gates_of
from trainables.job.assignment import Assignment


def drive(planned: Planned, kind: type["Drive"] | None = None) -> Result:
    """Run or continue the sweep to its answer: the `--json` object.

    `kind` may replace training and scoring. Raises `UserError` before any job starts where the corpus, the output or
    the plan cannot be used.
    """
    plan = planned.plan
    storage = Storage(plan.output)
    if _asks_nothing_new(planned, storage):
        return _stored_answer(planned, storage)
    with ready_to_drive(planned, storage, warm=kind is None) as ready:
        return (kind or Drive)(*ready).run()


def _asks_nothing_new(planned: Planned, storage: Storage) -> bool:
    """Whether the stored answer covers everything asked for; flags that ask for more are never ignored."""
    plan, stored = planned.plan, planned.stored
    if stored is None or (stored.samples, stored.seeds) != (plan.samples, plan.seeds):
        return False
    return is_answered(plan, storage)


def _stored_answer(planned: Planned, storage: Storage) -> Result:
    """Of a finished sweep, after delivering what MLflow still lacks."""
    plan = planned.plan
    result = read_result(plan, storage)
    spool = Path(plan.home) / layout.SPOOL
    if spool.exists() or planned.left is not None:
        with contextlib.suppress(UserError), sweep_lock(plan):  # refused where its driver is delivering now
            settle(planned, plan, storage)
            if spool.exists():
                deliver_left_over(plan, spool)
    return result


class Drive:
    """One running sweep; `run` takes it through its phases in order."""

    trainable: type | None = None  # None = SpeechTrainable

    def __init__(
        self,
        plan: Plan,
        corpus: Corpus,
        take_lock_again: Callable[[], None],
        workers: Workers | None = None,  # None = Ray runs
        pretraining_corpus: Corpus | None = None,
        reuse: bool = True,
    ) -> None:
        self.plan = plan
        self.corpus = corpus
        self.workers = workers or Workers()
        self.pretraining_corpus = pretraining_corpus
        self.storage = PatientStorage(plan.output)
        self.stages = stage_store(plan.output, PatientStorage)
        self.checkpoints = StoredCheckpoints(self.storage)
        self.store = StudyStore.of(plan, returned=take_lock_again)
        self.stop = StopSignal()
        self.signs = Storage(plan.output)  # heartbeat and stop requests, which never wait for an outage to end
        self.reuse = Reuse(plan, kept_jobs(plan.output, PatientStorage), self.checkpoints, reuse)
        self.hours = Hours(self.storage, plan.max_hours)

    def run(self) -> Result:
        with contextlib.ExitStack() as stack:
            stack.callback(self.store.close)
            self.store.claim(self.plan)
            progress, tracker = Progress(self.plan), Tracker(self.plan, Path(self.plan.home) / layout.SPOOL)
            # Plain storage: an outage of what is kept for others must not hold up this sweep.
            keeper = Reuse(self.plan, kept_jobs(self.plan.output), StoredCheckpoints(Storage(self.plan.output)))
            keeping = Keeping(self.plan, self.store, keeper)
            spent = SpentCheckpoints(Storage(self.plan.output))
            listeners: list[Listener] = [progress, tracker, keeping, spent]
            # Closed in reverse: MLflow last, when everything else has settled.
            stack.callback(tracker.close)
            stack.callback(progress.close)
            stack.callback(keeping.close)
            stack.callback(spent.close)
            stack.enter_context(stop_on_signals(self.stop))
            stack.enter_context(beating(self.signs, lambda: {**progress.snapshot(), SPENT: self.hours.spent()}))
            void_requests(self.storage)
            stack.enter_context(stop_on_request(self.stop, self.signs, self.hours.left, progress.phase))
            if records := self.store.all_records(self.plan):  # of earlier drivers
                progress.reconcile(records)
                tracker.reconcile(records)
            progress.phase("pre-training and gates")
            self._compute_stages(listeners)
            pool = self._scoring_pool()
            stack.callback(pool.close)
            scoring = FinalistScoring(self.plan, self.store, self.checkpoints, pool, self.stop)
            self._run_jobs(scoring, listeners)
            pool.grow(full_pool_size())
            progress.phase("scoring the finalists on valid")
            leaders = self._nominate(scoring)
            progress.phase("scoring the finalists on test, once")
            rows = self._test_rows(scoring)
            scores = scores_of(self.plan, rows)
            result = self._confirm(rows, scores, leaders, self._running_costs(progress))
            files = self._publish(result, rows)
            tracker.log_results(result, files, answer.finalist_means(scores))
            self._keep(keeping)
            self._tidy()
            # Last: a sweep with a result is finished, and MLflow's records are safe in the spool by now.
            self.storage.write(layout.RESULT, files[layout.RESULT].read_bytes())
        return result

    # -- the phases ------------------------------------------------------------------------------------

    def _compute_stages(self, listeners: list[Listener]) -> None:
        looks = further_seeds(self.plan, self.storage, lambda group: None)
        stages = [*stages_so_far(self.plan, looks), *self.plan.gate_stages()]
        gpus = self.plan.gpus_per_trial
        run_stages(stages, self.corpus, self.stages, listeners, gpus, self.stop, self.workers, self.pretraining_corpus)

    def _scoring_pool(self) -> ScoringPool:
        plan = self.plan
        context = ScoringContext(
            self.corpus,
            self.checkpoints,
            self.stages,
            plan.threads,
            plan.gpus_per_trial,
            plan.scored,
            plan.models,
            plan.slow_clips,
        )
        return ScoringPool(context, pool_size(), self.workers)

    def _run_jobs(self, scoring: FinalistScoring, listeners: list[Listener]) -> None:
        """Search and final, until every job has ended; finalists are scored on valid as they complete."""
        scoring.submit(self._complete(), "valid")
        looks = further_seeds(self.plan, self.storage, scoring.valid_rows)
        for end in self.plan.decisions:
            undecided = [group.name for group in self.plan.groups if not looks.is_decided(group.name, end)]
            if undecided and self._later_seeds_pre_train(looks):
                # What later seeds rest on is computed when it is known who gets them.
                self._drive_jobs(replace(self.plan, seeds=self.plan.seeds[:end]), scoring, listeners, looks)
                scoring.pool.wait(self.stop)
                for group in undecided:
                    looks.staying(group, end)
                self._compute_stages(listeners)
        self._drive_jobs(self.plan, scoring, listeners, looks)

    def _later_seeds_pre_train(self, looks: Contention) -> bool:
        return len(stages_so_far(self.plan, looks)) < len(self.plan.stages())

    def _drive_jobs(self, plan: Plan, scoring: FinalistScoring, listeners: list[Listener], looks: Contention) -> None:
        parameters = self._trainable_parameters()
        hearing = [*listeners, scoring]
        where = self.trainable, self.stop, None, looks, self.reuse, self.workers
        run_sweep(plan, self.store, parameters, hearing, *where)

    def _trainable_parameters(self) -> dict[str, Any]:
        """Plain storage, not patient: see `PatientStorage`."""
        checkpoints = StoredCheckpoints(Storage(self.plan.output))
        return {"checkpoints": checkpoints, "artifacts": stage_store(self.plan.output)}

    def _nominate(self, scoring: FinalistScoring) -> dict[str, str]:
        """Freeze each group's leader on valid."""
        rows = scoring.score(self._complete(), "valid")
        store_rows(self.storage, rows, "valid")
        return answer.freeze_nominations(self.plan, self.storage, rows, self._finalists())

    def _test_rows(self, scoring: FinalistScoring) -> pd.DataFrame:
        """Open the test split, for the first and only time."""
        jobs = self._complete()
        self._record_test_read(jobs)
        self.reuse.place_rows([self._assignment(job) for job in jobs], "test")
        rows = scoring.score(jobs, "test")
        store_rows(self.storage, rows, "test")
        return pd.DataFrame(rows)

    def _running_costs(self, progress: Progress) -> Running | None:
        """What each candidate costs to run, now that nothing else does; None where all are of one method."""
        if len(self.plan.methods()) == 1:
            return None
        progress.phase("measuring what each candidate costs to run")
        finalists = [(job, self._assignment(job)) for job in self._complete()]
        return measured_once(finalists, self.storage, self.checkpoints, self.stages, self.stop, self.workers)

    def _confirm(self, rows: pd.DataFrame, scores: Scores, leaders: dict[str, str], running: Running | None) -> Result:
        """Decide on test, once per group."""
        decided = answer.verdicts(self.plan, rows, leaders, self._finalists(), self._gates(), self._chosen())
        records = self.store.all_records(self.plan)
        states = [record.state for record in records]
        counts = {state: states.count(state) for state in ("complete", "pruned", "failed")}
        failed = [record for record in records if record.state == "failed"]
        found = answer.result_object(self.plan, decided, counts, failed)
        reads = {group.name: ReadLedger(self.storage).count(group.name) for group in self.plan.groups}
        openings = Openings(PatientStorage(shared_base(self.plan.output)))
        earlier = {group.name: openings.before(self.plan, group.name) for group in self.plan.groups}
        reused = sum(record.reused_from is not None for record in records)
        terms = answer.terms_of_paper(self.plan, self._chosen())
        more = findings(self.plan, scores, leaders, records)
        if rates := corpus_rates(self.plan, rows):
            more["corpus_rates"] = rates
        if running is not None:
            more["costs"] = costs(self.plan, records, running)
        found = {**found, "test_reads": reads, "earlier_reads": earlier, "reused": reused}
        return {**found, "paper_terms": terms, **more}

    def _record_test_read(self, jobs: list[Job]) -> None:
        """Before any test audio is opened; a resumed sweep that finds everything scored reads nothing."""
        ledger = ReadLedger(self.storage)
        openings = Openings(PatientStorage(shared_base(self.plan.output)))
        unscored = {job.group for job in jobs if not has_rows(self.checkpoints, job.path, "test")}
        for group in sorted(unscored):
            openings.record(self.plan, group)
            ledger.record(group, "score the finalists", answer.plan_hash(self.plan))

    def _gates(self) -> dict[str, GateVerdict]:
        """Each group's gate readings, interpreted; empty where the method has no gates."""
        interpreted: dict[str, GateVerdict] = {}
        for group in self.plan.groups:
            measured = defaultdict(list)
            for stage in self.plan.gate_stages(group.name):
                measured[stage.kind].append(self.stages.read(stage.key))
            reader = gates_of(self.plan.baseline_method(group.name))
            if reader and measured:
                interpreted[group.name] = interpretable(**reader.read_gates(measured), alpha=self.plan.alpha)
        return interpreted

    def _publish(self, result: Result, rows: pd.DataFrame) -> dict[str, Path]:
        """Write the report next to the rows; returns the local copies, which MLflow takes."""
        folder = Path(self.plan.home) / layout.REPORT
        folder.mkdir(exist_ok=True)
        (folder / layout.RESULT).write_text(json.dumps(result, indent=1), encoding="utf-8")
        records = self.store.all_records(self.plan)
        looks = stored_looks(self.storage)
        Publication(self.plan, result, rows, records, self.checkpoints, looks).write(folder)
        files = {path.name: path for path in sorted(folder.iterdir())}
        for name, path in files.items():
            self.storage.write(f"{layout.REPORT}/{name}", path.read_bytes())
        return files

    def _keep(self, keeping: Keeping) -> None:
        """For later sweeps. What cannot be kept is no reason to lose the answer."""
        try:
            keeping.keep_all(self._complete())
        except Exception as error:  # boto3 and the file system each have their own kinds
            say_on_standard_error(f"not all jobs could be kept for later sweeps ({error})")

    def _tidy(self) -> None:
        """Delete what no later start needs and is still there. A file that stays is no reason to lose the answer."""
        storage = Storage(self.plan.output)
        try:
            for group in self.plan.groups:
                storage.delete_prefix(f"{layout.JOBS}/{group.name}/search")
            paths = storage.list(layout.JOBS)
            delete_files(storage, spent_files(paths, self._how_ended), paths)
            for path in storage.unfinished(layout.JOBS):
                storage.delete(path)
        except Exception as error:  # boto3 and the file system each have their own kinds
            again = command_line("clean --free", self.plan.output)
            say_on_standard_error(f"not all files that are no longer needed could be deleted ({error}); later: {again}")

    def _how_ended(self, job: Job) -> EndState | None:
        record = self.store.record(job)
        return None if record is None or record.state == "running" else record.state

    # -- the finalists, from the study -------------------------------------------------------------------

    def _finalists(self) -> dict[str, answer.Finalists]:
        looks, numbers = stored_looks(self.storage), seed_remarks(self.storage)
        return {
            g.name: answer.Finalists.of(
                self.store.records(g.name, "final"), left_after(taken), (*remarks(taken), *numbers.get(g.name, ()))
            )
            for g in self.plan.groups
            for taken in [looks.get(g.name, [])]
        }

    def _complete(self) -> list[Job]:
        return [job for group in self._finalists().values() for job in group.complete]

    def _assignment(self, job: Job) -> Assignment:
        record = self.store.record(job)
        assert record is not None
        return self.plan.assignment(job, record.nuisance, attempt=1)

    def _chosen(self) -> dict[tuple[str, str], dict[str, Any]]:
        """The nuisance values that the search chose for each (group, candidate)."""
        return {
            (record.job.group, record.job.candidate): record.nuisance
            for group in self.plan.groups
            for record in self.store.records(group.name, "final")
        }
