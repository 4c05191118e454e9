"""Freed memory is kept: the same blocks are allocated again without faulting their pages in."""

import subprocess
import sys

import pytest

_FAULTS = """
import resource, sys
import numpy as np
from trainables.base.memory import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()

def step():
    blocks = [np.ones(2**19) for _ in range(16)]  # 4 MiB each
    return sum(block[0] for block in blocks)

step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def _faults(mode: str) -> int:
    done = subprocess.run([sys.executable, "-c", _FAULTS, mode], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's malloc")
def test_blocks_of_an_earlier_step_are_used_again() -> None:
    usual, kept = _faults("usual"), _faults("keep")
    assert usual > 1_000
    assert kept < usual / 20
