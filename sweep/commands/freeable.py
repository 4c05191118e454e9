"""Lists what takes space and can be freed: parts of the cache, and checkpoints that a sweep no longer needs.

A cache holds only what can be computed again. The winners' checkpoints are always kept; so is everything of a
running sweep and, until its whole plan is answered, everything a resume continues from.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sweep.core.jobs import Job
from sweep.plan.plan import Plan
from sweep.stored import layout
from sweep.stored.by_name import sweep_names
from sweep.stored.heartbeat import read_pulse
from sweep.stored.place import refuse_copy
from sweep.stored.reading import base_of, is_answered, open_study, read_result, stored_sweep, with_study_password
from sweep.study.lock import sweep_lock
from sweep.verdict.result import group_name
from trainables.base.cache import cache_folder, freeing_cache
from trainables.base.errors import UserError
from trainables.base.storage.storage import Storage

_MEANINGS = {
    "stages": "pre-training, gates and shared training; computed again when needed",
    "prepared": "corpora prepared from raw recordings; prepared again when needed",
    "corpora": "local copies of corpora in S3; fetched again when needed",
    "checkpoints": "published upstream weights; fetched again when needed",
}
_ANSWERED = "checkpoints of search trials and of finalists that do not lead; the leaders' are kept"
_UNANSWERED = "checkpoints of ended search trials; those a resume continues from are kept"
_CHECKPOINT_FILE = re.compile(rf"(?P<folder>{layout.JOBS}/[^/]+/[^/]+/[^/]+/[^/]+/step-\d+)/[^/]+")


@dataclass(frozen=True)
class Freeable:
    """An entry of the list. `free` deletes it; None if nothing of it may be deleted, for the reason in `meaning`."""

    name: str
    bytes: int  # freed by `free`
    kept: int  # bytes that stay
    meaning: str
    free: Callable[[], None] | None


def everything(output: str | None = None) -> list[Freeable]:
    """The cache's parts and the sweeps in `output`, the largest first."""
    parts = [_cache_part(Storage(cache_folder()), name) for name in _MEANINGS if (cache_folder() / name).is_dir()]
    found = [*parts, *(_sweep_or_reason(name, output) for name in sweep_names(base_of(output)))]
    return sorted(found, key=lambda item: (-item.bytes, -item.kept, item.name))


def _cache_part(cache: Storage, name: str) -> Freeable:
    def free() -> None:
        with freeing_cache():
            cache.delete_prefix(name)

    return Freeable(f"cache/{name}", sum(cache.sizes(name).values()), 0, _MEANINGS[name], free)


def _sweep_or_reason(name: str, output: str | None) -> Freeable:
    try:
        return _sweep(name, *stored_sweep(name, output))
    except UserError as error:  # a plan of another version, a damaged result, a study elsewhere
        return Freeable(name, 0, 0, f"a sweep; nothing can be freed here: {error}", None)


def _sweep(name: str, plan: Plan, storage: Storage) -> Freeable:
    """By its folder's `name`: a renamed folder may hold a sweep whose plan has another's."""
    refuse_copy(storage)
    steps = _step_folders(storage)
    total = sum(steps.values())
    if read_pulse(storage).is_driven:
        return Freeable(name, 0, total, "a running sweep: nothing is deleted", None)
    spent = sum(steps[folder] for folder in _no_longer_needed(plan, storage, steps))
    meaning = _ANSWERED if is_answered(plan, storage) else _UNANSWERED
    return Freeable(name, spent, total - spent, meaning, lambda: _free_sweep(plan, storage))


def _free_sweep(plan: Plan, storage: Storage) -> None:
    with sweep_lock(with_study_password(plan)):
        for folder in _no_longer_needed(plan, storage, _step_folders(storage)):
            storage.delete_prefix(folder)


def _step_folders(storage: Storage) -> dict[str, int]:
    """Bytes of each checkpoint, by its folder."""
    sizes: Counter[str] = Counter()
    for path, size in storage.sizes(layout.JOBS).items():
        if match := _CHECKPOINT_FILE.fullmatch(path):
            sizes[match["folder"]] += size
    return dict(sizes)


def _no_longer_needed(plan: Plan, storage: Storage, folders: Iterable[str]) -> list[str]:
    """Folders that may be deleted. Raises `UserError` if an unanswered sweep's study cannot be opened."""
    jobs = {folder: Job.parse(folder.removeprefix(f"{layout.JOBS}/").rpartition("/")[0]) for folder in folders}
    if is_answered(plan, storage):
        groups = read_result(plan, storage)["groups"]
        leaders = {(group_name(group["group"]), group["leader"]["label"]) for group in groups}
        return [
            folder for folder, job in jobs.items() if job.phase != "final" or (job.group, job.candidate) not in leaders
        ]
    study = open_study(plan)
    records = {folder: study.record(job) for folder, job in jobs.items() if job.phase == "search"}
    return [folder for folder, record in records.items() if record is not None and record.ended]
