"""Lists what takes space and can be freed: parts of the cache, and files that a sweep no longer needs.

A cache holds only what can be computed again. The winners' weights are always kept, with every row and clip; so is
everything of a running sweep and, until its whole plan is answered, everything a resume continues from.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sweep.core.jobs import Job
from sweep.core.listener import EndState
from sweep.plan.plan import Plan
from sweep.storage.kept_jobs import KEPT_JOBS
from sweep.stored import layout
from sweep.stored.by_name import is_remote, join, sweep_names
from sweep.stored.heartbeat import read_pulse
from sweep.stored.place import refuse_copy
from sweep.stored.reading import base_of, is_answered, open_study, read_result, stored_sweep, with_study_password
from sweep.stored.spent_files import delete_files, spent_files, weights_of
from sweep.study.lock import sweep_lock
from sweep.study.study import StudyStore
from sweep.verdict.result import group_name
from trainables.base.cache import cache_folder, freeing_cache
from trainables.base.errors import UserError
from trainables.base.storage.storage import Storage

_MEANINGS = {
    "stages": "pre-training, gates and shared training; computed again when needed",
    KEPT_JOBS: "jobs of earlier sweeps: reports, finalists' weights, rows and clips; trained again when needed",
    "prepared": "corpora prepared from raw recordings; prepared again when needed",
    "corpora": "local copies of corpora in S3; fetched again when needed",
    "checkpoints": "published upstream weights; fetched again when needed",
}
_ANSWERED = "weights of finalists that do not lead, and leftovers; the leaders' weights, rows and clips are kept"
_UNANSWERED = "leftovers of ended jobs; what a resume continues from is kept"


@dataclass(frozen=True)
class Freeable:
    """An entry of the list. `free` deletes it; None if nothing of it may be deleted, for the reason in `meaning`."""

    name: str
    bytes: int  # freed by `free`
    kept: int  # bytes that stay
    meaning: str
    free: Callable[[], None] | None


def everything(output: str | None = None) -> list[Freeable]:
    """The cache's parts, what sweeps share in a bucket, and the sweeps in `output`, the largest first."""
    base = base_of(output)
    sweeps = sweep_names(base)  # first: it says what is wrong with a bucket
    parts = [_cache_part(Storage(cache_folder()), name) for name in _MEANINGS if (cache_folder() / name).is_dir()]
    if is_remote(base) and KEPT_JOBS in Storage(base).folders():
        parts.append(_in_bucket(Storage(base), KEPT_JOBS))
    found = [*parts, *(_sweep_or_reason(name, output) for name in sweeps)]
    return sorted(found, key=lambda item: (-item.bytes, -item.kept, item.name))


def _cache_part(cache: Storage, name: str) -> Freeable:
    def free() -> None:
        with freeing_cache():
            cache.delete_prefix(name)

    return Freeable(f"cache/{name}", sum(_sizes(cache, name).values()), 0, _MEANINGS[name], free)


def _in_bucket(base: Storage, name: str) -> Freeable:
    """No lock is needed: a sweep that looks for something there and does not find it computes it."""
    return Freeable(name, sum(base.sizes(name).values()), 0, _MEANINGS[name], lambda: base.delete_prefix(name))


def _sweep_or_reason(name: str, output: str | None) -> Freeable:
    try:
        return _sweep(name, *stored_sweep(name, output))
    except UserError as error:  # a plan of another version, a damaged result, a study elsewhere
        held = sum(_sizes(Storage(join(base_of(output), name))).values())
        return Freeable(name, 0, held, f"a sweep; nothing can be freed here: {error}", None)


def _sweep(name: str, plan: Plan, storage: Storage) -> Freeable:
    """By its folder's `name`: a renamed folder may hold a sweep whose plan has another's."""
    refuse_copy(storage)
    sizes = _sizes(storage)
    total = sum(sizes.values())
    if read_pulse(storage).is_driven:
        return Freeable(name, 0, total, "a running sweep: nothing is deleted", None)
    spent = sum(sizes[path] for path in _no_longer_needed(plan, storage, sizes))
    meaning = _ANSWERED if is_answered(plan, storage) else _UNANSWERED
    return Freeable(name, spent, total - spent, meaning, lambda: _free_sweep(plan, storage))


def _free_sweep(plan: Plan, storage: Storage) -> None:
    with sweep_lock(with_study_password(plan)):
        paths = _sizes(storage)
        delete_files(storage, _no_longer_needed(plan, storage, paths), paths)


def _sizes(storage: Storage, prefix: str = "") -> dict[str, int]:
    """The bytes of every file, those included that a killed process left half written."""
    return storage.sizes(prefix) | storage.unfinished(prefix)


def _no_longer_needed(plan: Plan, storage: Storage, paths: Iterable[str]) -> set[str]:
    """Those of all the sweep's files that may be deleted. Raises `UserError` if a study is needed that is not here."""
    left_by_killed = {*storage.unfinished()}
    if not is_answered(plan, storage):
        with open_study(plan) as study:
            return left_by_killed | {*spent_files(paths, lambda job: _end_of(job, study))}
    groups = read_result(plan, storage)["groups"]
    leaders = {(group_name(group["group"]), group["leader"]["label"]) for group in groups}
    finalists = [job for group in plan.groups for job in plan.final_jobs(group.name)]
    others = {job for job in finalists if (job.group, job.candidate) not in leaders}
    scored = {*paths}

    def how_ended(job: Job) -> EndState:
        """By its rows: the study of an answered sweep need not be here."""
        rows = f"{layout.JOBS}/{job.path}/{layout.rows_file('test')}"
        return "failed" if job in others and rows not in scored else "complete"

    return left_by_killed | {*spent_files(paths, how_ended), *weights_of(paths, others)}


def _end_of(job: Job, study: StudyStore) -> EndState | None:
    record = study.record(job)
    return None if record is None or record.state == "running" else record.state
