"""Lets the workers of a private Ray import the training code while the driver is still preparing.

Importing torch and transformers takes seconds per worker, and until the first job all cores but one are idle. Ray
reuses a task's worker for later tasks: warm workers compute the stages and infer test estimates. (An actor always
gets a process of its own.)
"""

import importlib
from collections.abc import Sequence

import ray

from sweep.machines.capacity import trials_at_once
from sweep.machines.ray_session import cluster_address
from sweep.plan.plan import Plan
from trainables.base.plugins import load
from trainables.config.registry import METHODS


def warm_workers(plan: Plan) -> list[ray.ObjectRef]:
    """Start one import task per worker that will run at once, at most one per finalist; returns without waiting.

    Does nothing in a cluster.
    """
    if cluster_address():
        return []
    finalists = sum(len(plan.final_jobs(group.name)) for group in plan.groups)
    # No CPU: it must delay no job if all stages are cached.
    task = ray.remote(num_cpus=0, max_retries=0)(import_methods)
    return [task.remote(tuple(plan.methods())) for _ in range(min(trials_at_once(plan), finalists))]


def wait_until_warm(warming: Sequence[ray.ObjectRef]) -> None:
    """Wait for these imports; a task submitted earlier would get a cold worker."""
    if warming:
        ray.wait(list(warming), num_returns=len(warming))


def import_methods(methods: Sequence[str]) -> None:
    """Load all that training by these methods needs, which takes seconds the first time."""
    importlib.import_module("trainables.session")
    for method in methods:
        load(METHODS[method].build)
