"""Scores beside the training: the driver's own actors, outside every trial's resources.

A Ray task called from inside a Tune trial would wait for ever on the trial's own placement group, so a
finalist only writes its valid estimates; these actors take no CPU slot, run niced, and turn estimates into
rows while other jobs train. Test estimates are inferred in tasks that take what a trial takes, and go straight
to an actor. Rows are files in storage: what was scored before a crash is not scored again.
"""

import contextlib
import os
import queue
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import ray
from ray.exceptions import RayTaskError

from sweep.core.hardware import usable_cores
from sweep.core.jobs import Job
from sweep.core.listener import Listener
from sweep.core.stopping import StopSignal
from sweep.plan.plan import Plan
from sweep.stored.rows import has_rows, rows_file, to_parquet
from trainables.inference import NOISY
from trainables.job.assignment import Assignment

_DEATHS = 3  # of an actor over one and the same task, which is then to blame
_POLL_SECONDS = 1.0  # between looks for a request to stop
_MOST_BESIDE_TRAINING = 4
# Each has a finalist's estimates of a whole split in the object store: more would only fill it.
_MOST_ALONE = 16


class ScoringFailed(RuntimeError):
    """A finalist could not be scored; the message names it and the cause."""


class _Order(NamedTuple):
    """What is to be scored; `job` is NOISY for the unprocessed input."""

    job: str
    assignment: dict[str, Any]
    split: str
    infer: bool


@dataclass(frozen=True)
class Workplace:
    """What a scoring process needs to know; pickles small."""

    corpus: Any
    checkpoints: Any
    artifacts: Any
    threads: int
    gpus: float  # that inferring takes, as training does
    metrics: tuple[str, ...] | None = None  # of the test split; None = the everyday ones


class ScoringPool:
    """Scoring actors that share one queue; `submit` returns at once, `wait` until all is scored.

    Each actor is driven by a thread of its own, so that one added later takes its part of what is waiting.
    """

    def __init__(self, workplace: Workplace, size: int) -> None:
        self._workplace = workplace
        self._queue: queue.Queue[_Order | None] = queue.Queue()
        self._submitted: set[tuple[str, str]] = set()
        self._scored: set[tuple[str, str]] = set()
        self._failures: list[tuple[_Order, BaseException]] = []
        self._threads: list[threading.Thread] = []
        self.grow(size)

    def grow(self, size: int) -> None:
        """Have at least `size` actors: once the training is over, its cores are free for scoring."""
        while len(self._threads) < size:
            thread = threading.Thread(target=self._serve, name=f"scoring-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def submit(self, assignment: Assignment, split: str, infer: bool = False) -> None:
        """Score a finalist's estimates; with `infer` they are first made from its final checkpoint."""
        self._enqueue(_Order(assignment.job, assignment.to_json(), split, infer))

    def submit_noisy(self, assignment: Assignment, split: str) -> None:
        """Score the unprocessed input of the split."""
        self._enqueue(_Order(NOISY, assignment.to_json(), split, infer=False))

    def wait(self, stop: StopSignal) -> None:
        """Until everything submitted is scored. Raises `ScoringFailed`, `Interrupted` if asked to stop."""
        with self._queue.all_tasks_done:
            while self._queue.unfinished_tasks:
                stop.check()
                self._queue.all_tasks_done.wait(_POLL_SECONDS)
        self._raise_failure()

    def has_scored(self, jobs: Iterable[str], split: str) -> bool:
        """Whether all of these, once submitted, are scored. Raises `ScoringFailed`."""
        self._raise_failure()
        return all((job, split) in self._scored for job in jobs)

    def _raise_failure(self) -> None:
        if self._failures:
            order, error = self._failures[0]
            cause = _cause(error)
            what = f"scoring {order.job} on {order.split}"
            raise ScoringFailed(f"{what} failed: {type(cause).__name__}: {cause}") from error

    def close(self) -> None:
        """Let go of the actors once they are done with what they have in hand."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._queue.get_nowait()
                self._queue.task_done()
        for _ in self._threads:
            self._queue.put(None)

    def _enqueue(self, order: _Order) -> None:
        if (order.job, order.split) not in self._submitted:
            self._submitted.add((order.job, order.split))
            self._queue.put(order)

    def _serve(self) -> None:
        """One actor's life: it starts with its first order, and Ray starts it again if it dies."""
        actor: Any = None
        while (order := self._queue.get()) is not None:
            try:
                if actor is None:
                    remote = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=_DEATHS)(_Scorer)
                    actor = remote.remote(self._workplace)
                self._fill(order, actor)
                self._scored.add((order.job, order.split))
            except BaseException as error:  # also an outage that lasts too long
                self._failures.append((order, error))
            finally:
                self._queue.task_done()

    def _fill(self, order: _Order, actor: Any) -> None:
        place = self._workplace
        if has_rows(place.checkpoints, order.job, order.split):
            return
        estimates = None
        if order.infer:
            inferring = _infer.options(num_cpus=place.threads, num_gpus=place.gpus)
            estimates = inferring.remote(place, order.assignment, order.split)
        ray.get(actor.score.remote(order.job, order.assignment, order.split, estimates))


def _cause(error: BaseException) -> BaseException:
    """What was raised in a worker, below Ray's wrappers, which hold whole tracebacks."""
    while isinstance(error, RayTaskError) and isinstance(error.cause, BaseException):
        error = error.cause
    return error


@ray.remote(max_retries=2)
def _infer(place: Workplace, assignment: dict[str, Any], split: str) -> Any:
    """A finished job's estimates of a split, in a worker that has what the job was trained with."""
    from trainables.inference import infer_split

    return infer_split(
        Assignment.from_json(assignment), place.corpus, place.checkpoints, place.artifacts, split
    )


class FinalistScoring(Listener):
    """Sends every finalist that completes to the pool, while the sweep goes on."""

    def __init__(self, plan: Plan, pool: ScoringPool, nuisance_of: Any) -> None:
        self._plan = plan
        self._pool = pool
        self._nuisance_of = nuisance_of  # Job -> its nuisance values, from the study

    def job_ended(
        self, job: Job, state: str, score: float | None, reason: str | None, timestamp_ms: int
    ) -> None:
        if job.phase == "final" and state == "complete":
            assignment = self._plan.assignment(job, self._nuisance_of(job), attempt=1)
            self._pool.submit(assignment, "valid")
            self._pool.submit_noisy(assignment, "valid")


class _Scorer:
    """The actor: one process, one thread, low priority. It never imports torch, which takes seconds."""

    def __init__(self, workplace: Workplace) -> None:
        from trainables.base.determinism import limit_blas_threads

        os.nice(10)
        limit_blas_threads(workplace.threads)
        self._workplace = workplace

    def score(self, job: str, assignment_json: dict[str, Any], split: str, estimates: Any) -> None:
        """Store the rows of `estimates`; where there are none, of those the finalist stored, or of the noisy input."""
        from trainables import inference

        place, assignment = self._workplace, Assignment.from_json(assignment_json)
        metrics = _metrics(place, assignment, split)
        if job == NOISY:
            rows = inference.score_noisy(place.corpus, assignment.data, split, metrics)
        else:
            if estimates is None:
                estimates = inference.stored_estimates(assignment, place.corpus, place.checkpoints, split)
            rows = inference.score_estimates(assignment, estimates, split, metrics)
        if split == "test":
            self._keep_some(job, assignment, estimates)
        place.checkpoints.write_result(job, rows_file(split), to_parquet(rows))  # last: then all is done

    def _keep_some(self, job: str, assignment: Assignment, estimates: Any) -> None:
        """What a person may listen to later; of the noisy input, the clips themselves."""
        from trainables import evaluation, listening

        rate = assignment.data.sample_rate
        if job == NOISY:
            clips = evaluation.evaluation_clips(self._workplace.corpus, assignment.data, "test")
            content = listening.write_clips(listening.choose(clips, rate))
        else:
            content = listening.write_chosen(estimates, rate)
        self._workplace.checkpoints.write_result(job, listening.LISTENING_FILE, content)


def _metrics(place: Workplace, assignment: Assignment, split: str) -> tuple[str, ...] | None:
    """The space's on test; on valid the one that decides, for nothing else is read of it."""
    return (assignment.metric,) if split == "valid" else place.metrics


def pool_size() -> int:
    """While jobs train: half the cores the driver may use, four at most, at least one."""
    return max(1, min(usable_cores() // 2, _MOST_BESIDE_TRAINING))


def full_pool_size() -> int:
    """Once the training is over: all the cores the driver may use, sixteen at most."""
    return min(usable_cores(), _MOST_ALONE)
