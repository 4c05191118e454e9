"""One thread everywhere, so that the same sums are taken in the same order."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info

from trainables.base.determinism import deterministic, make_deterministic


def blas_threads() -> set[int]:
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def test_inside_the_stretch_torch_and_blas_use_that_many_threads_and_are_restored() -> None:
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with deterministic(1):
        assert torch.get_num_threads() == 1
        assert torch.are_deterministic_algorithms_enabled()
        assert blas_threads() == {1}
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before


def test_an_operation_without_a_deterministic_version_is_refused() -> None:
    with deterministic(1), pytest.raises(RuntimeError, match="deterministic"):
        torch.zeros(4).put_(torch.tensor([0, 0]), torch.tensor([1.0, 2.0]))


def test_on_cuda_such_an_operation_warns_and_goes_on() -> None:
    with deterministic(1, "cuda"), pytest.warns(UserWarning, match="deterministic"):
        torch.zeros(4).put_(torch.tensor([0, 0]), torch.tensor([1.0, 2.0]))


@pytest.mark.parametrize("environment_threads", ["1", "2"])
def test_scores_do_not_depend_on_the_threads_the_environment_asks_for(environment_threads: str) -> None:
    code = (
        "import numpy as np; from trainables.base.determinism import make_deterministic; make_deterministic(1); "
        "from trainables.metrics.si_sdr import si_sdr; "
        "rng = np.random.default_rng(0); a = rng.standard_normal(64000); "
        "print(repr(si_sdr(a, a + rng.standard_normal(64000))))"
    )
    variables = {"OMP_NUM_THREADS": environment_threads, "OPENBLAS_NUM_THREADS": environment_threads}
    done = subprocess.run([sys.executable, "-c", code], env=_with(variables), capture_output=True, text=True)
    make_deterministic(1)
    from trainables.metrics.si_sdr import si_sdr

    rng = np.random.default_rng(0)
    clean = rng.standard_normal(64000)
    assert done.stdout.strip() == repr(si_sdr(clean, clean + rng.standard_normal(64000))), done.stderr


def _with(variables: dict[str, str]) -> dict[str, str]:
    import os

    return {**os.environ, **variables}
