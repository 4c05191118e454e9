"""Trains a job again, in this process and in memory, and compares it with what the sweep stored."""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sweep.core.jobs import Job
from sweep.core.next_command import command_line
from sweep.plan.plan import Plan
from sweep.storage.checkpoints import StoredCheckpoints
from sweep.storage.stage_store import stage_store
from sweep.stored.missing_stages import corpus_of, require_stages
from sweep.stored.reading import open_study
from trainables.base.errors import UserError
from trainables.base.storage.storage import Storage
from trainables.job.assignment import Assignment
from trainables.job.checkpoints import PROGRESS, stored_reports

_TIMES = "seconds_"  # prefix of a report's times


@dataclass(frozen=True)
class StoredJob:
    """What a sweep stored of a job that it ran.

    `reports` are by step, without times; `files` are the checkpoint's at the last of them, None if the sweep has
    deleted it.
    """

    assignment: Assignment
    reports: Mapping[int, Mapping[str, float]]
    files: Mapping[str, bytes] | None


def stored_job(plan: Plan, storage: Storage, job: Job) -> StoredJob:
    """Raises `UserError` if the sweep has not run the job."""
    with open_study(plan) as study:
        record = study.record(job)
    if record is None or not record.reports:
        raise UserError(f"sweep {plan.name!r} has no report of {job.path}: see {command_line('status', storage.uri)}")
    reports = {report.step: _timeless({**report.metrics, "score": report.score}) for report in record.reports}
    newest = StoredCheckpoints(storage).newest(job.path)
    files = newest[1] if newest and newest[0] == record.step else None
    if files:  # a checkpoint holds whole reports, the study only numbers
        reports = {report["step"]: _timeless(report) for report in stored_reports(files)}
    return StoredJob(plan.assignment(job, record.nuisance, attempt=1), reports, files)


def replay(plan: Plan, stored: StoredJob, say: Callable[[str], None]) -> str | None:
    """Train again as far as the stored job went; the first difference in words, None if the bits are equal.

    Raises `UserError` if the corpus has changed.
    """
    from trainables.base.determinism import make_deterministic
    from trainables.session import TrainingSession
    from trainables.shared_prefix import read_prefix

    assignment, artifacts = stored.assignment, stage_store(plan.output)
    corpus = corpus_of(plan)
    make_deterministic(assignment.threads, assignment.device)
    require_stages(plan, assignment, artifacts)
    session = TrainingSession(assignment, corpus, artifacts)
    if prefix := read_prefix(assignment, artifacts):
        session.load_state(prefix)
        if difference := _difference_of_reports(stored.reports, session.reports):
            return difference
    while session.step < max(stored.reports):
        report = session.run_round()
        if difference := _difference_of_reports(stored.reports, [report]):
            return difference
        say(f"step {session.step} of {assignment.steps}: equal, {assignment.metric} {report['score']:.4f} on valid")
    if stored.files is None:
        say("no checkpoint is stored to compare: search trials keep none once the sweep is finished")
        return None
    return _difference_of_files(stored.files, session.state())


def _difference_of_reports(
    stored: Mapping[int, Mapping[str, float]], reports: Sequence[Mapping[str, Any]]
) -> str | None:
    for report in reports:
        step = report["step"]
        if step not in stored:
            return f"reports at step {step}, where the sweep has no report"
        now = _timeless(report)
        for name, value in stored[step].items():
            if now.get(name) != value:
                return f"at step {step}: {name} was {value!r} and is {now.get(name)!r}"
    return None


def _timeless(report: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in report.items() if not name.startswith(_TIMES)}


def _difference_of_files(stored: Mapping[str, bytes], again: Mapping[str, bytes]) -> str | None:
    """The first tensor or value of the stored files that differs; the reports have been compared before."""
    for name in sorted({*stored} - {PROGRESS}):
        before, now = (dict(_leaves(_loaded(files[name]))) if name in files else {} for files in (stored, again))
        for place in before | now:
            if not _same(before.get(place), now.get(place)):
                return f"at its last step: {name}, {place}"
    return None


def _loaded(content: bytes) -> Any:
    import torch

    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)


def _leaves(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Every tensor and number of a nested state, with its path."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, f"{place}.{key}" if place else str(key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _leaves(item, f"{place}[{index}]")
    else:
        yield place, value


def _same(one: Any, other: Any) -> bool:
    """Equal to the bit, so that a NaN equals itself."""
    import torch

    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return one.dtype == other.dtype and one.shape == other.shape and _bits(one) == _bits(other)
    return type(one) is type(other) and bool(one == other)


def _bits(tensor: Any) -> bytes:
    return bytes(tensor.contiguous().numpy().tobytes())
