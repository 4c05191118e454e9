"""Whose fault a death is: real workers on a real Ray that end themselves, are ended by others, or run out of memory."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest
import ray
from ray.exceptions import ActorUnavailableError, GetTimeoutError, OutOfMemoryError, RayError

from sweep.engine.deaths import Fault, Place, diagnose
from tests.support import REPOSITORY
from trainables.base.errors import UserError
from trainables.job.last_words import note_own_end
from trainables.job.lease import Lease


class _Worker:
    """As a job's: it notes its own end."""

    def __init__(self) -> None:
        note_own_end()
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup it is ignored, and workers inherit that

    def process(self) -> int:
        return os.getpid()

    def wait(self) -> None:
        threading.Event().wait()

    def do(self, what: str) -> None:
        _DEEDS[what]()
        threading.Event().wait(60)


class _BrokenFromTheStart(_Worker):
    def __init__(self) -> None:
        raise KeyError("k0")


def _fork_and_leave() -> None:
    """A forked child that ends itself, as those of multiprocessing do, is not the worker."""
    if os.fork() == 0:
        os._exit(3)
    os.wait()
    ctypes.CDLL(None)._exit(0)  # leaves no trace, as a SIGKILL from outside


def _cut_off() -> None:
    def unreachable() -> None:
        raise ConnectionError("unreachable")

    Lease([unreachable], seconds=0.06)


_DEEDS = {
    "sys.exit": lambda: sys.exit(3),
    "sys.exit 0": lambda: sys.exit(0),
    "os._exit": lambda: os._exit(1),
    "abort": os.abort,
    "segmentation fault": lambda: ctypes.string_at(0),
    "SIGKILL to itself": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "SIGTERM to itself": lambda: os.kill(os.getpid(), signal.SIGTERM),
    "exit_actor": ray.actor.exit_actor,
    "a child's exit": _fork_and_leave,
    "cut off": _cut_off,
}


def _actor(kind: type[_Worker] = _Worker) -> Any:
    return ray.remote(num_cpus=0)(kind).remote()


def _error(call: Any) -> BaseException:
    with pytest.raises(RayError) as raised:
        ray.get(call, timeout=600)
    assert not isinstance(raised.value, GetTimeoutError)
    return raised.value


@pytest.mark.parametrize(
    ("deed", "words"),
    [
        ("sys.exit", "exit code 3"),
        ("sys.exit 0", "exit code 0"),
        ("os._exit", "os._exit(1)"),
        ("abort", "SIGABRT"),
        ("segmentation fault", "SIGSEGV"),
        ("SIGKILL to itself", "SIGKILL sent by itself"),
        ("SIGTERM to itself", "SIGTERM sent by itself"),
        ("exit_actor", "exit"),
    ],
)
def test_a_worker_that_ends_itself_is_its_own_fault(ray_cluster: None, deed: str, words: str) -> None:
    worker = _actor()
    found = diagnose(_error(worker.do.remote(deed)))
    assert found.fault is Fault.OWN
    assert words in found.reason
    assert "\n" not in found.reason


@pytest.mark.parametrize("deed", ["a child's exit", "cut off"])
def test_what_only_looks_like_it_is_not(ray_cluster: None, deed: str) -> None:
    worker = _actor()
    assert diagnose(_error(worker.do.remote(deed))).fault is Fault.OTHERS


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_from_outside_is_not_the_jobs_fault(ray_cluster: None, number: signal.Signals) -> None:
    worker = _actor()
    process = ray.get(worker.process.remote())
    call = worker.wait.remote()
    subprocess.run(["kill", f"-{number.value}", str(process)], check=True)
    assert diagnose(_error(call)).fault is Fault.OTHERS


def test_a_worker_killed_through_ray_is_not_its_own_fault(ray_cluster: None) -> None:
    worker = _actor()
    call = worker.wait.remote()
    ray.kill(worker)
    assert diagnose(_error(call)).fault is Fault.OTHERS


def test_what_setup_raises_is_the_jobs_own(ray_cluster: None) -> None:
    found = diagnose(_error(_actor(_BrokenFromTheStart).wait.remote()))
    assert (found.fault, found.reason) == (Fault.OWN, "KeyError: 'k0'")


def test_of_a_lost_task_nothing_is_known_but_by_the_log_of_its_process(ray_cluster: None, tmp_path: Path) -> None:
    def crash() -> None:
        (tmp_path / "place").write_text("{} {}".format(*Place.here()))
        os.abort()

    error = _error(ray.remote(num_cpus=0, max_retries=0)(crash).remote())
    assert diagnose(error).fault is Fault.UNKNOWN
    address, process = (tmp_path / "place").read_text().split()
    assert diagnose(error, place=Place(address, int(process))).fault is Fault.OWN


ELSEWHERE = """
import os
import ray
from ray.cluster_utils import Cluster
from sweep.engine.deaths import diagnose
from sweep.machines.ray_session import ray_session
from tests.sweep.engine.test_deaths import _Worker
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
other = cluster.add_node(num_cpus=1, node_ip_address="127.0.0.2")
os.environ["RAY_ADDRESS"] = cluster.address
with ray_session():
    for deed in ("os._exit", "a child's exit", "lost"):
        worker = ray.remote(num_cpus=1)(_Worker).remote()
        ray.get(worker.process.remote())
        call = worker.wait.remote() if deed == "lost" else worker.do.remote(deed)
        if deed == "lost":
            cluster.remove_node(other, allow_graceful=False)
        try:
            ray.get(call)
        except ray.exceptions.RayError as error:
            print(diagnose(error).fault.name, flush=True)
cluster.shutdown()
"""


def test_on_another_machine_the_log_is_read_there_and_a_lost_machine_is_no_jobs_fault() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE],
        capture_output=True,
        text=True,
        timeout=800,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    faults = [line for line in done.stdout.splitlines() if line in Fault.__members__]  # among what Ray prints
    assert faults == ["OWN", "OTHERS", "OTHERS"], done.stdout + done.stderr[-3000:]


OURS, NEIGHBOUR = "ea1ff5d6db228ea84f05c66101000000", "ffffffffffffffffffffffff01000000"


def _low_on_memory(used: str, ours: str, neighbour: str = "") -> OutOfMemoryError:
    """Ray 2.60's message, which a real worker got, with these sizes."""
    killed = [(OURS, ours), (NEIGHBOUR, neighbour)] if neighbour else [(OURS, ours)]
    lines = [
        f"{len(killed)} worker(s) were killed due to the node running low on memory. Memory on the node (IP: "
        f"192.0.2.2, ID: 5dbd5b79) was {used} used / 23.54GB limit (0.951776)",
        "OOM kill reason: Memory usage 24224409600B exceeded threshold of 24044240128B (95.0% of 25276502016B limit)",
        f"Ray killed {len(killed)} worker(s) based on the killing policy",
        "Considered workers: [",
        *(
            f"Selected to kill: (Actor({actor}): job ID=01000000, lease ID=00000000485428a6, task name=A.__init__, "
            f"required resources={{}}, pid=31122, actual memory used={size}, worker ID=8e140f60723b2765c54dc8fb)"
            for actor, size in killed
        ),
        "]",
        "Total non-selected idle workers USS bytes: 0.00GB",
    ]
    return OutOfMemoryError("\n".join(lines))


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (_low_on_memory("22.40GB", ours="15.20GB"), Fault.OWN),
        (_low_on_memory("22.40GB", ours="400.00MB"), Fault.OTHERS),
        (_low_on_memory("22.40GB", ours="15.20GB", neighbour="1.10GB"), Fault.OWN),
        (_low_on_memory("22.40GB", ours="1.10GB", neighbour="15.20GB"), Fault.OTHERS),
        (OutOfMemoryError("in words of another Ray"), Fault.OTHERS),
    ],
    ids=["by itself", "by other programs", "with a small neighbour", "of a greedy neighbour", "without figures"],
)
def test_memory_is_the_fault_of_who_holds_most_of_it(ray_cluster: None, error: BaseException, fault: Fault) -> None:
    assert diagnose(error, OURS).fault is fault


@pytest.mark.parametrize(
    ("message", "fault"),
    [
        (
            "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79.10 GiB of which 512.00 "
            "MiB is free. Including non-PyTorch memory, this process has 70.20 GiB memory in use.",
            Fault.OWN,
        ),
        (
            "CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 79.10 GiB of which 10.00 "
            "MiB is free. Process 7 has 60.00 GiB memory in use. Including non-PyTorch memory, this process has 19.00 "
            "GiB memory in use. Of the allocated memory 18.00 GiB is allocated by PyTorch",
            Fault.OTHERS,
        ),
        ("CUDA error: out of memory", Fault.OWN),
    ],
    ids=["by itself", "by a neighbour on the device", "without figures"],
)
def test_so_is_the_memory_of_a_gpu(message: str, fault: Fault) -> None:
    import torch

    assert diagnose(torch.OutOfMemoryError(message)).fault is fault


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (OSError("no space left"), Fault.OUTAGE),
        (ConnectionError("storage"), Fault.OUTAGE),
        (MemoryError(), Fault.OWN),
        (BrokenProcessPool("a child died"), Fault.UNKNOWN),
        (RuntimeError("can't start new thread"), Fault.OTHERS),
        (ActorUnavailableError("Socket closed", b"0" * 16), Fault.OTHERS),
        (GetTimeoutError("an object did not come"), Fault.OTHERS),
        (RuntimeError("loss is nan at step 12"), Fault.TRAINING),
        (UserError("bad value"), Fault.TRAINING),
        (None, Fault.TRAINING),
    ],
)
def test_only_what_lies_outside_training_is_tried_again(error: BaseException | None, fault: Fault) -> None:
    assert diagnose(error).fault is fault
