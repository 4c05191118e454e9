"""What a start of a sweep checks and prepares before its first job.

The output must be writable, the sweep not driven by another process; the corpus is prepared, Ray started, capacity
and storage are checked on every machine, the GPU share is measured, the plan frozen, free disk space compared with
what the sweep will write. Whatever cannot work is refused here with the remedy, before anything is trained.
"""

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from sweep.core.next_command import typed_in
from sweep.machines.capacity import require_capacity
from sweep.machines.gpu_share import measured_share
from sweep.machines.ray_session import ray_session
from sweep.machines.shared_storage import require_shared
from sweep.machines.warm_workers import warm_workers
from sweep.plan.cost import disk_bytes
from sweep.plan.plan import Plan
from sweep.settings.extension import refuse_dishonest
from sweep.settings.settings import Planned
from sweep.storage.stage_store import stage_store
from sweep.stored import layout
from sweep.stored.by_name import is_remote
from sweep.study.lock import sweep_lock
from sweep.study.study import StudyStore
from trainables.audio.corpus.corpus import Corpus
from trainables.audio.corpus.corpus_writer import shared_copy
from trainables.audio.recipes.preparation import open_or_prepare
from trainables.base.cache import using_cache
from trainables.base.errors import UserError
from trainables.base.storage.storage import Storage


class Ready(NamedTuple):
    """A sweep that may begin."""

    plan: Plan  # frozen
    corpus: Corpus
    take_lock_again: Callable[[], None]  # to be called after the study's database was away
    warming: Sequence[Any]  # tasks of `warm_workers`


@contextlib.contextmanager
def ready_to_drive(planned: Planned, storage: Storage, warm: bool) -> Iterator[Ready]:
    """Hold the sweep's lock and a Ray session; with `warm`, workers import the training code meanwhile.

    Raises `UserError` where corpus, output, cluster or plan cannot be used.
    """
    plan = planned.plan
    storage.probe()
    Path(plan.home).mkdir(parents=True, exist_ok=True)
    with sweep_lock(plan) as take_lock_again, _own_empty_folder(), contextlib.ExitStack() as stack:
        stack.enter_context(using_cache())
        if planned.stored is not None and _is_extended(planned):
            with contextlib.closing(StudyStore(plan.study_uri, plan.name, reading=True)) as store:
                refuse_dishonest(planned.stored, plan, store, storage)
        corpus, warming = _prepare_while_ray_starts(plan, stack, warm)
        require_capacity(plan)
        require_shared(storage, corpus)
        plan = _with_gpu_share(planned, _with_corpus(planned, corpus), corpus)
        require_space(plan, storage)
        _freeze(planned, plan, storage)
        yield Ready(plan, corpus, take_lock_again, warming)


def _prepare_while_ray_starts(plan: Plan, stack: contextlib.ExitStack, warm: bool) -> tuple[Corpus, Sequence[Any]]:
    """Both take seconds of one core each, so they run side by side."""
    with ThreadPoolExecutor(1) as background:
        corpus = background.submit(_corpus_for_all, plan)
        stack.enter_context(ray_session())
        warming = warm_workers(plan) if warm else ()
        return corpus.result(), warming


def _corpus_for_all(plan: Plan) -> Corpus:
    """Prepare the corpus if need be; if the results go to S3, upload a corpus that only this machine has."""
    corpus = open_or_prepare(plan.corpus_source, progress=_print_preparation)
    if not is_remote(plan.output):
        return corpus
    return shared_copy(corpus, f"{plan.output.rsplit('/', 1)[0]}/corpora")


def _print_preparation(done: int, total: int) -> None:
    if total and (done == total or done % max(1, total // 10) == 0):
        print(f"corpus     {done} of {total}", file=sys.stderr, flush=True)


def _with_corpus(planned: Planned, corpus: Corpus) -> Plan:
    """The plan with the corpus it will run on; on resume it must be the same one."""
    plan = planned.plan
    if planned.stored is not None and corpus.fingerprint != plan.corpus_fingerprint:
        raise UserError(
            f"the corpus {plan.corpus_source} has changed since sweep {plan.name!r} started (fingerprint "
            f"{corpus.fingerprint}, it was {plan.corpus_fingerprint}): restore it, or start a new sweep"
        )
    return replace(plan, corpus_uri=corpus.uri, corpus_fingerprint=corpus.fingerprint, corpus_summary=corpus.summary())


def _with_gpu_share(planned: Planned, plan: Plan, corpus: Corpus) -> Plan:
    """The plan with as many jobs per GPU as its memory holds, unless the user has fixed that."""
    if not planned.measures_gpu_share:
        return plan
    return replace(plan, gpus_per_trial=measured_share(plan, corpus, stage_store(plan.output)))


def _freeze(planned: Planned, plan: Plan, storage: Storage) -> None:
    """Write plan.json at the first start, and again only with extensions."""
    if _is_extended(planned) or not storage.exists(layout.PLAN):
        storage.write(layout.PLAN, json.dumps(plan.to_json(), indent=1).encode())


def _is_extended(planned: Planned) -> bool:
    return planned.stored is not None and planned.stored.extensions != planned.plan.extensions


def require_space(plan: Plan, storage: Storage) -> None:
    """Raise `UserError` where the disk cannot hold what is still to be written."""
    free = storage.free_bytes()
    if free is None:
        return
    needed = disk_bytes(plan) - sum(storage.sizes(layout.JOBS).values())
    if free < needed:
        raise UserError(
            f"{plan.output}: about {needed / 1e9:.1f} GB are needed and {free / 1e9:.1f} GB are free; free some, or "
            "choose another --output"
        )


@contextlib.contextmanager
def _own_empty_folder() -> Iterator[None]:
    """Work in an empty folder: Ray exports the working folder to every worker, and a home folder may hold anything."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="speech-sweep-") as folder, typed_in(before):
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)
