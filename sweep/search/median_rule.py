"""Early stopping of search trials: Optuna's median rule, made deterministic.

A trial is pruned if its best score so far is below the median of its peers' scores at this step. The tests compare
with Optuna's MedianPruner, which would need a copy of every trial in a study at every report.

Peers are trials of the same candidate from earlier generations: all of them ended before the trial began, so the
decision does not depend on who finished first. No trial is pruned before half its budget, and the first few trials
of every candidate never are.

A score is a mean over the clips that could be scored, so a model that is silent on the hard clips would look better:
where the numbers of failed clips differ, only scores with the fewest failures count.
"""

import math
from collections.abc import Sequence

from sweep.core.jobs import Job
from sweep.plan.plan import Plan
from sweep.search.proposals import generation_of
from sweep.study.study import JobRecord
from trainables.metrics.catalogue import merit


def should_stop(records: Sequence[JobRecord], job: Job, step: int, plan: Plan) -> bool:
    """Whether `job` at `step` is worse than the median of its peers.

    `records` are of the job's group and phase, its own included; records that are no peers are ignored.
    """
    budget = plan.steps_of(job.group)
    if job.phase != "search" or not budget / 2 <= step < budget:
        return False
    if plan.own_number(job) < plan.exempt:
        return False
    own, peers = _split(records, job, plan)
    theirs = [report for peer in peers if (report := peer.report_at(step)) is not None]
    mine = [report for report in own.reports if report.step <= step]
    if not theirs:
        return False
    fewest = min(report.failed_clips for report in (*theirs, *mine))
    at_step = [merit(plan.metric, report.score) for report in theirs if report.failed_clips == fewest]
    best = max((merit(plan.metric, r.score) for r in mine if r.failed_clips == fewest), default=-math.inf)
    return bool(at_step) and best < _median(at_step)


def _median(scores: Sequence[float]) -> float:
    """Rounded as by NumPy, which on a short list would take longer than the rest of a report."""
    ordered = sorted(scores)
    low, high = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    return high - (high - low) * 0.5


def _split(records: Sequence[JobRecord], job: Job, plan: Plan) -> tuple[JobRecord, list[JobRecord]]:
    """The job's own record, and its peers that used their whole budget."""
    same = [record for record in records if record.job.candidate == job.candidate]
    own = next(record for record in same if record.job == job)
    complete = [record for record in same if record.state == "complete"]
    if plan.asynchronous:
        return own, complete
    generation = generation_of(job, plan)
    return own, [record for record in complete if record.generation < generation]
