"""The number of threads of numpy's and scipy's linear algebra, for processes that score and never train."""

from threadpoolctl import threadpool_limits


def limit_blas_threads(threads: int) -> None:
    """Fix it for the life of this process: how sums are split between threads changes their last bits."""
    import scipy.linalg  # noqa: F401 - its BLAS must be loaded to be limited

    threadpool_limits(threads, user_api="blas")
