"""The one Ray Tune run of a sweep: Tune runs the jobs that the dispatcher hands out and passes their reports back.

Tune holds no state that matters. Its checkpoints, restarts and experiment snapshots are off: a job finds its own
state in storage, and after a crash a new Tune run continues from the study alone.
"""

import contextlib
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import ray
from ray import cloudpickle, tune
from ray.tune.experiment import Trial
from ray.tune.result import AUTO_RESULT_KEYS
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from sweep.core.jobs import Job
from sweep.core.listener import Announcer, Listener
from sweep.core.stopping import Interrupted, StopSignal
from sweep.engine.deaths import Diagnosis, Fault, diagnose
from sweep.engine.dispatcher import Dispatcher, Handout, Pause, Reuse
from sweep.engine.finalist_queue import Contention
from sweep.engine.watchdog import Patience, Watchdog
from sweep.machines.capacity import TrialCapacity
from sweep.machines.workers import Workers
from sweep.plan.plan import Plan
from sweep.stored.by_name import is_remote
from sweep.study.study import StudyStore

_POLL_SECONDS = 0.1  # until a look is decided on, or files are in place
_COPIES_AT_ONCE = 4  # each is a model in memory
_NOT_METRICS = {*AUTO_RESULT_KEYS, "step", "attempt"}


def run_sweep(
    plan: Plan,
    store: StudyStore,
    trainable_parameters: Mapping[str, Any],
    listeners: Sequence[Listener] = (),
    trainable_cls: type[tune.Trainable] | None = None,
    stop: StopSignal | None = None,
    patience: Patience | None = None,
    contention: Contention | None = None,
    reuse: Reuse | None = None,
    workers: Workers | None = None,
) -> None:
    """Run or continue every job of the plan until all have ended.

    `workers` are started for the first job that must be trained; None: Ray runs.

    `trainable_parameters` go to the trainable's `setup` (checkpoints, artifacts). A job that reports nothing for
    longer than `patience` allows is killed and retried. `contention` decides which candidates get later seeds, where
    the plan has interim looks; jobs that `reuse` finds are not trained. Raises `Interrupted` after `stop` was set and
    the rounds under way have ended, `TooManyFailures` if most jobs fail for the same reason.
    """
    stop = stop or StopSignal()
    with _background(plan) as background:
        announcer = Announcer(listeners)
        dispatcher = Dispatcher(plan, store, announcer, stop, contention=contention, reuse=reuse, background=background)
        first = _first_to_train(dispatcher, stop)
        if first is not None:
            (workers or Workers()).start()
            _train(plan, dispatcher, first, trainable_parameters, trainable_cls, stop, patience or Patience())
    if not dispatcher.done:
        stop.check()
        raise Interrupted("Tune ended early")


@contextlib.contextmanager
def _background(plan: Plan) -> Iterator[Executor | None]:
    """Copies weights within a bucket, which takes seconds each; files are copied at once."""
    if not is_remote(plan.output):
        yield None
        return
    threads = ThreadPoolExecutor(_COPIES_AT_ONCE, thread_name_prefix="placing")
    try:
        yield threads
    finally:
        threads.shutdown(cancel_futures=True)


def _first_to_train(dispatcher: Dispatcher, stop: StopSignal) -> Handout | None:
    """None if there is none, or the sweep is to stop; jobs before it that earlier sweeps have trained are recorded."""
    while not stop.asked:
        answer = dispatcher.next()
        if answer is not Pause.WAIT:
            return answer if isinstance(answer, Handout) else None
        time.sleep(_POLL_SECONDS)
    return None


def _train(
    plan: Plan,
    dispatcher: Dispatcher,
    first: Handout,
    trainable_parameters: Mapping[str, Any],
    trainable_cls: type[tune.Trainable] | None,
    stop: StopSignal,
    patience: Patience,
) -> None:
    """The Tune run, from the `first` job on. Needs `ray_session`."""
    if trainable_cls is None:
        from trainables.trainable import SpeechTrainable  # imports torch

        trainable_cls = SpeechTrainable
    trainable = tune.with_parameters(trainable_cls, **trainable_parameters)
    resources = {"cpu": plan.cpus_per_trial, "gpu": plan.gpus_per_trial}
    with tempfile.TemporaryDirectory(prefix="speech-sweep-tune-") as folder:
        tuner = tune.Tuner(
            tune.with_resources(trainable, resources),
            tune_config=tune.TuneConfig(
                search_alg=JobSearcher(dispatcher, stop, first),
                scheduler=DispatchScheduler(dispatcher, stop, Watchdog(patience), TrialCapacity(plan)),
                num_samples=-1,
                reuse_actors=True,
                trial_dirname_creator=_trial_folder,
            ),
            run_config=tune.RunConfig(
                name=plan.key,
                storage_path=folder,
                verbose=0,
                failure_config=tune.FailureConfig(max_failures=0),
                checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False),
            ),
        )
        tuner.fit()


class JobSearcher(Searcher):
    """Gives Tune its next trial. It has no state of its own to save."""

    def __init__(self, dispatcher: Dispatcher, stop: StopSignal, first: Handout) -> None:
        super().__init__()
        self._dispatcher = dispatcher
        self._stop = stop
        self._first: Handout | None = first  # handed out already

    def suggest(self, trial_id: str) -> Any:
        """The next job's config; None while it depends on running jobs; FINISHED after the last one."""
        if self._stop.asked:
            return Searcher.FINISHED
        answer, self._first = self._first or self._dispatcher.next(), None
        if isinstance(answer, Handout):
            return {"assignment": answer.assignment}
        return Searcher.FINISHED if answer is Pause.DONE else None

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Nothing to do: the scheduler has passed the result to the dispatcher."""

    def save(self, checkpoint_path: str) -> None:
        Path(checkpoint_path).touch()

    def __getstate__(self) -> dict[str, Any]:
        """Keep the study out of Tune's own files, which are never read."""
        return {}

    def restore(self, checkpoint_path: str) -> None:
        raise NotImplementedError("a sweep continues from its study, never from Tune's files")


class DispatchScheduler(FIFOScheduler):
    """Passes Tune's results to the dispatcher, stops the trials it rejects, kills those that hang, limits the queue."""

    def __init__(self, dispatcher: Dispatcher, stop: StopSignal, watchdog: Watchdog, capacity: TrialCapacity) -> None:
        super().__init__()
        self._dispatcher = dispatcher
        self._stop = stop
        self._watchdog = watchdog
        self._capacity = capacity
        self._killed: dict[str, float] = {}  # trial id -> seconds of silence

    def __getstate__(self) -> dict[str, Any]:
        """As in the searcher."""
        return {}

    def choose_trial_to_run(self, tune_controller: Any, **options: Any) -> Trial | None:
        """Called in every iteration of Tune's loop, and so the place to look for trials that hang."""
        running = {t.trial_id: t for t in tune_controller.get_live_trials() if t.status == Trial.RUNNING}
        for name in self._watchdog.silent({n: self._deaths(trial) for n, trial in running.items()}):
            self._kill(running[name])
        # By default Tune starts the workers of a search one after the other, seconds each; and an autoscaler starts
        # machines, which takes minutes, only for trials that are pending.
        tune_controller.update_max_pending_trials(self._capacity.pending_limit(len(running)))
        return super().choose_trial_to_run(tune_controller, **options)

    def _kill(self, trial: Trial) -> None:
        """Kill the actor once; Tune then finds it missing and reports an error, which ends the attempt."""
        actor = trial.temporary_state.ray_actor
        if actor is None or trial.trial_id in self._killed:
            return
        self._killed[trial.trial_id] = self._watchdog.allowed(self._deaths(trial))
        ray.kill(actor)

    def _deaths(self, trial: Trial) -> int:
        return self._dispatcher.deaths(_identity(trial)[0])

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        self._watchdog.report(trial.trial_id)
        proceed = self._report(trial, result) and not self._stop.asked
        return TrialScheduler.CONTINUE if proceed else TrialScheduler.STOP

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        """Tune reports a trial's last result, and any result with `done`, only here."""
        if self._report(trial, result) and not self._stop.asked:
            job, attempt = _identity(trial)
            self._dispatcher.fail(job, attempt, f"its worker stopped at step {result['step']}")

    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:
        job, attempt = _identity(trial)
        silence = self._killed.pop(trial.trial_id, None)
        if silence is None:
            actor = trial.temporary_state.ray_actor
            found = diagnose(_error_of(trial), actor._actor_id.hex() if actor is not None else "")
        else:
            found = Diagnosis(Fault.OWN, f"it reported nothing for {silence:.0f} s")
        self._dispatcher.fail(job, attempt, found.reason, found.fault)

    def _report(self, trial: Trial, result: dict[str, Any]) -> bool:
        job, attempt = _identity(trial)
        return self._dispatcher.report(job, attempt, result["step"], result["score"], _metrics(result))


def _identity(trial: Trial) -> tuple[Job, int]:
    assignment = trial.config["assignment"]
    return Job.parse(assignment["job"]), assignment["attempt"]


def _metrics(result: Mapping[str, Any]) -> dict[str, float]:
    """The numbers the trainable reported, without the keys that Tune adds to every result."""
    return {
        key: float(value)
        for key, value in result.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and key.split("/")[0] not in _NOT_METRICS
    }


def _error_of(trial: Trial) -> BaseException | None:
    """The exception the trial raised; None if it cannot be read here."""
    path = trial.pickled_error_file
    try:
        error = cloudpickle.loads(Path(path).read_bytes()) if path else None
    except Exception:  # unpickling runs the exception's own class, which may raise anything
        return None
    return getattr(error, "cause", None) or error


def _trial_folder(trial: Trial) -> str:
    """A short name: Tune's own would contain the whole config."""
    return str(trial.trial_id)
