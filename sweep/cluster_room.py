"""Whether a trial can ever run: asked before anything else does, for Ray itself would wait for ever.

What counts is one machine: one that is there, or one of a kind that the cluster's autoscaler may start.
"""

import os
import sys
import time
from collections.abc import Mapping
from typing import Any

from sweep.plan import Plan
from sweep.ray_session import ray_session
from trainables.errors import UserError

Resources = Mapping[str, float]

# `ray up` is back when the head is up; its machines install their packages first, and come one by one.
_FIRST_MACHINE_SECONDS = 900.0
_BETTER_MACHINE_SECONDS = 60.0
_LOOK_SECONDS = 2.0


def require_room(plan: Plan) -> None:
    """Return once a trial of the plan fits somewhere. Raises `UserError` if none ever will. Needs `ray_session`."""
    needed = _needed(plan)
    start, told = time.monotonic(), False
    while not _any_fits(needed, machines := _machines()):
        if time.monotonic() - start >= _patience(machines):
            raise UserError(_no_room(needed, machines))
        if not told:
            told = True
            print(f"cluster    waiting for a machine with {_words(needed)}", file=sys.stderr, flush=True)
        time.sleep(_LOOK_SECONDS)


def trials_at_once(plan: Plan) -> int:
    """How many trials of the plan fit on the machines that are there now. Needs `ray_session`."""
    needed = {name: amount for name, amount in _needed(plan).items() if amount}
    return sum(
        int(min(machine.get(name, 0.0) / amount for name, amount in needed.items())) for machine in _alive()
    )


def gpu_machines() -> list[Resources]:
    """Those with a GPU, there or to come. Needs `ray_session`."""
    return [machine for machine in _machines() if machine.get("GPU", 0) > 0]


def cluster_has_gpus(environ: Mapping[str, str]) -> bool:
    """Whether a worker of the cluster that RAY_ADDRESS names has a GPU, or one that it may start. Takes seconds.

    Raises `UserError` where that cluster cannot be joined.
    """
    if not environ.get("RAY_ADDRESS"):
        return False
    with ray_session():
        return bool(gpu_machines())


def _needed(plan: Plan) -> Resources:
    """What a trial takes."""
    return {"CPU": plan.cpus_per_trial, "GPU": plan.gpus_per_trial}


def _patience(machines: list[Resources]) -> float:
    """Seconds until what is there counts as all there will be; a private Ray is complete from its start."""
    if not os.environ.get("RAY_ADDRESS"):
        return 0.0
    return _BETTER_MACHINE_SECONDS if machines else _FIRST_MACHINE_SECONDS


def _any_fits(needed: Resources, machines: list[Resources]) -> bool:
    return any(
        all(machine.get(name, 0.0) >= amount for name, amount in needed.items()) for machine in machines
    )


def _no_room(needed: Resources, machines: list[Resources]) -> str:
    """The one line that says what was wanted, what there is, and what to do."""
    there = "; ".join(sorted({_words(machine) for machine in machines})) or "no machine that may train"
    return (
        f"no machine of this cluster can run a trial, which takes {_words(needed)}; there is: {there}. "
        "Choose a smaller --gpus-per-trial (0 trains on CPUs), or add machines"
    )


def may_grow() -> bool:
    """Whether the cluster starts machines by itself."""
    return bool(_kinds())


def _machines() -> list[Resources]:
    """The resources of each machine that is alive, and of each kind that may be started; a mere head is none."""
    return [machine for machine in [*_alive(), *_kinds()] if machine.get("CPU", 0) > 0]


def _alive() -> list[Resources]:
    import ray

    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def _kinds() -> list[Resources]:
    """The kinds of machine that the autoscaler says it may start; none where there is no autoscaler."""
    from ray._private.state import state

    declared: Any = state.get_cluster_config()
    kinds = declared.node_group_configs if declared else []
    return [dict(kind.resources) for kind in kinds if kind.max_count != 0]


def _words(resources: Resources) -> str:
    """ "8 CPU, 1 GPU"."""
    return f"{resources.get('CPU', 0):g} CPU, {resources.get('GPU', 0):g} GPU"
