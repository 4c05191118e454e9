"""Whose fault it is that a job ended without a result: its own, or that of its surroundings.

Evidence: the exception, Ray's account of a worker's death, and what the dying process left in its log. The table in
docs/survival.md lists every case.
"""

import contextlib
import os
import re
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

import ray
from ray.exceptions import OutOfMemoryError, RayActorError, RayError, RayTaskError, WorkerCrashedError

from sweep.core.outage import storage_is_away
from trainables.job.last_words import MARK
from trainables.job.lease import EXIT_STATUS

_ANSWER_SECONDS = 120.0  # for a machine to read a log, which may start a process for it
_TAIL_BYTES = 50_000
_CRASH = re.compile(r"\*\*\* (SIG(?:SEGV|ABRT|BUS|FPE|ILL)) received")
_EXIT_CODE = re.compile(r"exit code (\d+)")
_OF_A_GPU = ("OutOfMemoryError", "AcceleratorError")  # torch's, by name: it is not imported here


class Fault(Enum):
    """Why a job ended without a result."""

    TRAINING = "it raised: training is deterministic, and would only raise again"
    OWN = "the job ended its own worker, or hung"
    UNKNOWN = "a process was lost, and there is no evidence why"
    OTHERS = "signals from outside, lost machines, memory taken by others"
    OUTAGE = "storage or network failed"


class Place(NamedTuple):
    """A process on a machine of the cluster."""

    address: str
    process: int

    @staticmethod
    def here() -> "Place":
        return Place(ray.util.get_node_ip_address(), os.getpid())


@dataclass(frozen=True)
class Diagnosis:
    fault: Fault
    reason: str  # one line


def diagnose(error: BaseException | None, actor_id: str = "", place: Place | None = None) -> Diagnosis:
    """The fault behind `error`, raised by a worker or by Ray about it.

    `actor_id` (hex) tells an actor from its neighbours; `place` is where a task ran, which Ray does not say. May ask
    the machine of a dead worker for its log, which takes seconds. Needs `ray_session`.
    """
    if isinstance(error, OutOfMemoryError):
        return _out_of_memory(str(error), actor_id)
    if isinstance(error, RayActorError):
        return _actor_death(str(error), actor_id)
    if isinstance(error, WorkerCrashedError):
        return _autopsy(place)
    line = _in_a_line(error)
    if isinstance(error, RayError) and not isinstance(error, RayTaskError):  # lost objects and nodes, calls cancelled
        return Diagnosis(Fault.OTHERS, line)
    if storage_is_away(error):
        return Diagnosis(Fault.OUTAGE, line)
    return Diagnosis(_raised(error), line)


def _raised(error: BaseException | None) -> Fault:
    """What an exception of the job's own code shows about it."""
    if any(kind.__name__ in _OF_A_GPU for kind in type(error).__mro__):
        return Fault.OWN if _holds_most_of_the_device(str(error)) else Fault.OTHERS
    if isinstance(error, MemoryError):
        return Fault.OWN
    if isinstance(error, BrokenProcessPool):
        return Fault.UNKNOWN
    if isinstance(error, RuntimeError) and "can't start new thread" in str(error):  # the machine's limit is reached
        return Fault.OTHERS
    return Fault.TRAINING


def _holds_most_of_the_device(message: str) -> bool:
    """Whether the process itself, not its neighbours on the GPU, uses most of it; True if torch gives no sizes."""
    capacity = _bytes_after("total capacity of", message)
    free = _bytes_after("of which", message)
    own = _bytes_after("this process has", message)
    if capacity is None or free is None or own is None:
        return True
    return own >= (capacity - free) / 2


def _bytes_after(words: str, message: str) -> float | None:
    found = re.search(rf"{words} ([\d.]+) ?([KMGT]?)i?B", message)
    return float(found[1]) * 1024.0 ** " KMGT".index(found[2] or " ") if found else None


def _out_of_memory(message: str, actor_id: str) -> Diagnosis:
    """Ray kills workers, not only the one at fault, when their machine runs out of memory."""
    used, limit = _bytes_after(r"\) was", message), _bytes_after("used /", message)
    killed = re.findall(r"Selected to kill: (.*?actual memory used=([\d.]+ ?[KMGT]?)i?B)", message)
    ours = [size for line, size in killed if actor_id and actor_id in line] or [size for _, size in killed]
    own = _bytes_after("", f" {ours[0]}B") if len(ours) == 1 else None
    if not used or not limit or own is None:
        return Diagnosis(Fault.OTHERS, "its machine ran out of memory")
    share = f"it used {own / 1024**3:.1f} of {used / 1024**3:.1f} GiB in use"
    return Diagnosis(Fault.OWN if own >= used / 2 else Fault.OTHERS, f"its machine ran out of memory ({share})")


def _actor_death(message: str, actor_id: str) -> Diagnosis:
    last = message.strip().splitlines()[-1]
    if "creation task" in message.splitlines()[0]:  # setup in a new worker raised
        return Diagnosis(Fault.OTHERS if last.startswith("ray.exceptions.") else Fault.OWN, last)
    _, given, detail = message.partition("Worker exit detail:")
    if not given:
        return Diagnosis(Fault.OTHERS, f"its worker was lost ({last})")
    if "low on memory" in detail:
        return _out_of_memory(detail, actor_id)
    if (code := _EXIT_CODE.search(detail)) and "SIGTERM" not in detail:
        return Diagnosis(Fault.OWN, f"its worker exited by itself with exit code {code[1]}")
    process, address = re.search(r"pid: (\d+)", message), re.search(r"ip: (\S+)", message)
    return _autopsy(Place(address[1], int(process[1])) if process and address else None)


def _autopsy(place: Place | None) -> Diagnosis:
    """Of a process that is gone without an exit code, from what it left in its log."""
    log = None if place is None else _log_of(place)
    if log is None:
        return Diagnosis(Fault.UNKNOWN, "its worker died")
    if crash := _CRASH.search(log):
        return Diagnosis(Fault.OWN, f"its worker crashed with {crash[1]}")
    _, noted, how = log.rpartition(MARK)
    how = how.partition("\n")[0]
    if not noted:
        return Diagnosis(Fault.OTHERS, "its worker was killed from outside")
    if how == f"os._exit({EXIT_STATUS})":
        return Diagnosis(Fault.OTHERS, "its worker was cut off from storage and driver")
    return Diagnosis(Fault.OWN, f"its worker ended itself by {how}")


def _log_of(place: Place) -> str | None:
    """The last lines of a process on standard error; None if its machine cannot be asked."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    nodes = [n["NodeID"] for n in ray.nodes() if n["Alive"] and n["NodeManagerAddress"] == place.address]
    if not nodes:
        return None
    if ray.get_runtime_context().get_node_id() in nodes:
        return _read_log(place.process)
    there: Any = NodeAffinitySchedulingStrategy(nodes[0], soft=False)
    task = ray.remote(num_cpus=0, max_retries=0, scheduling_strategy=there)(_read_log)
    with contextlib.suppress(RayError):
        log: str | None = ray.get(task.remote(place.process), timeout=_ANSWER_SECONDS)
        return log
    return None


def _read_log(process: int) -> str | None:
    """Of this machine's Ray."""
    node: Any = ray._private.worker.global_worker.node
    folder = Path(node.get_logs_dir_path())
    files = sorted(folder.glob(f"worker-*-{process}.err"), key=lambda path: path.stat().st_mtime)
    return files[-1].read_bytes()[-_TAIL_BYTES:].decode(errors="replace") if files else None


def _in_a_line(error: BaseException | None) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
