"""How the finalists got where they are: validation score against epochs, and when each led the baseline.

Curves are of the deciding metric on the valid set at the end of each round, averaged over the finalists' seeds.
The lead over the baseline, above zero where the candidate is better, is paired by seed; its interval is Student's over
seeds, conditional on the clips of the valid set. How fast a candidate learns is counted in steps until it has the best
value that the baseline reaches with the same seed, seed by seed. Curves decide nothing.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from sweep.plan.plan import Plan
from sweep.study.study import JobRecord
from sweep.verdict.result import Convergence, LearningCurve
from trainables.config.method_config import MethodConfig
from trainables.metrics.catalogue import merit
from trainables.training.epochs import epochs_at


def learning_curves(plan: Plan, records: Iterable[JobRecord]) -> list[LearningCurve]:
    """One entry per group and candidate that has a complete finalist."""
    finished = [record for record in records if record.job.phase == "final" and record.state == "complete"]
    return [curve for group in plan.groups for curve in _of_group(plan, group.name, finished)]


def _of_group(plan: Plan, group: str, records: Sequence[JobRecord]) -> list[LearningCurve]:
    baseline = plan.space_object().baseline
    scores = {c.label: _scores(records, group, c.label) for c in plan.group_plan(group).candidates}
    turned = partial(merit, plan.metric)
    ends = [curve[max(curve)] for curve in scores.get(baseline, {}).values()]
    goal = turned(float(np.mean(ends))) if ends else None
    nuisance = {r.job.candidate: r.nuisance for r in records if r.job.group == group}
    curves: list[LearningCurve] = []
    for label, by_seed in scores.items():
        if not by_seed:
            continue
        steps = sorted(set.intersection(*(set(curve) for curve in by_seed.values())))
        means = [float(np.mean([curve[step] for curve in by_seed.values()])) for step in steps]
        convergence = _convergence(by_seed, scores.get(baseline, {}), turned)
        reached = [step for step, mean in zip(steps, means, strict=True) if goal is not None and turned(mean) >= goal]
        leads = [_lead(by_seed, scores[baseline], step, turned) for step in steps]
        epochs = epoch_counter(plan, group, plan.parsed(group, label, nuisance[label]))
        curves.append(
            {
                "group": group,
                "candidate": label,
                "seeds": len(by_seed),
                "steps": steps,
                "epochs": [epochs(step) for step in steps],
                "score": means,
                "lead": [value for value, _ in leads],
                "lead_interval": [interval for _, interval in leads],
                "switches": switch_epochs(plan, group, label, nuisance[label]),
                "reached_baseline": epochs(reached[0]) if reached else None,
                "convergence": convergence,
            }
        )
    return curves


def _scores(records: Sequence[JobRecord], group: str, label: str) -> dict[int, dict[int, float]]:
    """Seed -> step -> score."""
    mine = (record for record in records if (record.job.group, record.job.candidate) == (group, label))
    return {record.job.number: record.scores for record in mine}


def _lead(
    ours: Mapping[int, Mapping[int, float]],
    theirs: Mapping[int, Mapping[int, float]],
    step: int,
    turned: Callable[[float], float],
) -> tuple[float | None, list[float] | None]:
    seeds = sorted(seed for seed in set(ours) & set(theirs) if step in ours[seed] and step in theirs[seed])
    return mean_and_interval([turned(ours[seed][step]) - turned(theirs[seed][step]) for seed in seeds])


def _convergence(
    ours: Mapping[int, Mapping[int, float]], theirs: Mapping[int, Mapping[int, float]], turned: Callable[[float], float]
) -> Convergence:
    """Seeds are paired: each has a best value of the baseline's own. A step is that of a round's end."""
    steps: list[int | None] = []
    for seed in sorted(set(ours) & set(theirs)):
        goal = max(turned(score) for score in theirs[seed].values())
        steps.append(min((step for step, score in ours[seed].items() if turned(score) >= goal), default=None))
    reached = [step for step in steps if step is not None]
    mean, interval = mean_and_interval(reached) if len(reached) == len(steps) else (None, None)
    return {"steps": steps, "mean": mean, "interval": interval}


def mean_and_interval(differences: Sequence[float]) -> tuple[float | None, list[float] | None]:
    """Mean of paired differences or of steps over seeds, and its 95 % interval where there are two seeds or more."""
    from sweep.verdict.simultaneous import t_above  # and with it scipy

    seeds = len(differences)
    if seeds == 0:
        return None, None
    mean = float(np.mean(differences))
    if seeds < 2:
        return mean, None
    half = float(t_above(0.025, seeds - 1) * np.std(differences, ddof=1) / np.sqrt(seeds))
    return mean, [mean - half, mean + half]


def switch_epochs(plan: Plan, group: str, label: str, nuisance: Mapping[str, Any]) -> list[float]:
    """Where a schedule of the candidate switches, or a phase of its training begins."""
    config = plan.parsed(group, label, dict(nuisance))
    epochs = epoch_counter(plan, group, config)
    return [epochs(share * plan.steps_of(group)) for share in config.phase_switches()]


def epoch_counter(plan: Plan, group: str, config: MethodConfig) -> Callable[[float], float]:
    """From steps of such a job of the group to epochs, as its training counts them."""
    data = config.data_settings(plan.data_of(group))
    split = plan.corpus_summary["splits"][data.source_split("train")]
    stored = plan.corpus_summary.get("kind") == "mixtures"
    utterances = split["utterances"] if data.speakers > 1 else 0  # of single voices the seconds count
    return lambda step: round(epochs_at(step, data, split["speech_seconds"], utterances, stored), 4)
