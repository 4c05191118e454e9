"""Whether and how many trials fit into the cluster; Ray itself would wait forever for a trial that fits nowhere.

A trial must fit on one machine: one that is alive, or of a kind that the cluster's autoscaler may start.
"""

import contextlib
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from sweep.machines.ray_session import cluster_address, ray_session
from sweep.plan.plan import Plan
from trainables.base.errors import UserError

Resources = Mapping[str, float]

# Without a machine joining: `ray up` returns when the head is up; workers install their packages first and join one by
# one, on a busy network minutes apart.
_FIRST_MACHINE_SECONDS = 900.0
_BETTER_MACHINE_SECONDS = 120.0
_POLL_SECONDS = 2.0
_REFRESH_SECONDS = 10.0  # between queries of the capacity during a sweep
# Pending trials at least, in a cluster: many autoscalers do not declare what they may start, and start machines only
# for pending trials. Few, since Tune counts them as running.
_MIN_PENDING = 4


def require_capacity(plan: Plan) -> None:
    """Return once a trial of the plan fits somewhere. Raises `UserError` if none ever will. Needs `ray_session`."""
    needed = _needed(plan)
    if _any_fits(needed, machines := _machines()):
        return
    if not _patience(machines):
        raise UserError(_fits_nowhere(needed, machines))
    print(f"cluster    waiting for a machine with {_words(needed)}", file=sys.stderr, flush=True)
    joined, known = time.monotonic(), len(machines)
    with _pending_request(needed):
        while not _any_fits(needed, machines := _machines()):
            if len(machines) > known:
                joined = time.monotonic()
            known = len(machines)
            if time.monotonic() - joined >= _patience(machines):
                raise UserError(_fits_nowhere(needed, machines))
            time.sleep(_POLL_SECONDS)


@contextlib.contextmanager
def _pending_request(needed: Resources) -> Iterator[None]:
    """A pending placement group of that size, which makes autoscalers start machines; it ends with this process."""
    import ray

    group = ray.util.placement_group([{name: amount for name, amount in needed.items() if amount}])
    try:
        yield
    finally:
        ray.util.remove_placement_group(group)


def trials_at_once(plan: Plan) -> int:
    """How many trials of the plan fit on the machines that are alive. Needs `ray_session`."""
    return sum(_trials_on(machine, _needed(plan)) for machine in _alive())


class TrialCapacity:
    """How many trials of a plan may be pending, as machines come and go. Needs `ray_session`.

    Cheap to call in a loop: the cluster is queried only every few seconds.
    """

    def __init__(self, plan: Plan, clock: Callable[[], float] = time.monotonic) -> None:
        self._plan = plan
        self._jobs = sum(1 for _ in plan.all_jobs())
        self._clock = clock
        self._queried = -math.inf
        self._trials = 0

    def pending_limit(self, running: int) -> int:
        """How many trials may be pending besides the `running` ones; autoscalers start machines for pending trials."""
        now = self._clock()
        if now - self._queried >= _REFRESH_SECONDS:
            self._queried, self._trials = now, int(min(_max_trials(self._plan), self._jobs))
        least = _MIN_PENDING if cluster_address() else 1
        return max(least, self._trials - running)


def _max_trials(plan: Plan) -> float:
    """Trials that fit on the machines alive, or on all that may be started if more (these include those alive)."""
    needed = _needed(plan)
    startable = sum(kind.max_count * trials for kind in _kinds() if (trials := _trials_on(kind.resources, needed)))
    return max(trials_at_once(plan), startable)


def _trials_on(machine: Resources, needed: Resources) -> int:
    return int(min(machine.get(name, 0.0) / amount for name, amount in needed.items() if amount))


def gpu_machines() -> list[Resources]:
    """Machines with a GPU, alive or startable. Needs `ray_session`."""
    return [machine for machine in _machines() if machine.get("GPU", 0) > 0]


def cluster_has_gpus(environ: Mapping[str, str]) -> bool:
    """Whether the cluster at RAY_ADDRESS has a worker with a GPU, or may start one. Takes seconds.

    Raises `UserError` where the cluster cannot be joined.
    """
    if not cluster_address(environ):
        return False
    with ray_session():
        return bool(gpu_machines())


def _needed(plan: Plan) -> Resources:
    """The resources of a trial."""
    return {"CPU": plan.cpus_per_trial, "GPU": plan.gpus_per_trial}


def _patience(machines: list[Resources]) -> float:
    """Seconds to wait for further machines; a private Ray never gets any."""
    if not cluster_address():
        return 0.0
    return _BETTER_MACHINE_SECONDS if machines else _FIRST_MACHINE_SECONDS


def _any_fits(needed: Resources, machines: list[Resources]) -> bool:
    return any(all(machine.get(name, 0.0) >= amount for name, amount in needed.items()) for machine in machines)


def _fits_nowhere(needed: Resources, machines: list[Resources]) -> str:
    """One line with the resources needed, those available, and the remedy."""
    there = "; ".join(sorted({_words(machine) for machine in machines})) or "no machine that may train"
    return (
        f"no machine of this cluster can run a trial, which takes {_words(needed)}; there is: {there}. "
        "Choose a smaller --gpus-per-trial (0 trains on CPUs), or add machines"
    )


def may_grow() -> bool:
    """Whether the cluster starts machines by itself."""
    return bool(_kinds())


def _machines() -> list[Resources]:
    """The resources of each machine alive and of each startable kind; a head without CPUs does not count."""
    machines = [*_alive(), *(kind.resources for kind in _kinds())]
    return [machine for machine in machines if machine.get("CPU", 0) > 0]


def _alive() -> list[Resources]:
    import ray

    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


class _Kind(NamedTuple):
    """A kind of machine that the autoscaler may start."""

    resources: Resources
    max_count: float


def _kinds() -> list[_Kind]:
    """The kinds of machine that the autoscaler declares; none without an autoscaler."""
    from ray._private.state import state

    declared: Any = state.get_cluster_config()
    kinds = declared.node_group_configs if declared else []
    counted = ((dict(kind.resources), kind.max_count) for kind in kinds)
    return [_Kind(machine, math.inf if most < 0 else most) for machine, most in counted if most != 0]


def _words(resources: Resources) -> str:
    """ "8 CPU, 1 GPU"."""
    return f"{resources.get('CPU', 0):g} CPU, {resources.get('GPU', 0):g} GPU"
