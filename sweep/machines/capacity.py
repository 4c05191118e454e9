"""Whether a trial can ever run: asked before anything else does, for Ray itself would wait for ever.

What counts is one machine: one that is there, or one of a kind that the cluster's autoscaler may start.
"""

import contextlib
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from sweep.machines.ray_session import ray_session
from sweep.plan.plan import Plan
from trainables.base.errors import UserError

Resources = Mapping[str, float]

# `ray up` is back when the head is up; its machines install their packages first, and come one by one.
_FIRST_MACHINE_SECONDS = 900.0
_BETTER_MACHINE_SECONDS = 60.0
_LOOK_SECONDS = 2.0
_ROOM_SECONDS = 10.0  # between looks at how many trials a running sweep has room for
# Trials that wait in a cluster at least: many autoscalers do not tell what they may start, and start machines only
# for what waits. Few, for they count as running.
_ASKED_FOR = 4


def require_room(plan: Plan) -> None:
    """Return once a trial of the plan fits somewhere. Raises `UserError` if none ever will. Needs `ray_session`."""
    needed = _needed(plan)
    if _any_fits(needed, machines := _machines()):
        return
    if not _patience(machines):
        raise UserError(_no_room(needed, machines))
    print(f"cluster    waiting for a machine with {_words(needed)}", file=sys.stderr, flush=True)
    with _asked_for(needed):
        _wait_for_room(needed)


def _wait_for_room(needed: Resources) -> None:
    start = time.monotonic()
    while not _any_fits(needed, machines := _machines()):
        if time.monotonic() - start >= _patience(machines):
            raise UserError(_no_room(needed, machines))
        time.sleep(_LOOK_SECONDS)


@contextlib.contextmanager
def _asked_for(needed: Resources) -> Iterator[None]:
    """Meanwhile a place of that size waits, which goes with this process: autoscalers start machines for what waits."""
    import ray

    place = ray.util.placement_group([{name: amount for name, amount in needed.items() if amount}])
    try:
        yield
    finally:
        ray.util.remove_placement_group(place)


def trials_at_once(plan: Plan) -> int:
    """How many trials of the plan fit on the machines that are there now. Needs `ray_session`."""
    return sum(_trials_on(machine, _needed(plan)) for machine in _alive())


class Room:
    """How many trials of a plan may be asked for at once, as machines come and go. Needs `ray_session`.

    It is cheap to ask at every turn of a loop: the cluster is looked at again only every few seconds.
    """

    def __init__(self, plan: Plan, clock: Callable[[], float] = time.monotonic) -> None:
        self._plan = plan
        self._jobs = sum(1 for _ in plan.all_jobs())
        self._clock = clock
        self._looked = -math.inf
        self._trials = 0

    def waiting(self, running: int) -> int:
        """How many more may wait for their place; those that wait are what an autoscaler starts machines for."""
        now = self._clock()
        if now - self._looked >= _ROOM_SECONDS:
            self._looked, self._trials = now, int(min(_trials_in_time(self._plan), self._jobs))
        least = _ASKED_FOR if os.environ.get("RAY_ADDRESS") else 1
        return max(least, self._trials - running)


def _trials_in_time(plan: Plan) -> float:
    """Those that fit on the machines that are there, or on all that may be started: these count the former in."""
    needed = _needed(plan)
    startable = sum(kind.most * trials for kind in _kinds() if (trials := _trials_on(kind.resources, needed)))
    return max(trials_at_once(plan), startable)


def _trials_on(machine: Resources, needed: Resources) -> int:
    return int(min(machine.get(name, 0.0) / amount for name, amount in needed.items() if amount))


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
    machines = [*_alive(), *(kind.resources for kind in _kinds())]
    return [machine for machine in machines if machine.get("CPU", 0) > 0]


def _alive() -> list[Resources]:
    import ray

    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


class _Kind(NamedTuple):
    """A kind of machine, and how many of it there may be."""

    resources: Resources
    most: float


def _kinds() -> list[_Kind]:
    """The kinds of machine that the autoscaler says it may start; none where there is no autoscaler."""
    from ray._private.state import state

    declared: Any = state.get_cluster_config()
    kinds = declared.node_group_configs if declared else []
    counted = ((dict(kind.resources), kind.max_count) for kind in kinds)
    return [_Kind(machine, math.inf if most < 0 else most) for machine, most in counted if most != 0]


def _words(resources: Resources) -> str:
    """ "8 CPU, 1 GPU"."""
    return f"{resources.get('CPU', 0):g} CPU, {resources.get('GPU', 0):g} GPU"
