"""What takes space and can be freed: the parts of the cache, and the checkpoints a sweep no longer needs.

A cache holds only what is made again when it is needed. Of a sweep's checkpoints the winners' stay, always; so does
everything of a sweep that is running, and whatever a resume goes on from where the whole plan has no answer yet.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from sweep.core.jobs import Job
from sweep.plan.plan import Plan
from sweep.stored.by_name import sweep_names
from sweep.stored.heartbeat import read_pulse
from sweep.stored.reading import (
    base_of,
    is_answered,
    open_study,
    read_result,
    stored_sweep,
    with_study_password,
)
from sweep.study.lock import sweep_lock
from sweep.verdict.result import group_name
from trainables.base.cache import cache_folder, freeing_cache
from trainables.base.errors import UserError
from trainables.base.storage.storage import Storage

_RUNNING = ("running", "not responding")
_MEANINGS = {
    "stages": "pre-training, gates and shared training; computed again when needed",
    "prepared": "corpora made of raw recordings; prepared again when needed",
    "corpora": "this machine's copies of corpora in S3; fetched again when needed",
    "checkpoints": "public upstream checkpoints; fetched again when needed",
}
_ANSWERED = "checkpoints of search trials and of finalists that do not lead; the leaders' stay"
_UNANSWERED = "checkpoints of search trials that have ended; what a resume goes on from stays"
_CHECKPOINT_FILE = re.compile(r"(?P<folder>jobs/[^/]+/[^/]+/[^/]+/[^/]+/step-\d+)/[^/]+")


@dataclass(frozen=True)
class Freeable:
    """`free` deletes it; None where nothing of it may go, for the reason in `meaning`."""

    name: str
    bytes: int  # that would be freed
    kept: int  # bytes that stay
    meaning: str
    free: Callable[[], None] | None


def everything(output: str | None = None) -> list[Freeable]:
    """The cache's parts and the sweeps of the base, the largest first."""
    found = [*_cache_parts(cache_folder()), *_sweeps(output)]
    return sorted(found, key=lambda item: (-item.bytes, -item.kept, item.name))


# -- the cache -----------------------------------------------------------------------------------------


def _cache_parts(cache: Path) -> list[Freeable]:
    parts = Storage(cache)
    return [_cache_part(parts, name) for name in _MEANINGS if (cache / name).is_dir()]


def _cache_part(cache: Storage, name: str) -> Freeable:
    def free() -> None:
        with freeing_cache():
            cache.delete_prefix(name)

    return Freeable(f"cache/{name}", sum(cache.sizes(name).values()), 0, _MEANINGS[name], free)


# -- sweeps --------------------------------------------------------------------------------------------


def _sweeps(output: str | None) -> list[Freeable]:
    return [_sweep_or_why_not(name, output) for name in sweep_names(base_of(output))]


def _sweep_or_why_not(name: str, output: str | None) -> Freeable:
    try:
        return _sweep(*stored_sweep(name, output))
    except UserError as error:  # a plan of another version, a damaged answer, a study elsewhere
        return Freeable(name, 0, 0, f"a sweep of which nothing can be freed here: {error}", None)


def _sweep(plan: Plan, storage: Storage) -> Freeable:
    steps = _step_folders(storage)
    total = sum(steps.values())
    if read_pulse(storage).life in _RUNNING:
        return Freeable(plan.name, 0, total, "a sweep that is running: nothing of it is touched", None)
    going = sum(steps[folder] for folder in _no_longer_needed(plan, storage, steps))
    meaning = _ANSWERED if is_answered(plan, storage) else _UNANSWERED
    return Freeable(plan.name, going, total - going, meaning, lambda: _free_sweep(plan, storage))


def _free_sweep(plan: Plan, storage: Storage) -> None:
    with sweep_lock(with_study_password(plan)):
        for folder in _no_longer_needed(plan, storage, _step_folders(storage)):
            storage.delete_prefix(folder)


def _step_folders(storage: Storage) -> dict[str, int]:
    """Bytes of every checkpoint, by its folder."""
    sizes: Counter[str] = Counter()
    for path, size in storage.sizes("jobs").items():
        if match := _CHECKPOINT_FILE.fullmatch(path):
            sizes[match["folder"]] += size
    return dict(sizes)


def _no_longer_needed(plan: Plan, storage: Storage, folders: Iterable[str]) -> list[str]:
    """Raises `UserError` where the study of a sweep without a whole answer cannot be asked."""
    jobs = {folder: Job.parse(folder.removeprefix("jobs/").rpartition("/")[0]) for folder in folders}
    if is_answered(plan, storage):
        leaders = _leaders(plan, storage)
        return [folder for folder, job in jobs.items() if not _leads(job, leaders)]
    study = open_study(plan)
    records = {folder: study.record(job) for folder, job in jobs.items() if job.phase == "search"}
    return [folder for folder, record in records.items() if record is not None and record.ended]


def _leaders(plan: Plan, storage: Storage) -> set[tuple[str, str]]:
    groups = read_result(plan, storage)["groups"]
    return {(group_name(group["group"]), group["leader"]["label"]) for group in groups}


def _leads(job: Job, leaders: set[tuple[str, str]]) -> bool:
    return job.phase == "final" and (job.group, job.candidate) in leaders
