"""Reproducible bits: a fixed number of threads, in torch and in numpy's BLAS, and deterministic algorithms.

The number of threads changes the order of sums, hence bits; several threads also become very slow while another
process keeps the cores busy. `make_deterministic` sets up a whole process, `deterministic` a block of code within one.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits

from trainables.base.memory import keep_freed_memory

# Read when CUDA and oneDNN start. Evaluation clips differ in length, and every length needs convolutions of its
# own: with oneDNN's default of 1024 they are compiled anew at each validation, which then costs four times as much.
_ENVIRONMENT = {"CUBLAS_WORKSPACE_CONFIG": ":4096:8", "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "16384"}


def limit_blas_threads(threads: int) -> None:
    """Fix the threads of numpy's and scipy's linear algebra for the life of this process; imports no torch."""
    import scipy.linalg  # noqa: F401 - its BLAS must be loaded to be limited

    threadpool_limits(threads, user_api="blas")


def make_deterministic(threads: int, device: str = "cpu") -> None:
    """Fix the threads of this process, choose deterministic algorithms, and keep memory that is freed.

    On CUDA an operation without a deterministic version warns instead of failing: there the promise is
    equality within seed noise, not to the bit.
    """
    import torch

    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    torch.set_num_threads(threads)
    # As `use_deterministic_algorithms`, which would also import torch's compiler, a second in every worker.
    torch.set_deterministic_debug_mode("error" if device == "cpu" else "warn")
    # Deterministic mode also fills every new tensor, 6 % of a step, for code that reads before it writes.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    limit_blas_threads(threads)
    keep_freed_memory()


@contextmanager
def deterministic(threads: int, device: str = "cpu") -> Iterator[None]:
    """`make_deterministic` for the block, then restore what was set before."""
    import torch

    before = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    with threadpool_limits(threads, user_api="blas"):
        make_deterministic(threads, device)
        try:
            yield
        finally:
            torch.set_num_threads(before[0])
            torch.set_deterministic_debug_mode(before[1])
