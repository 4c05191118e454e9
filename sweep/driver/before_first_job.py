"""What a start of a sweep checks and prepares before its first job.

The name and its places must be the sweep's own, the output writable, no other process driving it; the corpus is
prepared, Ray started, capacity and storage are checked on every machine, the GPU share is measured, the plan frozen,
free disk space compared with what the sweep will write. Whatever cannot work is refused here with the remedy, before
anything is trained. Where earlier sweeps seem to have trained it all, Ray and its checks wait until they are needed.
"""

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import ray
from ray.exceptions import RayTaskError

from sweep.core.next_command import typed, typed_in
from sweep.driver.whose import freeze, own_name
from sweep.engine.forecast import corpora_known, seems_known
from sweep.engine.reuse import Reuse
from sweep.machines.capacity import require_capacity
from sweep.machines.gpu_share import measured_share
from sweep.machines.ray_session import ray_session, require_cluster
from sweep.machines.shared_storage import require_shared
from sweep.machines.warm_workers import warm_workers
from sweep.machines.workers import Workers
from sweep.plan.cost import disk_bytes, kept_bytes
from sweep.plan.plan import Plan
from sweep.settings.extension import refuse_dishonest
from sweep.settings.further_metrics import with_references
from sweep.settings.settings import Planned
from sweep.storage.stage_store import shared_base, stage_store
from sweep.stored import layout
from sweep.stored.by_name import is_remote
from sweep.study.study import StudyStore
from trainables.audio.corpus.corpus import Corpus
from trainables.audio.corpus.corpus_writer import shared_copy
from trainables.audio.recipes.preparation import open_or_prepare
from trainables.base.cache import VARIABLE as CACHE
from trainables.base.cache import require_cache, using_cache
from trainables.base.errors import UserError
from trainables.base.storage.storage import Storage
from trainables.metrics.catalogue import METRICS
from trainables.metrics.scorer import can_be_loaded

# Variables that name one file or folder each: ours, and those of the libraries that read them late.
_PATHS = (
    *(CACHE, "XDG_CACHE_HOME", "HF_HOME", "HF_HUB_CACHE", "TRANSFORMERS_CACHE", "TORCH_HOME", "TMPDIR"),
    *("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"),
    *("MLFLOW_TRACKING_SERVER_CERT_PATH", "MLFLOW_TRACKING_CLIENT_CERT_PATH", "PGPASSFILE", "PGSSLROOTCERT"),
    *("PGSSLCERT", "PGSSLKEY"),
)


class Ready(NamedTuple):
    """A sweep that may begin."""

    plan: Plan  # frozen
    corpus: Corpus
    take_lock_again: Callable[[], None]  # to be called after the study's database was away
    workers: Workers
    pretraining_corpus: Corpus | None  # where it is another
    reuse: bool  # whether jobs of earlier sweeps are taken


@contextlib.contextmanager
def ready_to_drive(planned: Planned, storage: Storage, warm: bool) -> Iterator[Ready]:
    """Hold the sweep's lock and, once it is needed, a Ray session; with `warm`, workers import the training code.

    Raises `UserError` where corpus, output, cluster or plan cannot be used.
    """
    plan = planned.plan
    require_cache()
    require_cluster()
    with contextlib.ExitStack() as stack:
        made = stack.enter_context(_empty_folders_undone(Path(plan.home)))
        take_lock_again = stack.enter_context(own_name(planned, storage))
        if made:
            stack.enter_context(_undone_unless_frozen(Path(plan.home), storage))
        stack.enter_context(_own_empty_folder())
        stack.enter_context(using_cache())
        if planned.stored is not None and _is_extended(planned):
            with contextlib.closing(StudyStore.of(plan, reading=True)) as store:
                refuse_dishonest(planned.stored, plan, store, storage)
        session = Workers(lambda: _session(plan, stack, warm))
        at_once = not (warm and _seems_kept(planned))
        corpus, second = _prepare(plan, session if at_once else None)
        whole = _with_corpora(planned, corpus, second)
        workers = Workers(lambda: _checked(session, whole, storage, [corpus, *([second] if second else [])]))
        plan = whole
        if at_once:
            workers.start()
            plan = _with_gpu_share(planned, whole, corpus)
        require_space(plan, storage)
        StudyStore.of(plan).close()  # refused, where it cannot be used, before there is a sweep
        freeze(planned, plan, storage)
        yield Ready(plan, corpus, take_lock_again, workers, second, planned.reuse)


def _seems_kept(planned: Planned) -> bool:
    """Whether a new sweep will probably find everything; if not, Ray starts a few seconds later than it could."""
    plan = planned.plan
    if planned.stored is not None or not planned.reuse or not corpora_known(plan):
        return False
    return seems_known(plan, stage_store(plan.output), Reuse.of(plan))


def _session(plan: Plan, stack: contextlib.ExitStack, warm: bool) -> Sequence[Any]:
    stack.enter_context(ray_session())
    return warm_workers(plan) if warm else ()


def _checked(session: Workers, plan: Plan, storage: Storage, corpora: Sequence[Corpus]) -> Sequence[Any]:
    """Raises `UserError` where the machines cannot do the plan's jobs."""
    warming = session.start()
    require_capacity(plan)
    for each in corpora:
        require_shared(storage, each)
    _require_models(plan)
    return warming


def _prepare(plan: Plan, session: Workers | None) -> tuple[Corpus, Corpus | None]:
    """The corpora, while Ray starts: each takes seconds of one core."""
    with ThreadPoolExecutor(1) as background:
        corpus = background.submit(_corpus_for_all, plan, plan.corpus_source)
        second = background.submit(_corpus_for_all, plan, plan.pretraining_corpus_source)
        if session is not None:
            session.start()
        found = corpus.result()
        assert found is not None
        return found, second.result()


def _corpus_for_all(plan: Plan, source: str) -> Corpus | None:
    """Prepare the corpus if need be; if the results go to S3, upload a corpus that only this machine has."""
    if not source:
        return None
    corpus = open_or_prepare(source, progress=_print_preparation)
    if not is_remote(plan.output):
        return corpus
    return shared_copy(corpus, f"{plan.output.rsplit('/', 1)[0]}/corpora")


def _print_preparation(done: int, total: int) -> None:
    if total and (done == total or done % max(1, total // 10) == 0):
        print(f"corpus     {done} of {total}", file=sys.stderr, flush=True)


def _with_corpora(planned: Planned, corpus: Corpus, second: Corpus | None) -> Plan:
    """The plan with the corpora it will run on; on resume they must be the same."""
    plan = planned.plan
    for found, named in ((corpus, "corpus"), (second, "pretraining_corpus")):
        if found is None:
            continue
        before = getattr(plan, f"{named}_fingerprint")
        if planned.stored is not None and found.fingerprint != before:
            raise UserError(
                f"the corpus {getattr(plan, f'{named}_source')} has changed since sweep {plan.name!r} started "
                f"(fingerprint {found.fingerprint}, it was {before}): restore it, or start a new sweep"
            )
        facts: dict[str, Any] = {"uri": found.uri, "fingerprint": found.fingerprint, "summary": found.summary()}
        changed: dict[str, Any] = {f"{named}_{name}": value for name, value in facts.items()}
        plan = replace(plan, **changed)
    return with_references(plan)


def _require_models(plan: Plan) -> None:
    """Load what metrics need as a scoring worker will; raises `UserError` where one cannot serve.

    Hours of training would end without scores otherwise. A hub's model is in this machine's cache then.
    """
    each_once = {(METRICS[name].loader, place): name for name, place in plan.models.items()}
    for (_, place), name in each_once.items():
        try:
            ray.get(ray.remote(num_cpus=0, max_retries=0)(can_be_loaded).remote(name, place))
        except RayTaskError as error:
            cause = error.cause if isinstance(error.cause, UserError) else error
            raise UserError(f"--also {name}={place}: {(str(cause).splitlines() or [''])[-1]}") from error


def _with_gpu_share(planned: Planned, plan: Plan, corpus: Corpus) -> Plan:
    """The plan with as many jobs per GPU as its memory holds, unless the user has fixed that."""
    if not planned.measures_gpu_share:
        return plan
    return replace(plan, gpus_per_trial=measured_share(plan, corpus, stage_store(plan.output)))


def _is_extended(planned: Planned) -> bool:
    return planned.stored is not None and planned.stored.extensions != planned.plan.extensions


def require_space(plan: Plan, storage: Storage) -> None:
    """Raise `UserError` where the disk cannot hold what is still to be written, copies for later sweeps included.

    These may be on another disk, where nothing is refused: what cannot be kept is trained again.
    """
    free = storage.free_bytes()
    if free is None:
        return
    needed = disk_bytes(plan) - sum(storage.sizes(layout.JOBS).values())
    if _disk_of(plan.output) == _disk_of(shared_base(plan.output)):
        needed += kept_bytes(plan)
    if free < needed:
        raise UserError(
            f"{plan.output}: about {needed / 1e9:.1f} GB are needed and {free / 1e9:.1f} GB are free; free some "
            f"({typed('clean')} lists what can go), or choose another --output"
        )


def _disk_of(place: str) -> int:
    return next(folder for folder in (Path(place), *Path(place).parents) if folder.exists()).stat().st_dev


@contextlib.contextmanager
def _empty_folders_undone(home: Path) -> Iterator[list[Path]]:
    """Yields the sweep's folder and those above it that do not exist yet; an error removes those that are empty."""
    missing = [folder for folder in (home, *home.parents) if not folder.exists()]
    try:
        yield missing
    except BaseException:
        with contextlib.suppress(OSError):
            for folder in filter(Path.exists, missing):
                folder.rmdir()
        raise


@contextlib.contextmanager
def _undone_unless_frozen(home: Path, storage: Storage) -> Iterator[None]:
    """A start that is refused leaves nothing: a folder without a plan could be neither resumed nor started again.

    For a folder that this start has made, while it holds the sweep's lock.
    """
    try:
        yield
    except BaseException:
        with contextlib.suppress(Exception):
            if not storage.exists(layout.PLAN):
                shutil.rmtree(home)
        raise


@contextlib.contextmanager
def _own_empty_folder() -> Iterator[None]:
    """Work in an empty folder: Ray exports the working folder to every worker, and a home folder may hold anything.

    Paths in the environment keep their meaning, for this process and for the workers of a Ray that it starts.
    """
    before = Path.cwd()
    os.environ |= {
        name: os.path.abspath(os.path.expanduser(os.environ[name])) for name in _PATHS if os.environ.get(name)
    }
    with tempfile.TemporaryDirectory(prefix="speech-sweep-") as folder, typed_in(before):
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)
