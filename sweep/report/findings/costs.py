"""What each candidate costs next to what it scores, and what was the same for all, where they are of several methods.

Candidates of one method differ in a few fields; those of several differ in size and speed, too, and a score alone would
hide it. Costs decide nothing.
"""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import TypedDict

from sweep.plan.audio import audio_of
from sweep.plan.plan import Plan
from sweep.study.study import JobRecord
from sweep.verdict.result import CandidateCost


class RunningCost(TypedDict):
    """Measured of a finalist: see `trainables.complexity`."""

    parameters: int
    mac_per_second: float | None
    uncounted: list[str]
    cpu: str
    real_time_factor: float
    real_time_factor_spread: float


Running = Mapping[str, Mapping[str, RunningCost]]  # by group and candidate


def costs(plan: Plan, records: Sequence[JobRecord], running: Running) -> list[CandidateCost]:
    """One entry per group and candidate that has a complete finalist; `running` may lack some."""
    finals = [record for record in records if record.job.phase == "final" and record.state == "complete"]
    found = []
    for group in plan.groups:
        for candidate in group.candidates:
            mine = [r for r in finals if (r.job.group, r.job.candidate) == (group.name, candidate.label)]
            if mine:
                cost = running.get(group.name, {}).get(candidate.label)
                found.append(_entry(plan, mine, cost))
    return found


def _entry(plan: Plan, finals: Sequence[JobRecord], running: RunningCost | None) -> CandidateCost:
    job = finals[0].job
    seconds = _training_seconds(finals)
    on_gpu = plan.device == "cuda"
    return {
        "group": job.group,
        "candidate": job.candidate,
        "method": plan.method_of(plan.candidate(job.group, job.candidate)),
        "audio_seconds": audio_of(plan, job.group, plan.parsed(job.group, job.candidate, finals[0].nuisance)),
        "trials": plan.samples,
        "parameters": running["parameters"] if running else None,
        "mac_per_second": running["mac_per_second"] if running else None,
        "uncounted": running["uncounted"] if running else [],
        "machine": {
            "cpu": running["cpu"] if running else "",
            "real_time_factor": running["real_time_factor"] if running else None,
            "real_time_factor_spread": running["real_time_factor_spread"] if running else None,
            "core_seconds": None if seconds is None or on_gpu else seconds * plan.threads,
            "gpu_seconds": None if seconds is None or not on_gpu else seconds * plan.gpus_per_trial,
        },
    }


def _training_seconds(finals: Sequence[JobRecord]) -> float | None:
    """Of the training steps of one job, without validation: the median over seeds. None where a round has none."""
    rounds = [[report.metrics.get("seconds_train") for report in record.reports] for record in finals]
    known = [sum(seconds) for job in rounds if job and len(seconds := [s for s in job if s is not None]) == len(job)]
    return median(known) if known else None
