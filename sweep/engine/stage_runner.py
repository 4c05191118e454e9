"""Computes the stages of a plan as Ray tasks, each as soon as its dependencies are stored.

Called by the driver before any job, never inside a Tune trial: a task started there would wait forever for the
resources that its own trial holds.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.exceptions import RayTaskError

from sweep.core.listener import Announcer, Listener, StageProgressed
from sweep.core.stopping import StopSignal
from sweep.engine.deaths import Fault, Place, diagnose
from sweep.engine.failures import pause
from sweep.machines.warm_workers import wait_until_warm
from sweep.machines.workers import Workers
from trainables.base.errors import UserError
from trainables.config.registry import run_stage
from trainables.job.last_words import note_own_end
from trainables.job.stages import Artifacts, Stage, in_order

_POLL_SECONDS = 0.5


class StageFailed(RuntimeError):
    """A stage could not be computed; the message names the stage and the cause."""


def run_stages(
    stages: Sequence[Stage],
    corpus: Any,
    artifacts: Artifacts,
    listeners: Sequence[Listener] = (),
    gpus: float = 0,
    stop: StopSignal | None = None,
    workers: Workers | None = None,
    pretraining_corpus: Any = None,
) -> None:
    """Compute and store all missing stages, as many at once as fit into the cluster.

    Stages that pre-train get `pretraining_corpus`, if there is one. A stage takes one CPU per thread, and `gpus` if its
    device is "cuda". `workers` are started if there is anything to compute; None: Ray runs. Listeners
    hear of every stage, cached ones included. Raises `StageFailed`, or `UserError` where that is the cause, and cancels
    the other stages; `Interrupted` after `stop` was set, and unfinished stages restart from scratch at the next start.
    """
    run = _StageRun(
        in_order(tuple(stages)),
        corpus,
        corpus if pretraining_corpus is None else pretraining_corpus,
        artifacts,
        Announcer(listeners),
        gpus,
        stop or StopSignal(),
        workers or Workers(),
    )
    try:
        run.finish()
    finally:
        run.cancel()


@dataclass
class _StageRun:
    stages: list[Stage]
    corpus: Any
    pretraining_corpus: Any
    artifacts: Artifacts
    announcer: Announcer
    gpus: float
    stop: StopSignal
    workers: Workers
    stored: set[str] = field(default_factory=set)  # keys
    tasks: dict[ray.ObjectRef, Stage] = field(default_factory=dict)
    losses: Counter[tuple[str, Fault]] = field(default_factory=Counter)  # by key
    retry_at: dict[str, float] = field(default_factory=dict)  # key -> earliest time of its next attempt

    def finish(self) -> None:
        waiting = []
        for stage in self.stages:
            if self.artifacts.has(stage.key):
                self._mark_stored(stage)
            else:
                waiting.append(stage)
        if not waiting:
            return
        warming = self.workers.start()
        board = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(_ProgressBoard).remote()
        wait_until_warm(warming)
        while waiting or self.tasks:
            self.stop.check()
            for stage in [stage for stage in waiting if self._may_begin(stage)]:
                waiting.remove(stage)
                self.tasks[self._begin(stage, board)] = stage
            done, _ = ray.wait(list(self.tasks), timeout=_POLL_SECONDS)
            self._announce_progress(board)
            for task in done:
                if (lost := self._collect(task, board)) is not None:
                    waiting.append(lost)

    def cancel(self) -> None:
        for task in self.tasks:
            ray.cancel(task, force=True)

    def _may_begin(self, stage: Stage) -> bool:
        rested = time.monotonic() >= self.retry_at.get(stage.key, 0.0)
        return rested and all(below.key in self.stored for below in stage.rests_on)

    def _begin(self, stage: Stage, board: Any) -> ray.ObjectRef:
        task = _compute.options(
            num_cpus=stage.threads,
            num_gpus=self.gpus if stage.device == "cuda" else 0,
            max_retries=0,  # `_collect` decides
            name=stage.name,
        )
        corpus = self.pretraining_corpus if stage.pretrains else self.corpus
        return task.remote(stage.to_json(), corpus, self.artifacts, board)

    def _collect(self, task: ray.ObjectRef, board: Any) -> Stage | None:
        """Note that the task's stage is stored; returns the stage if it is to be tried again."""
        stage = self.tasks.pop(task)
        try:
            ray.get(task)
        except ray.exceptions.RayError as error:
            cause = error.cause if isinstance(error, RayTaskError) else error
            if isinstance(cause, UserError):
                raise UserError(f"{stage.name}: {cause}") from error
            found = diagnose(cause, place=ray.get(board.place.remote(stage.key)))
            self.losses[stage.key, found.fault] += 1
            wait = pause(found.fault, self.losses[stage.key, found.fault])
            if wait is None:
                raise StageFailed(f"{stage.name} failed: {found.reason}") from error
            self.retry_at[stage.key] = time.monotonic() + wait
            return stage
        self._mark_stored(stage)
        return None

    def _mark_stored(self, stage: Stage) -> None:
        self.stored.add(stage.key)
        self.announcer.announce(StageProgressed(stage.name, 1, 1))

    def _announce_progress(self, board: Any) -> None:
        names = {stage.key: stage.name for stage in self.tasks.values()}
        for key, (done, total) in ray.get(board.read.remote()).items():
            # done == total is announced only when the artifact is stored.
            if key in names and done < total:
                self.announcer.announce(StageProgressed(names[key], done, total))


class _ProgressBoard:
    """An actor: tasks write where they run and their progress, the driver reads it."""

    def __init__(self) -> None:
        self._places: dict[str, Place] = {}
        self._progress: dict[str, tuple[int, int]] = {}

    def begin(self, key: str, place: Place) -> None:
        self._places[key] = place

    def place(self, key: str) -> Place | None:
        return self._places.get(key)

    def write(self, key: str, done: int, total: int) -> None:
        self._progress[key] = (done, total)

    def read(self) -> dict[str, tuple[int, int]]:
        return self._progress


@ray.remote
def _compute(stage_json: dict[str, Any], corpus: Any, artifacts: Artifacts, board: Any) -> None:
    stage = Stage.from_json(stage_json)
    note_own_end()
    ray.get(board.begin.remote(stage.key, Place.here()))
    run_stage(stage, corpus, artifacts, _throttled(lambda *at: board.write.remote(stage.key, *at)))


def _throttled(write: Callable[[int, int], object]) -> Callable[[int, int], None]:
    """Write at most as often as the driver reads."""
    written = -_POLL_SECONDS

    def progress(done: int, total: int) -> None:
        nonlocal written
        if time.monotonic() - written >= _POLL_SECONDS:
            written = time.monotonic()
            write(done, total)

    return progress
