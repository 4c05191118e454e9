"""A worker lives as long as it can reach one side or the other."""

import os
import signal
import subprocess
import sys
import threading
import time

from tests.support import REPOSITORY
from trainables.job.lease import Lease


def _unreachable() -> None:
    raise ConnectionError("unreachable")


def test_a_worker_that_reaches_neither_side_ends_itself() -> None:
    expired = threading.Event()
    Lease([_unreachable, _unreachable], seconds=0.05, every=0.01, expire=expired.set)
    assert expired.wait(30)


def test_one_side_is_enough() -> None:
    expired, reached = threading.Event(), threading.Semaphore(0)
    lease = Lease([_unreachable, reached.release], seconds=30, every=0.001, expire=expired.set)
    for _ in range(50):
        assert reached.acquire(timeout=30)
    lease.close()
    assert not expired.is_set()


def test_a_side_that_never_answers_is_one_that_is_not_reached() -> None:
    expired, forever = threading.Event(), threading.Event()

    def unanswered() -> None:
        forever.wait(60)

    Lease([unanswered], seconds=0.05, every=0.01, expire=expired.set)
    assert expired.wait(30)
    forever.set()


SUSPENDED = """
import threading, time
from trainables.job.lease import Lease
Lease([lambda: None], seconds=1.0, every=0.9)
print("holds it", flush=True)
time.sleep(3600)
"""


def test_a_process_that_had_no_turn_has_missed_nothing() -> None:
    """Suspended, or on a machine too busy to run it, for longer than the lease."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-c", SUSPENDED]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "holds it\n"
        for _ in range(5):
            process.send_signal(signal.SIGSTOP)
            time.sleep(1.5)
            process.send_signal(signal.SIGCONT)
            time.sleep(0.1)
        ended = process.poll()
        process.kill()
    assert ended is None


def test_a_closed_lease_never_expires() -> None:
    expired = threading.Event()
    Lease([_unreachable], seconds=0.2, every=0.01, expire=expired.set).close()
    assert not expired.wait(0.5)
