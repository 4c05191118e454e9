"""How much of a GPU one job gets where nobody said: measured by training a little on a GPU of the cluster.

A whole device for each job would leave most of its memory empty. Asked once, when a sweep at scale begins, and
frozen in its plan. The device is a worker's: a head has none.
"""

import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sweep.core.jobs import Job
from sweep.machines.capacity import gpu_machines
from sweep.plan.plan import Plan
from trainables.base.errors import UserError
from trainables.job.assignment import Assignment
from trainables.job.stages import Artifacts

_STEPS = 2  # the optimizer's own memory is taken in the first, beside the activations only from the second on
_PROCESS_BYTES = 0.75e9  # CUDA's context and kernels in each process, which torch does not count
_HEADROOM = 1.25  # for what two steps do not show: other crops, fragments
_MOST_ON_ONE = 4  # jobs side by side share its arithmetic too; past a few, each only takes longer


def measured_share(plan: Plan, corpus: Any, artifacts: Artifacts) -> float:
    """The part of a GPU that each job of this plan gets; the plan's own where no job can be tried out alone.

    Waits for a free GPU. Needs `ray_session` and room for a trial. Raises `UserError` where a job does not fit on
    the smallest GPU, or training fails on it.
    """
    tried = probes(plan)
    if not tried:
        return plan.gpus_per_trial
    job_bytes = _on_a_gpu(_reserved_bytes, tried, corpus, artifacts)
    gpu_bytes = min(_on_each_gpu_machine(_device_bytes))
    share = fitting_share(job_bytes, gpu_bytes, _jobs_by_cores(plan))
    print(
        f"GPU        {share:g} for each job: its training takes {job_bytes / 1e9:.1f} GB, the smallest GPU has "
        f"{gpu_bytes / 1e9:.1f} GB",
        file=sys.stderr,
        flush=True,
    )
    return share


def fitting_share(job_bytes: float, gpu_bytes: float, most: int = _MOST_ON_ONE) -> float:
    """One part of as many as fit side by side into a GPU's memory, `most` at most.

    Rounded down, so that as many parts are never more than the whole. Raises `UserError` where not one fits.
    """
    needed = job_bytes * _HEADROOM + _PROCESS_BYTES
    fitting = int(gpu_bytes // needed)
    if fitting < 1:
        raise UserError(
            f"a job of this preset takes about {needed / 1e9:.1f} GB and the smallest GPU of the cluster has "
            f"{gpu_bytes / 1e9:.1f} GB: give it larger ones, or choose a smaller preset"
        )
    return math.floor(10_000 / max(1, min(fitting, most, _MOST_ON_ONE))) / 10_000


def probes(plan: Plan) -> list[Assignment]:
    """A short job for every candidate that rests on no stage, since none is computed yet.

    What a candidate starts from does not change what it takes. A few clips of valid show what inference takes.
    """
    tried = []
    for group in plan.groups:
        for candidate in group.candidates:
            start = plan.space_object().anchor(group.group, candidate, plan.preset_object())
            job = Job(group.name, "final", candidate.label, plan.seeds[0])
            assignment = plan.assignment(job, start, attempt=1)
            if not assignment.stages:
                tried.append(_shortened(assignment))
    return tried


def _shortened(assignment: Assignment) -> Assignment:
    """A cheap metric, since estimates of an untrained network need not be speech to all of them."""
    data = replace(assignment.data, valid_seconds=assignment.data.evaluation_clip_seconds)
    return replace(assignment, steps=_STEPS, round_steps=_STEPS, data=data, metric="si_sdr")


def _jobs_by_cores(plan: Plan) -> int:
    """How many jobs the cores beside a GPU can feed, on the machine with the fewest."""
    return min(int(machine["CPU"] / machine["GPU"] / plan.cpus_per_trial) for machine in gpu_machines())


def _on_a_gpu(work: Any, *arguments: Any) -> Any:
    import ray

    try:
        return ray.get(ray.remote(num_cpus=1, num_gpus=1, max_calls=1)(work).remote(*arguments))
    except ray.exceptions.RayTaskError as error:
        raise UserError(
            f"a job of this preset cannot train on a GPU of the cluster: {type(error.cause).__name__}: "
            f"{str(error.cause).splitlines()[0]}"
        ) from error


def _on_each_gpu_machine(work: Any) -> list[Any]:
    """What it returns on every machine that is there; those that may still be started are not known."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    there = [node["NodeID"] for node in ray.nodes() if node["Alive"] and node["Resources"].get("GPU", 0) > 0]
    task = ray.remote(num_cpus=0, num_gpus=0.01)(work)
    return ray.get(
        [
            task.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote()
            for node in there
        ]
    )


def _reserved_bytes(tried: Sequence[Assignment], corpus: Any, artifacts: Artifacts) -> int:
    """The most that torch took from the device for any of these jobs."""
    import torch

    for assignment in tried:
        train_briefly(assignment, corpus, artifacts)
        torch.cuda.empty_cache()
    return torch.cuda.max_memory_reserved()


def train_briefly(assignment: Assignment, corpus: Any, artifacts: Artifacts) -> None:
    """All that a job does to its device: training, and inference on valid."""
    from trainables.base.determinism import make_deterministic
    from trainables.session import TrainingSession

    make_deterministic(assignment.threads, assignment.device)
    TrainingSession(assignment, corpus, artifacts).run_round()


def _device_bytes() -> int:
    import torch

    return torch.cuda.get_device_properties(0).total_memory
