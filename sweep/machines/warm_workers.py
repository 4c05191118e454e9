"""Has a private Ray's workers import the training code while the driver still gets ready.

Importing torch and transformers takes each worker seconds, and until the first job all cores but one are idle. Ray
keeps workers that ran a task for other tasks: those that are warm compute the stages and infer test estimates. (An
actor always gets a process of its own.)
"""

import importlib
import os
from collections.abc import Sequence

import ray

from sweep.machines.capacity import trials_at_once
from sweep.plan.plan import Plan
from trainables.base.plugins import load
from trainables.config.registry import METHODS


def warm_workers(plan: Plan) -> list[ray.ObjectRef]:
    """As many workers as will work at once, and no more than there are finalists to infer; never waits.

    A cluster's workers are left alone.
    """
    if os.environ.get("RAY_ADDRESS"):
        return []
    finalists = sum(len(plan.final_jobs(group.name)) for group in plan.groups)
    return [_import_method.remote(plan.method_name()) for _ in range(min(trials_at_once(plan), finalists))]


def wait_until_warm(warming: Sequence[ray.ObjectRef]) -> None:
    """For whoever wants those workers now: a task that came earlier would get a cold one."""
    if warming:
        ray.wait(list(warming), num_returns=len(warming))


@ray.remote(num_cpus=0, max_retries=0)
def _import_method(method: str) -> None:
    """Takes no CPU from the first jobs of a sweep whose stages are all there."""
    import_method(method)


def import_method(method: str) -> None:
    """Load all that training by this method needs, which takes seconds the first time."""
    importlib.import_module("trainables.session")
    load(METHODS[method].build)
