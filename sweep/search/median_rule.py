"""When a search trial may be stopped before it has used its budget: Optuna's median rule, made deterministic.

The rule: stop if the best score so far is below the median of the others' scores at this step. Optuna's own
MedianPruner is the reference in the tests; it would copy every trial into a study at every report.

A trial is compared only with trials of the same candidate, from earlier generations, at the same step: all of
these have ended before it began, so the decision cannot depend on who finished first. Nothing is stopped
before half its budget, and the first few trials of every candidate never are.

A score is a mean over the clips that could be scored, so whoever falls silent on the hard ones would look better:
where failures differ, only scores with the fewest of them count.
"""

import math
from collections.abc import Sequence

from sweep.core.jobs import Job
from sweep.plan.plan import Plan
from sweep.search.proposals import generation_of
from sweep.study.study import JobRecord


def should_stop(records: Sequence[JobRecord], job: Job, step: int, plan: Plan) -> bool:
    """Whether `job`, whose own record holds its scores up to `step`, is worse than the median of its peers.

    `records` are of the job's group and phase; those that may not be compared are left out here.
    """
    if job.phase != "search" or not plan.steps / 2 <= step < plan.steps:
        return False
    candidates = len(plan.group_plan(job.group).candidates)
    if job.number // candidates < plan.exempt:
        return False
    own, peers = _split(records, job, plan)
    theirs = [report for peer in peers if (report := peer.report_at(step)) is not None]
    mine = [report for report in own.reports if report.step <= step]
    if not theirs:
        return False
    fewest = min(report.failed_clips for report in (*theirs, *mine))
    at_step = [report.score for report in theirs if report.failed_clips == fewest]
    best = max((report.score for report in mine if report.failed_clips == fewest), default=-math.inf)
    return bool(at_step) and best < _median(at_step)


def _median(scores: Sequence[float]) -> float:
    """In NumPy's form; on a short list NumPy itself would take longer than all the rest of a report."""
    ordered = sorted(scores)
    low, high = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    return high - (high - low) * 0.5


def _split(records: Sequence[JobRecord], job: Job, plan: Plan) -> tuple[JobRecord, list[JobRecord]]:
    """The job's own record, and those with a whole budget that it is compared with."""
    same = [record for record in records if record.job.candidate == job.candidate]
    own = next(record for record in same if record.job == job)
    complete = [record for record in same if record.state == "complete"]
    if plan.asynchronous:
        return own, complete
    generation = generation_of(job, plan)
    return own, [record for record in complete if record.generation < generation]
