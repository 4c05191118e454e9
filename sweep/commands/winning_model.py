"""Finds and loads a finished sweep's winner, for `sweep.winners`, which defines it, and for `enhance`."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweep.core.jobs import Job
from sweep.core.next_command import typed
from sweep.plan.plan import Plan
from sweep.storage.checkpoints import StoredCheckpoints
from sweep.storage.stage_store import stage_store
from sweep.stored.by_name import is_there, join, name_and_base, sweep_name
from sweep.stored.missing_stages import require_stages
from sweep.stored.reading import base_of, read_result, read_rows, stored_sweep
from sweep.tracking.run_lookup import job_of_run, sweep_of_run
from sweep.verdict.paired_scores import group_rows
from sweep.verdict.result import Result, group_name
from trainables.base.cache import using_cache
from trainables.base.errors import UserError
from trainables.base.storage.storage import Storage
from trainables.metrics.catalogue import merit

if TYPE_CHECKING:
    from trainables.enhancer import Enhancer


def load_winner(run_or_name: str, group: str | None = None, output: str | None = None) -> "Enhancer":
    """The model of a group's leader; `group` may be left out if there is only one.

    `run_or_name` is a sweep's name, or the id of an MLflow run of a sweep, a candidate or a finalist (which is then
    loaded itself). `output` is the folder or s3:// prefix that holds the sweep. Raises `UserError`.
    """
    from trainables.enhancer import Enhancer

    plan, storage, job = find_winner(run_or_name, group, output)
    stored = StoredCheckpoints(storage).newest(job.path)
    if stored is None or stored[0] < plan.steps_of(job.group):
        raise UserError(
            f"{job.path} of sweep {plan.name!r} has no checkpoint at its last step: only finalists keep theirs, "
            f"until {typed('clean')} frees it"
        )
    result = read_result(plan, storage)
    assignment = plan.assignment(job, _chosen(result, job), attempt=1)
    artifacts = stage_store(plan.output)
    with using_cache():
        require_stages(plan, assignment, artifacts)
        return Enhancer.of(assignment, artifacts, stored[1])


def find_winner(run_or_name: str, group: str | None = None, output: str | None = None) -> tuple[Plan, Storage, Job]:
    """The sweep's plan and files, and the finalist to load."""
    run_or_name, base = name_and_base(run_or_name, base_of(output), Path.cwd())
    if is_there(join(base, sweep_name(run_or_name))):
        return _leader(*stored_sweep(run_or_name, base), group)
    run = job_of_run(run_or_name, base)
    if run is None:
        stored_sweep(run_or_name, base)  # raises, naming the sweeps there are
        raise UserError(f"no sweep and no MLflow run {run_or_name!r} in {base}")
    folder = sweep_of_run(run, base)
    if folder is None:
        raise UserError(
            f"run {run_or_name} is of a sweep named {run.sweep!r} that is not in {base}: its --output is the folder "
            "above the one that its parent run names (tag speech_sweep.output)"
        )
    plan, storage = stored_sweep(folder, base)
    if not run.job:
        return _leader(plan, storage, group)
    if group is not None:
        raise UserError(f"run {run_or_name} is {run.sweep}/{run.job}: leave --group {group} out")
    if run.job.startswith("candidates/"):
        _, of_group, label = run.job.split("/")
        return plan, storage, best_seed(plan, storage, of_group, label)
    return plan, storage, Job.parse(run.job)


def _leader(plan: Plan, storage: Storage, group: str | None) -> tuple[Plan, Storage, Job]:
    result = read_result(plan, storage)
    leaders = {group_name(entry["group"]): entry["leader"]["label"] for entry in result["groups"]}
    if group is None and len(leaders) > 1:
        raise UserError(f"sweep {plan.name!r} has a leader for each of {', '.join(leaders)}: give --group")
    chosen = next(iter(leaders)) if group is None else group
    if chosen not in leaders:
        raise UserError(f"--group {chosen}: sweep {plan.name!r} has {', '.join(leaders)}")
    return plan, storage, best_seed(plan, storage, chosen, leaders[chosen])


def best_seed(plan: Plan, storage: Storage, group: str, label: str) -> Job:
    """The candidate's finalist with the best mean of the deciding metric on valid; the first where equal."""
    rows = group_rows(read_rows(plan, storage, "valid"), group)
    scored = rows["candidate"].eq(label) & rows["metric"].eq(plan.metric) & rows["status"].eq("ok")
    means = rows[scored].groupby("seed")["value"].mean().round(9).map(partial(merit, plan.metric))
    if means.empty:
        raise UserError(f"no finalist of {group} {label} in sweep {plan.name!r} has a score on valid")
    return Job(group, "final", label, int(str(means.idxmax())))


def _chosen(result: Result, job: Job) -> dict[str, Any]:
    """The candidate's whole configuration: its own fields and those its search chose."""
    group = next(entry for entry in result["groups"] if group_name(entry["group"]) == job.group)
    return next(entry["config"] for entry in group["candidates"] if entry["label"] == job.candidate)
