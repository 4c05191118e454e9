"""Training that several jobs have in common, computed once.

Two jobs whose configurations differ only in what happens after a switch are the same training up to it. That
prefix is a stage: its key is the configuration as far as it matters up to there, with data, budget and seed; its
artifact is the session's whole state, optimizer and running statistics included. A job that starts from it
computes the same bits as training alone.

A method takes part through its configuration's `until_first_switch()` (trainables/config/method_config.py).
"""

import io
import math
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from trainables.config.registry import config_class
from trainables.job.assignment import Assignment
from trainables.job.stages import Artifacts, Progress, Stage

if TYPE_CHECKING:
    from trainables.audio.corpus.corpus import Corpus

KIND = "prefix"
_VERSION = 2  # raised when a change of code changes what training computes
_ROUNDING = 1e-9
_EPOCH = (1980, 1, 1, 0, 0, 0)  # of every file in the archive, so that equal states are equal bytes


def prefix_stage(assignment: Assignment, siblings: Sequence[dict[str, Any]]) -> Stage | None:
    """The training that this job shares with others; None if that is less than a round.

    `siblings` are the configurations of the jobs that may share, this one's included; the prefix ends with the last
    whole round before the first of them switches.
    """
    common, _ = _until_first_switch(assignment.method, assignment.config)
    parts = (_until_first_switch(assignment.method, sibling) for sibling in siblings)
    shares = [share for part, share in parts if part == common]
    steps = _whole_rounds(min(shares, default=0.0), assignment)
    if common is None or len(shares) < 2 or steps == 0:
        return None
    return Stage(
        kind=KIND,
        name=f"shared training, {steps} steps",
        runner="shared_prefix",
        version=_VERSION,
        config={"assignment": _without_identity(assignment, common), "steps": steps},
        seed=assignment.seed,
        corpus_uri=assignment.corpus_uri,
        corpus_fingerprint=assignment.corpus_fingerprint,
        threads=assignment.threads,
        device=assignment.device,
        rests_on=tuple(Stage.from_json(stage) for stage in assignment.stages),
    )


def run(stage: Stage, corpus: "Corpus", artifacts: Artifacts, progress: Progress) -> bytes:
    """Train up to the switch; the artifact is the session's state as one archive."""
    from trainables.base.determinism import make_deterministic
    from trainables.session import TrainingSession

    make_deterministic(stage.threads, stage.device)
    plain = {
        **stage.config["assignment"],
        "seed": stage.seed,
        "threads": stage.threads,
        "device": stage.device,
        "stages": [below.to_json() for below in stage.rests_on],
    }
    session = TrainingSession(Assignment.from_json(plain), corpus, artifacts)
    while session.step < stage.config["steps"]:
        session.run_round()
        progress(session.step, stage.config["steps"])
    return _packed(session.state())


def read_prefix(assignment: Assignment, artifacts: Artifacts) -> dict[str, bytes] | None:
    """The state the job starts from, as `TrainingSession.load_state` takes it; None if it starts from scratch."""
    if assignment.prefix is None:
        return None
    content = artifacts.read(Stage.from_json(assignment.prefix).key)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _until_first_switch(method: str, config: dict[str, Any]) -> tuple[dict[str, Any] | None, float]:
    common, share = config_class(method).from_dict(config).until_first_switch()
    return (common.to_dict(), share) if share > 0.0 else (None, 0.0)


def _whole_rounds(share: float, assignment: Assignment) -> int:
    """Steps of the rounds that end at or before `share` of the budget; 0 if none ever switches."""
    if math.isinf(share):
        return 0
    rounds = math.floor(share * assignment.steps / assignment.round_steps + _ROUNDING)
    return min(rounds * assignment.round_steps, assignment.steps)


def _without_identity(assignment: Assignment, config: dict[str, Any]) -> dict[str, Any]:
    """What determines the bits and is not in a field of the stage."""
    plain = replace(assignment, job=KIND, attempt=1, phase="search", config=config, prefix=None).to_json()
    kept = ("job", "phase", "method", "config", "steps", "round_steps", "metric", "data")
    return {name: plain[name] for name in kept}


def _packed(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content)
    return buffer.getvalue()
