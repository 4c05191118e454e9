"""What each candidate costs to run, measured of one of its finalists when nothing trains, once per sweep.

In a Ray task of its own, so that the driver never imports torch; the candidates of a group take turns there. What was
measured is kept in the sweep's storage: a later start, which may add seeds or groups, measures only what is new.
"""

import contextlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from sweep.core.hardware import cpu_model
from sweep.core.jobs import Job
from sweep.core.next_command import typed
from sweep.core.outage import say_on_standard_error
from sweep.core.stopping import StopSignal
from sweep.machines.workers import Workers
from sweep.plan.plan import Plan
from sweep.report.findings.costs import Running, RunningCost, costs
from sweep.storage.checkpoints import StoredCheckpoints
from sweep.storage.stage_store import stage_store
from sweep.stored import layout
from sweep.stored.missing_stages import require_stages
from sweep.stored.reading import open_study
from sweep.verdict.result import CandidateCost
from trainables.base.cache import using_cache
from trainables.base.errors import UserError
from trainables.base.storage.storage import Storage
from trainables.job.assignment import Assignment

_POLL_SECONDS = 0.5

Measured = dict[str, dict[str, RunningCost]]


def measured_once(
    finalists: Sequence[tuple[Job, Assignment]],
    storage: Storage,
    checkpoints: Any,
    artifacts: Any,
    stop: StopSignal,
    workers: Workers | None = None,
) -> Running:
    """Of every candidate that has a finalist here; of none where it failed, which costs no sweep its answer.

    `workers` are started if there is one to measure; None: Ray runs. Raises `Interrupted` if the sweep is to stop.
    """
    import ray

    known: Measured = {}
    with contextlib.suppress(FileNotFoundError, ValueError):  # a damaged file is measured again
        known = json.loads(storage.read(layout.COSTS))
    for group, missing in _first_finalists(finalists).items():
        new = {label: assignment for label, assignment in missing.items() if label not in known.get(group, {})}
        if not new:
            continue
        stop.check()
        (workers or Workers()).start()
        task = ray.remote(num_cpus=1)(measure).remote(new, checkpoints, artifacts)
        while not ray.wait([task], timeout=_POLL_SECONDS)[0]:
            stop.check()
        try:
            found: dict[str, RunningCost] = ray.get(task)
        except Exception as error:  # of the method, of Ray, or a worker out of memory
            why = str(error).strip().splitlines()[-1:]
            say_on_standard_error(f"the costs of running {group}'s candidates could not be measured: {''.join(why)}")
            continue
        known[group] = {**known.get(group, {}), **found}
        storage.write(layout.COSTS, json.dumps(known, indent=1).encode())
    return known


def measure(assignments: Mapping[str, Assignment], checkpoints: Any, artifacts: Any) -> dict[str, RunningCost]:
    """Of these finalists by their candidates' labels, in this process.

    Raises:
        RuntimeError: one has no checkpoint any more.
    """
    from trainables.complexity import running_costs

    found = running_costs(list(assignments.values()), checkpoints, artifacts)
    return {
        label: {
            "parameters": cost.complexity.parameters,
            "mac_per_second": cost.complexity.mac_per_second,
            "uncounted": list(cost.complexity.uncounted),
            "cpu": cpu_model(),
            "real_time_factor": cost.real_time_factor,
            "real_time_factor_spread": cost.real_time_factor_spread,
        }
        for label, cost in zip(assignments, found, strict=True)
    }


def costs_now(plan: Plan, storage: Storage) -> list[CandidateCost]:
    """Of a finished sweep of any space, measured in this process; nothing is stored.

    Raises `UserError` where a finalist's weights, or what they rest on, are no longer there.
    """
    with open_study(plan) as study:
        records = study.all_records(plan)
    finals = [record for record in records if record.job.phase == "final" and record.state == "complete"]
    assigned = [(record.job, plan.assignment(record.job, record.nuisance, attempt=1)) for record in finals]
    artifacts, running = stage_store(plan.output), dict[str, dict[str, RunningCost]]()
    with using_cache():
        for group, assignments in _first_finalists(assigned).items():
            for assignment in assignments.values():
                require_stages(plan, assignment, artifacts)
            try:
                running[group] = measure(assignments, StoredCheckpoints(storage), artifacts)
            except RuntimeError as error:
                raise UserError(f"{error}: finalists keep theirs until {typed('clean')} frees them") from error
    return costs(plan, records, running)


def _first_finalists(finalists: Sequence[tuple[Job, Assignment]]) -> dict[str, dict[str, Assignment]]:
    """By group and candidate, that of the lowest seed: seeds differ in no cost."""
    found: dict[str, dict[str, Assignment]] = {}
    for job, assignment in sorted(finalists, key=lambda finalist: finalist[0].number):
        found.setdefault(job.group, {}).setdefault(job.candidate, assignment)
    return found
