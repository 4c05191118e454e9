"""From rows to the result: leaders are nominated on valid and frozen, then test, scored once, confirms them or not.

Nominations are written before any test audio is opened and never changed: a resumed sweep keeps its leaders.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from sweep.core.addresses import hide_password
from sweep.core.jobs import Job
from sweep.plan.plan import GroupPlan, Plan
from sweep.report.findings.metric_means import Scores
from sweep.stored import layout
from sweep.stored.rows import Rows
from sweep.study.study import JobRecord
from sweep.verdict.means import seed_means
from sweep.verdict.paired_scores import group_rows, paired_scores
from sweep.verdict.result import GateVerdict, GroupResult, Result
from sweep.verdict.verdict import decide, holm, nominate
from trainables.base.errors import UserError
from trainables.base.storage.storage import Storage

_NOT_DECISIVE = {"models", "name", "identity", "output", "home", "max_hours", "extensions", "study_uri", "tracking_uri"}


@dataclass(frozen=True)
class Finalists:
    """The finalists of a group: the complete ones have rows, the others failed."""

    complete: tuple[Job, ...]
    failed: tuple[tuple[str, int], ...]  # (candidate, seed)
    left_after: Mapping[str, int] = field(default_factory=dict)  # seeds of those that left contention
    remarks: tuple[str, ...] = ()  # on how many seeds there are

    @staticmethod
    def of(
        records: Sequence[JobRecord], left_after: Mapping[str, int] | None = None, remarks: Sequence[str] = ()
    ) -> "Finalists":
        return Finalists(
            complete=tuple(record.job for record in records if record.state == "complete"),
            failed=tuple((r.job.candidate, r.job.number) for r in records if r.state == "failed"),
            left_after=left_after or {},
            remarks=tuple(remarks),
        )

    def seeds(self, plan: Plan) -> tuple[int, ...]:
        """The plan's seeds that any candidate was given."""
        given = {job.number for job in self.complete} | {seed for _, seed in self.failed}
        return tuple(seed for seed in plan.seeds if seed in given)


def plan_hash(plan: Plan) -> str:
    """The hash of all settings that can change the verdict: metric, candidates, seeds, margin, alpha, ..."""
    decisive = {name: value for name, value in plan.to_json().items() if name not in _NOT_DECISIVE}
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:16]


def freeze_nominations(plan: Plan, storage: Storage, rows: Rows, finalists: Mapping[str, Finalists]) -> dict[str, str]:
    """Each group's leader on valid, stored with the plan's hash; a stored nomination never changes.

    Raises `UserError` where no candidate of a group has a score.
    """
    stored: dict[str, str] = {}
    if storage.exists(layout.NOMINATIONS):
        stored = json.loads(storage.read(layout.NOMINATIONS))["leaders"]
    new = [group for group in plan.groups if group.name not in stored]  # added later, with test still unopened
    if not new:
        return stored
    table = pd.DataFrame(rows)
    leaders = stored | {group.name: _leader(plan, group, table, finalists[group.name].failed) for group in new}
    frozen = {
        "leaders": leaders,
        "plan": plan_hash(plan),
        "metric": plan.metric,
        "seeds": list(plan.seeds),
        "margin": plan.margin,
        "alpha": plan.alpha_per_look,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    storage.write(layout.NOMINATIONS, json.dumps(frozen, indent=1).encode())
    return leaders


def _leader(plan: Plan, group: GroupPlan, rows: pd.DataFrame, failed: Sequence[tuple[str, int]]) -> str:
    labels = [candidate.label for candidate in group.candidates]
    leader = nominate(paired_scores(group_rows(rows, group.name), plan.metric, labels, plan.seeds, failed))
    if leader is None:
        raise UserError(f"no candidate has a valid {plan.metric} score: see the failed jobs in the study")
    return leader


def verdicts(
    plan: Plan,
    rows: pd.DataFrame,
    leaders: Mapping[str, str],
    finalists: Mapping[str, Finalists],
    gates: Mapping[str, GateVerdict],
    nuisance: Mapping[tuple[str, str], dict[str, Any]],
) -> list[GroupResult]:
    """One verdict per group, with Holm's correction over all of them.

    `nuisance` gives each (group, candidate) the values its search chose; `gates` each group's gates.
    """
    decided = [
        decide(
            group=group.group,
            rows=group_rows(rows, group.name),
            metric=plan.metric,
            candidates=[
                {
                    "label": candidate.label,
                    "config": {**candidate.config, **nuisance.get((group.name, candidate.label), {})},
                    "baseline": candidate.baseline,
                    "apart": candidate.apart,
                }
                for candidate in group.candidates
            ],
            leader=leaders[group.name],
            seeds=finalists[group.name].seeds(plan),
            margin=plan.margin,
            baseline=plan.space_object().baseline,
            alpha=plan.alpha_per_look,
            failed_jobs=finalists[group.name].failed,
            left_after=finalists[group.name].left_after,
            gates=gates.get(group.name),
        )
        for group in plan.groups
    ]
    for found, group in zip(decided, plan.groups, strict=True):
        found["notes"] += finalists[group.name].remarks
    return holm(decided)


def terms_of_paper(
    plan: Plan, nuisance: Mapping[tuple[str, str], dict[str, Any]]
) -> dict[str, dict[str, dict[str, float]]]:
    """Group -> candidate -> its finalists' settings in the terms of the method's paper."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for (group, candidate), values in nuisance.items():
        terms = plan.parsed(group, candidate, values).paper_terms(plan.steps_of(group))
        if terms:
            found.setdefault(group, {})[candidate] = terms
    return found


def finalist_means(scores: Scores) -> dict[Job, dict[str, float]]:
    """Each finalist's own mean in every metric, for MLflow's columns: their mean over seeds is the leaderboard's."""
    means: dict[Job, dict[str, float]] = {}
    for (group, metric), paired in scores.items():
        for (label, seed), value in seed_means(paired).items():
            means.setdefault(Job(group, "final", label, seed), {})[metric] = value
    return means


def result_object(
    plan: Plan, decided: Sequence[GroupResult], counts: Mapping[str, int], failed: Sequence[JobRecord] = ()
) -> Result:
    """The object that `--json` prints and `result.json` keeps."""
    return {
        "sweep": plan.name,
        "space": plan.space,
        "question": plan.space_object().question,
        "preset": plan.preset,
        "meaningful": plan.meaningful,
        "reproducible": not plan.asynchronous,
        "metric": plan.metric,
        "groups": list(decided),
        "trials": dict(counts),
        "failed": [{"job": record.job.path, "reason": record.reason} for record in failed],
        "corpus": plan.corpus_summary,
        "tracking_uri": hide_password(plan.tracking_uri),
        "output": plan.output,
    }
