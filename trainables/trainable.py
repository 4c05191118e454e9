"""Ray Tune's view of one job; the only file in trainables/ that knows Ray.

The engine wraps it as `tune.with_parameters(SpeechTrainable, checkpoints=..., artifacts=...)`; a trial's
config is `{"assignment": Assignment.to_json()}`. Tune's own checkpointing stays off: a job's state lies in
`checkpoints`, and taking a job up always looks there first. So a dead worker, a lost node, a killed driver
and a reused actor all come back in the same way.

Nothing heavy happens before the first step, not even importing torch: while an actor starts, Tune moves its
trial to any other actor that has become free and kills the one that was starting, so that with short jobs an
actor that takes long to start would never come to run.
"""

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ray import tune

from trainables.assignment import Assignment
from trainables.audio.corpus import Corpus
from trainables.checkpoints import CheckpointConflict, Checkpoints, stored_reports
from trainables.inference import estimates_file, write_estimates
from trainables.stages import Artifacts

if TYPE_CHECKING:
    from trainables.session import TrainingSession

_CHECKPOINTS_KEPT = 2  # the newest, and one more in case it is damaged


class SpeechTrainable(tune.Trainable):
    """Trains one job, a round a step.

    Results are plain: job, attempt, step, done and the round's report (see `TrainingSession.run_round`). A
    round's report is stored with its checkpoint before Tune hears of it, and the first `step` after a resume
    repeats the last one stored: the driver gets every report at least once and drops what it knows by
    (job, step). A job found finished only repeats its last report.
    """

    _assignment: Assignment
    _taken_up: bool
    _session: "TrainingSession | None"  # None before the first step, and where the job was found finished
    _undelivered: dict[str, Any] | None  # a stored report that Tune may not have heard of

    def setup(
        self,
        config: dict[str, Any],
        checkpoints: Checkpoints | None = None,
        artifacts: Artifacts | None = None,
    ) -> None:
        """Note the job of this config; the first step takes it up."""
        if checkpoints is None or artifacts is None:
            raise TypeError("wrap SpeechTrainable with tune.with_parameters(checkpoints=..., artifacts=...)")
        self._checkpoints = checkpoints
        self._artifacts = artifacts
        self.reset_config(config)

    def step(self) -> dict[str, Any]:
        """Train one round, or repeat the report a resumed job ended on."""
        if not self._taken_up:
            self._take_up()
        if self._undelivered is None:
            self._run_round()
        assert self._undelivered is not None
        report, self._undelivered = self._undelivered, None
        identity = {"job": self._assignment.job, "attempt": self._assignment.attempt}
        return {**report, **identity, "done": report["step"] >= self._assignment.steps}

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Note another job for the same process."""
        self._assignment = Assignment.from_json(new_config["assignment"])
        self._taken_up = False
        self._session = None
        self._undelivered = None
        return True

    def cleanup(self) -> None:
        """Free the model's memory."""
        self._session = None

    def _take_up(self) -> None:
        """Begin the job, or go on from its newest checkpoint that verifies."""
        from trainables.determinism import make_deterministic
        from trainables.session import TrainingSession

        assignment = self._assignment
        make_deterministic(assignment.threads, assignment.device)
        step, files = self._checkpoints.newest(assignment.job) or (0, None)
        self._taken_up = True
        self._undelivered = stored_reports(files)[-1] if files else None
        self._session = None
        if step >= assignment.steps:
            return
        corpus = _open_corpus(assignment.corpus_uri, assignment.corpus_fingerprint)
        self._session = TrainingSession(assignment, corpus, self._artifacts)
        if files:
            self._session.load_state(files)

    def _run_round(self) -> None:
        """Train, store, and only then report."""
        assert self._session is not None, "a finished job was asked for another round"
        report = self._session.run_round()
        job = self._assignment.job
        if self._session.finished and self._assignment.phase == "final":
            # Before the last checkpoint: a job that is found finished has its estimates stored.
            estimates = self._session.estimates("valid")
            self._checkpoints.write_result(job, estimates_file("valid"), write_estimates(estimates))
        try:
            self._checkpoints.save(job, report["step"], self._session.state())
        except CheckpointConflict:  # an older attempt of this job is alive and was faster: its word stands
            self._take_up()
            return
        self._checkpoints.prune(job, _CHECKPOINTS_KEPT)
        self._undelivered = report


@lru_cache(maxsize=1)
def _open_corpus(uri: str, fingerprint: str) -> Corpus:
    """Opened once per process: a reused actor keeps what was read of it."""
    return Corpus.open(uri, fingerprint=fingerprint)
