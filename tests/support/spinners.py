"""A busy machine on request: SPINNERS=1 keeps every core busy while a suite runs, as other users do."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def spinners() -> Iterator[None]:
    """One endless loop a core, at the priority of everything else."""
    count = len(os.sched_getaffinity(0)) if os.environ.get("SPINNERS", "0") not in ("", "0") else 0
    spinning = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    yield
    for spinner in spinning:
        spinner.kill()
        spinner.wait()
