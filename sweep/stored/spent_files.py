"""Which files of its jobs a sweep no longer needs: weights, rows and clips stay, what only led to them goes.

A search trial that has ended needs nothing: the study has its score. A complete finalist keeps its last checkpoint,
its rows and the clips to listen to; its estimates only until they are scored. A failed finalist is never continued.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from sweep.core.jobs import Job
from sweep.core.listener import EndState
from sweep.storage.checkpoints import MANIFEST
from sweep.stored import layout
from trainables.base.storage.storage import Storage
from trainables.inference import estimates_file
from trainables.listening import LISTENING_FILE

_OF_JOB = re.compile(rf"{layout.JOBS}/(?P<job>[^/]+/(search|final)/[^/]+/[^/]+)/(?P<rest>.+)")
_OF_STEP = re.compile(r"step-(?P<step>\d+)/(?P<name>.+)")


def spent_files(paths: Iterable[str], how_ended: Callable[[Job], EndState | None]) -> list[str]:
    """The paths of files that no start of the sweep and no command will read.

    `how_ended` returns None for a job that has not ended.
    """
    of_job: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for path in paths:
        if match := _OF_JOB.fullmatch(path):
            of_job[match["job"]][match["rest"]] = path
    spent = []
    for job, files in of_job.items():
        state = how_ended(Job.parse(job))
        if state is not None:
            kept = _kept_of_finalist(files) if state == "complete" and Job.parse(job).phase == "final" else set()
            spent += [path for rest, path in files.items() if rest not in kept]
    return spent


def delete_files(storage: Storage, spent: Iterable[str], paths: Iterable[str]) -> None:
    """Delete `spent`; a job's folder, or one in it, that holds no other of `paths` goes as a whole."""
    gone = set(spent)
    held = {folder for path in paths if path not in gone for folder in _folders(path)}
    for place in sorted({next((folder for folder in _folders(path) if folder not in held), path) for path in gone}):
        if place in gone:
            storage.delete(place)
        else:
            storage.delete_prefix(place)


def weights_of(paths: Iterable[str], jobs: Iterable[Job]) -> list[str]:
    """The paths of these jobs' checkpoints."""
    starts = tuple(f"{layout.JOBS}/{job.path}/step-" for job in jobs)
    return [path for path in paths if path.startswith(starts)]


def _kept_of_finalist(files: Mapping[str, str]) -> set[str]:
    steps = [match for name in files if (match := _OF_STEP.fullmatch(name))]
    last = max((int(match["step"]) for match in steps if match["name"] == MANIFEST), default=None)
    kept = {layout.rows_file("valid"), layout.rows_file("test"), LISTENING_FILE}
    if layout.rows_file("valid") not in files:
        kept.add(estimates_file("valid"))
    return kept | {match[0] for match in steps if int(match["step"]) == last}


def _folders(path: str) -> list[str]:
    """Its job's folder and those in between."""
    parts = path.split("/")
    return ["/".join(parts[:end]) for end in range(5, len(parts))]
