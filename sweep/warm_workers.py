"""Has a private Ray's workers import the training code while the driver still gets ready.

Importing torch and transformers takes each worker seconds, and until the first stage all cores but one are idle.
"""

import os

import ray

from trainables.registry import import_method


def warm_workers(method: str, threads: int) -> None:
    """As many workers as will compute stages at once; returns at once. A cluster's workers are left alone."""
    if os.environ.get("RAY_ADDRESS"):
        return
    room = int(ray.cluster_resources().get("CPU", 0)) // threads
    for _ in range(room):
        _warm.options(num_cpus=threads).remote(method)


@ray.remote(max_retries=0)
def _warm(method: str) -> None:
    import_method(method)
