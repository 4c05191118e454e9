"""Scores finalists while other jobs train: actors of the driver, outside every trial's resources.

A Ray task started inside a Tune trial would wait forever on the trial's own placement group, so a finalist only
writes its validation estimates. These actors take no CPU slot, run at low priority and turn estimates into rows.
Estimates that are not stored, test's always, are inferred in tasks with a trial's resources and passed directly to an
actor. Rows are files in storage: jobs scored before a crash are not scored again. Once they are stored, the estimates
behind them are deleted: the job's weights can make them again.
"""

import contextlib
import os
import queue
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import ray
from ray.exceptions import RayError, RayTaskError

from sweep.core.stopping import StopSignal
from sweep.engine.deaths import Fault, diagnose
from sweep.engine.failures import pause
from sweep.machines.workers import Workers
from sweep.stored.rows import has_rows, rows_file, to_parquet
from trainables.base.cores import usable_cores
from trainables.inference import NOISY, estimates_file
from trainables.job.assignment import Assignment
from trainables.job.last_words import note_own_end

_POLL_SECONDS = 1.0  # between checks for a stop request
_MOST_DURING_TRAINING = 4
# Each holds a finalist's estimates of a whole split in the object store: more would only fill it.
_MOST_AFTER_TRAINING = 16


class ScoringFailed(RuntimeError):
    """A finalist could not be scored; the message names the finalist and the cause."""


class _Request(NamedTuple):
    """One job and split to score; `job` is NOISY for the unprocessed input."""

    job: str
    assignment: dict[str, Any]
    split: str


@dataclass(frozen=True)
class ScoringContext:
    """Everything a scoring process needs; pickles small."""

    corpus: Any
    checkpoints: Any
    artifacts: Any
    threads: int
    gpus: float  # per inference task, as for training
    metrics: tuple[str, ...] | None = None  # on the test split; None = the default ones
    models: Mapping[str, str] = field(default_factory=dict)  # metric -> place of the model that it needs
    slow_clips: int | None = None  # of the test split, on which slow metrics are computed; None = all


class ScoringPool:
    """Scoring actors that share one queue; `submit` returns at once, `wait` when everything is scored.

    Each actor is driven by its own thread, so that actors added later share the remaining work. `workers` are started
    for the first request that has no rows yet; None: Ray runs.
    """

    def __init__(self, context: ScoringContext, size: int, workers: Workers | None = None) -> None:
        self._context = context
        self._workers = workers
        self._queue: queue.Queue[_Request | None] = queue.Queue()
        self._submitted: set[tuple[str, str]] = set()
        self._scored: set[tuple[str, str]] = set()
        self._failures: list[tuple[_Request, BaseException]] = []
        self._threads: list[threading.Thread] = []
        self._closed = threading.Event()
        self.grow(size)

    def grow(self, size: int) -> None:
        """Add actors up to `size`: after training its cores are free for scoring."""
        while len(self._threads) < size:
            thread = threading.Thread(target=self._serve, name=f"scoring-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def submit(self, assignment: Assignment, split: str) -> None:
        """Score a finalist's estimates: those it has stored, else those of its last checkpoint."""
        self._enqueue(_Request(assignment.job, assignment.to_json(), split))

    def submit_noisy(self, assignment: Assignment, split: str) -> None:
        """Score the unprocessed input of the split."""
        self._enqueue(_Request(NOISY, assignment.to_json(), split))

    def wait(self, stop: StopSignal) -> None:
        """Return when everything submitted is scored. Raises `ScoringFailed`, or `Interrupted` if `stop` was set."""
        with self._queue.all_tasks_done:
            while self._queue.unfinished_tasks:
                stop.check()
                self._queue.all_tasks_done.wait(_POLL_SECONDS)
        self._raise_failure()

    def has_scored(self, jobs: Iterable[str], split: str) -> bool:
        """Whether all of these jobs are scored. Raises `ScoringFailed`."""
        self._raise_failure()
        return all((job, split) in self._scored for job in jobs)

    def _raise_failure(self) -> None:
        if self._failures:
            request, error = self._failures[0]
            cause = _cause(error)
            what = f"scoring {request.job} on {request.split}"
            raise ScoringFailed(f"{what} failed: {type(cause).__name__}: {cause}") from error

    def close(self) -> None:
        """Drop queued requests; the actors end after their current one."""
        self._closed.set()
        with contextlib.suppress(queue.Empty):
            while True:
                self._queue.get_nowait()
                self._queue.task_done()
        for _ in self._threads:
            self._queue.put(None)

    def _enqueue(self, request: _Request) -> None:
        asked = (request.job, request.split)
        if asked in self._submitted:
            return
        self._submitted.add(asked)
        if self._workers is not None and not self._workers.started:
            if has_rows(self._context.checkpoints, *asked):
                self._scored.add(asked)
                return
            self._workers.start()
        self._queue.put(request)

    def _serve(self) -> None:
        """Run one actor: it starts with the first request, and another takes its place if it dies."""
        actor: Any = None
        while (request := self._queue.get()) is not None:
            try:
                actor = self._score_at_last(request, actor)
                self._scored.add((request.job, request.split))
            except BaseException as error:  # `OutageTooLong` is no Exception
                self._failures.append((request, error))
                actor = None
            finally:
                self._queue.task_done()

    def _score_at_last(self, request: _Request, actor: Any) -> Any:
        """Retry as the faults allow (see `sweep.engine.failures`); returns the actor that lives in the end."""
        losses: Counter[Fault] = Counter()
        while True:
            if has_rows(self._context.checkpoints, request.job, request.split):
                return actor
            if actor is None:
                actor = ray.remote(num_cpus=0)(_Scorer).remote(self._context)
            try:
                self._score(request, actor)
                return actor
            except RayError as error:
                fault = diagnose(_cause(error), actor._actor_id.hex()).fault
                losses[fault] += 1
                wait = pause(fault, losses[fault])
                if wait is None or self._closed.wait(wait):
                    raise
                if not isinstance(error, RayTaskError):
                    ray.kill(actor)  # it may be unavailable, not dead
                    actor = None

    def _score(self, request: _Request, actor: Any) -> None:
        context = self._context
        inferred = None
        if request.job != NOISY and not context.checkpoints.has_result(request.job, estimates_file(request.split)):
            task = _infer.options(num_cpus=context.threads, num_gpus=context.gpus)
            inferred = task.remote(context, request.assignment, request.split)
        ray.get(actor.score.remote(request.job, request.assignment, request.split, inferred))


def _cause(error: BaseException) -> BaseException:
    """The exception of the worker itself, without Ray's wrappers, whose text is a whole traceback."""
    while isinstance(error, RayTaskError) and isinstance(error.cause, BaseException):
        error = error.cause
    return error


@ray.remote(max_retries=0)  # `_score_at_last` decides
def _infer(context: ScoringContext, assignment: dict[str, Any], split: str) -> Any:
    """A finished job's estimates of a split, and of test what the method measures of them.

    In a worker with the resources the job was trained with.
    """
    from trainables.inference import infer_and_measure

    metrics = context.metrics if split == "test" else None
    stored = context.checkpoints, context.artifacts
    return infer_and_measure(Assignment.from_json(assignment), context.corpus, *stored, split, metrics)


class _Scorer:
    """The actor: one process, one thread, low priority. Only metrics with models make it import torch, for seconds."""

    def __init__(self, context: ScoringContext) -> None:
        from trainables.base.determinism import limit_blas_threads
        from trainables.base.memory import keep_freed_memory

        os.nice(10)
        note_own_end()
        limit_blas_threads(context.threads)
        keep_freed_memory()
        self._context = context

    def score(self, job: str, assignment_json: dict[str, Any], split: str, inferred: Any) -> None:
        """Store the rows of what was inferred; if None, of the finalist's stored estimates or of the noisy input."""
        from trainables import inference

        context, assignment = self._context, Assignment.from_json(assignment_json)
        # On valid only the deciding metric is ever read.
        metrics, models = ((assignment.metric,), {}) if split == "valid" else (context.metrics, context.models)
        estimates, measured = inferred or (None, {})
        slow_clips = context.slow_clips if split == "test" else None
        if job == NOISY:
            rows = inference.score_noisy(context.corpus, assignment.data, split, metrics, models, slow_clips)
        else:
            if estimates is None:
                estimates = inference.stored_estimates(assignment, context.corpus, context.checkpoints, split)
            rows = inference.score_estimates(assignment, estimates, split, metrics, models, measured, slow_clips)
        if split == "test":
            self._store_clips(job, assignment, estimates)
        self._store_rows(job, split, to_parquet(rows))

    def _store_rows(self, job: str, split: str, rows: bytes) -> None:
        """They mark the job as scored; only what can be read again replaces the estimates."""
        checkpoints = self._context.checkpoints
        checkpoints.write_result(job, rows_file(split), rows)
        if checkpoints.read_result(job, rows_file(split)) == rows:
            checkpoints.delete_result(job, estimates_file(split))

    def _store_clips(self, job: str, assignment: Assignment, estimates: Any) -> None:
        """Store a few estimates for listening, of clips with all scores; of the noisy input, the clips themselves."""
        from trainables import evaluation, listening

        rate, scored = assignment.data.sample_rate, slice(self._context.slow_clips)
        if job == NOISY:
            clips = evaluation.evaluation_clips(self._context.corpus, assignment.data, "test")
            content = listening.write_clips(listening.choose(clips[scored], rate))
        else:
            content = listening.write_chosen(estimates[scored], rate)
        self._context.checkpoints.write_result(job, listening.LISTENING_FILE, content)


def pool_size() -> int:
    """Actors while jobs train: half the usable cores, between one and four."""
    return max(1, min(usable_cores() // 2, _MOST_DURING_TRAINING))


def full_pool_size() -> int:
    """Actors after training: all usable cores, sixteen at most."""
    return min(usable_cores(), _MOST_AFTER_TRAINING)
