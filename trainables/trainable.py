"""Ray Tune's view of one job; the only file in trainables/ that knows Ray.

The engine wraps it as `tune.with_parameters(SpeechTrainable, checkpoints=..., artifacts=...)`; a trial's
config is `{"assignment": Assignment.to_json()}`. Tune's own checkpointing stays off: a job's state lies in
`checkpoints`, and starting a job always looks there first. So a dead worker, a lost node, a killed driver
and a reused actor all resume in the same way.

Nothing heavy happens before the first step, not even importing torch: while an actor starts, Tune moves its
trial to any other actor that has become free and kills the one that was starting, so with short jobs an actor
that is slow to start would never run.
"""

import socket
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import ray
from ray import tune

from trainables.audio.corpus.corpus import Corpus
from trainables.inference import estimates_file, write_estimates
from trainables.job.assignment import Assignment
from trainables.job.checkpoints import OPTIMIZER, CheckpointConflict, Checkpoints, stored_reports
from trainables.job.last_words import note_own_end
from trainables.job.lease import Lease
from trainables.job.stages import Artifacts
from trainables.shared_prefix import read_prefix

if TYPE_CHECKING:
    from trainables.session import TrainingSession

_CHECKPOINTS_KEPT = 2  # the newest, and one more in case it is damaged


class SpeechTrainable(tune.Trainable):
    """Trains one job, one round per `step`.

    Results are plain: job, attempt, step, done and the round's report (see `TrainingSession.run_round`). A
    round's report is stored with its checkpoint before Tune receives it, and the first `step` after a resume
    repeats the last one stored: the driver gets every report at least once and drops duplicates by (job, step).
    A job that is already finished only repeats its last report; one that continues training it shares with other
    jobs first repeats the reports of that training.
    """

    _assignment: Assignment
    _started: bool
    _session: "TrainingSession | None"  # None before the first step, and if the job is already finished
    _undelivered: list[dict[str, Any]]  # stored reports that Tune may not have received, oldest first

    def setup(
        self, config: dict[str, Any], checkpoints: Checkpoints | None = None, artifacts: Artifacts | None = None
    ) -> None:
        """Note the job of this config; the first step starts it."""
        if checkpoints is None or artifacts is None:
            raise TypeError("wrap SpeechTrainable with tune.with_parameters(checkpoints=..., artifacts=...)")
        self._checkpoints = checkpoints
        self._artifacts = artifacts
        self._lease = _lease(checkpoints)
        if self._lease is not None:
            note_own_end()
        self.reset_config(config)

    def step(self) -> dict[str, Any]:
        """Train one round, or repeat a stored report: of shared training, or the last one of a resumed job."""
        if not self._started:
            self._start()
        if not self._undelivered:
            self._run_round()
        report = self._undelivered.pop(0)
        identity = {"job": self._assignment.job, "attempt": self._assignment.attempt}
        return {**report, **identity, "done": report["step"] >= self._assignment.steps}

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Note another job for the same process."""
        self._assignment = Assignment.from_json(new_config["assignment"])
        self._started = False
        self._session = None
        self._undelivered = []
        return True

    def cleanup(self) -> None:
        """Free the model's memory."""
        self._session = None
        if self._lease is not None:
            self._lease.close()

    def _start(self) -> None:
        """Start the job, or resume from its newest checkpoint that verifies."""
        assignment = self._assignment
        step, files = self._checkpoints.newest(assignment.job) or (0, None)
        self._started = True
        self._undelivered = stored_reports(files)[-1:] if files else []
        self._session = None
        if step >= assignment.steps:
            return
        if files is None and (files := read_prefix(assignment, self._artifacts)):
            self._undelivered = stored_reports(files)
        self._session = self._open_session(assignment)
        if files:
            self._session.load_state(files)

    def _open_session(self, assignment: Assignment) -> "TrainingSession":
        """At step 0."""
        from trainables.base.determinism import make_deterministic
        from trainables.session import TrainingSession

        make_deterministic(assignment.threads, assignment.device)
        corpus = _open_corpus(assignment.corpus_uri, assignment.corpus_fingerprint)
        return TrainingSession(assignment, corpus, self._artifacts)

    def _run_round(self) -> None:
        """Train, store, and only then report."""
        assert self._session is not None, "a finished job was asked for another round"
        report = self._session.run_round()
        job = self._assignment.job
        if self._session.finished and self._assignment.phase == "final":
            # Before the last checkpoint, so that a finished job always has its estimates stored.
            estimates = self._session.estimates("valid")
            self._checkpoints.write_result(job, estimates_file("valid"), write_estimates(estimates))
        try:
            self._checkpoints.save(job, report["step"], self._state())
        except CheckpointConflict:  # an older attempt of this job is alive and was faster: keep its checkpoint
            self._start()
            return
        self._checkpoints.prune(job, _CHECKPOINTS_KEPT)
        self._undelivered = [report]

    def _state(self) -> dict[str, bytes]:
        """For a checkpoint; the last one has no optimizer, which is most of its bytes, since no job goes on from it."""
        assert self._session is not None
        files = self._session.state()
        return {name: files[name] for name in files if name != OPTIMIZER or not self._session.finished}


def _lease(checkpoints: Checkpoints) -> Lease | None:
    """Renewed by storage and by the driver's machine; None outside a Ray worker."""
    context = ray.get_runtime_context() if ray.is_initialized() else None
    if context is None or context.get_actor_id() is None:
        return None
    host, _, port = context.gcs_address.rpartition(":")

    def reach_driver() -> None:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()

    return Lease([checkpoints.reach, reach_driver])


@lru_cache(maxsize=1)
def _open_corpus(uri: str, fingerprint: str) -> Corpus:
    """Opened once per process: a reused actor keeps what it has read."""
    return Corpus.open(uri, fingerprint=fingerprint)
