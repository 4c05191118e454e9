"""Default GPU fraction per job, measured by a short training run on a GPU of the cluster.

A whole device per job would leave most of its memory unused. The fraction is measured once, when a sweep on GPUs
starts, and frozen in its plan. The run takes place on a worker: a head has no GPU.
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

_STEPS = 2  # the first allocates the optimizer state; from the second on it coexists with activations
_PROCESS_BYTES = 0.75e9  # CUDA context and kernels of each process, which torch does not count
_HEADROOM = 1.25  # for what two steps do not show: other crops, fragmentation
_MOST_ON_ONE = 4  # jobs on one GPU also share its compute; beyond a few, each only takes longer


def measured_share(plan: Plan, corpus: Any, artifacts: Artifacts) -> float:
    """The fraction of a GPU for each job of this plan; the plan's own value where every job depends on a stage.

    Waits for a free GPU. Needs `ray_session` and `require_capacity`. Raises `UserError` where a job does not fit on
    the smallest GPU, or training fails on it.
    """
    tried = probes(plan)
    if not tried:
        return plan.gpus_per_trial
    job_bytes = _on_a_gpu(_reserved_bytes, tried, corpus, artifacts)
    gpu_bytes = min(_bytes_of_each_gpu())
    share = fitting_share(job_bytes, gpu_bytes, _jobs_by_cores(plan))
    print(
        f"GPU        {share:g} for each job: its training takes {job_bytes / 1e9:.1f} GB, the smallest GPU has "
        f"{gpu_bytes / 1e9:.1f} GB",
        file=sys.stderr,
        flush=True,
    )
    return share


def fitting_share(job_bytes: float, gpu_bytes: float, most: int = _MOST_ON_ONE) -> float:
    """1/n where n jobs fit into a GPU's memory, n at most `most`; rounded down, so that n shares never exceed 1.

    Raises `UserError` where not even one job fits.
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
    """A short job for every candidate that depends on no stage, since none has been computed yet.

    Initial weights do not change a job's memory. A few validation clips show what inference needs.
    """
    tried = []
    for group in plan.groups:
        for candidate in group.candidates:
            job = Job(group.name, "final", candidate.label, plan.seeds[0])
            assignment = plan.assignment(job, plan.anchor(group, candidate), attempt=1)
            if not assignment.stages:
                tried.append(_shortened(assignment))
    return tried


def _shortened(assignment: Assignment) -> Assignment:
    """With SI-SDR, which is cheap; other metrics may reject the estimates of an untrained network."""
    data = replace(assignment.data, valid_seconds=assignment.data.evaluation_clip_seconds)
    return replace(assignment, steps=_STEPS, round_steps=_STEPS, data=data, metric="si_sdr")


def _jobs_by_cores(plan: Plan) -> int:
    """How many jobs per GPU the CPU cores can feed, on the machine with the fewest cores per GPU."""
    return min(int(machine["CPU"] / machine["GPU"] / plan.cpus_per_trial) for machine in gpu_machines())


def _on_a_gpu(work: Any, *arguments: Any) -> Any:
    import ray

    try:
        return ray.get(ray.remote(num_cpus=1, num_gpus=1, max_calls=1)(work).remote(*arguments))
    except ray.exceptions.RayError as error:
        cause = getattr(error, "cause", None) or error  # of a task; a lost worker has none
        raise UserError(
            f"a job of this preset cannot train on a GPU of the cluster: {type(cause).__name__}: "
            f"{str(cause).splitlines()[0]}"
        ) from error


def _bytes_of_each_gpu() -> list[int]:
    """One device's memory on every GPU machine alive; machines not started yet are unknown."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    nodes = [node["NodeID"] for node in ray.nodes() if node["Alive"] and node["Resources"].get("GPU", 0) > 0]
    task = ray.remote(num_cpus=0, num_gpus=0.01)(_device_bytes)
    return ray.get(
        [task.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote() for node in nodes]
    )


def _reserved_bytes(tried: Sequence[Assignment], corpus: Any, artifacts: Artifacts) -> int:
    """Peak device memory that torch reserved, in bytes, over all these jobs."""
    import torch

    for assignment in tried:
        train_briefly(assignment, corpus, artifacts)
        torch.cuda.empty_cache()
    return torch.cuda.max_memory_reserved()


def train_briefly(assignment: Assignment, corpus: Any, artifacts: Artifacts) -> dict[str, Any]:
    """The report of a job's first round: training, and inference on valid."""
    from trainables.base.determinism import make_deterministic
    from trainables.session import TrainingSession

    make_deterministic(assignment.threads, assignment.device)
    return TrainingSession(assignment, corpus, artifacts).run_round()


def _device_bytes() -> int:
    import torch

    return torch.cuda.get_device_properties(0).total_memory
