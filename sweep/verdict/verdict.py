"""Which candidate is best, for one group: a winner, or an honest tie.

The leader is nominated on valid and frozen; test confirms it or does not. docs/verdict.md describes the procedure
and how to read a tie.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, cast

import numpy as np
import pandas as pd

from sweep.verdict.candidate_result import candidate_result, gain_over_baseline
from sweep.verdict.comparisons import Comparisons, Difference, half_width, resolvable
from sweep.verdict.crossed_effects import CrossedEffects
from sweep.verdict.means import mean
from sweep.verdict.paired_scores import PairedScores, paired_scores
from sweep.verdict.population import by_noise_type, population
from sweep.verdict.result import Gain, Gates, GateVerdict, GroupResult, Holm, Leader, NoisyInput, Spread
from sweep.verdict.simultaneous import holm_adjusted
from trainables.metrics.catalogue import METRICS

MOST_SEEDS = 100  # `seeds_needed` looks no further

Leads = Mapping[str, Difference | None]  # the leader over each rival; None where nothing can be compared


def nominate(paired: PairedScores) -> str | None:
    """The label with the best mean on valid; the earlier candidate where equal, None where none has a score.

    Only candidates that can win are considered, unless there is none: no failed seed, no failed score.
    """
    flawless = [
        label
        for label, count in zip(paired.labels, paired.failures, strict=True)
        if not count and label in paired.complete
    ]
    for standing in (flawless, paired.complete, *([label] for label in paired.labels)):
        scores = paired.block(standing).scores
        if scores.size:
            # Rounded, so that equal candidates stay equal however their means were summed.
            return standing[int(np.argmax(scores.mean(axis=(1, 2)).round(9)))]
    return None


def decide(
    *,
    group: Mapping[str, str],
    rows: pd.DataFrame,
    metric: str,
    candidates: Sequence[Any],
    leader: str,
    seeds: Sequence[int],
    margin: float | None = None,
    baseline: str = "none",
    alpha: float = 0.05,
    failed_jobs: Collection[tuple[str, int]] = (),
    left_after: Mapping[str, int] | None = None,
    gates: GateVerdict | None = None,
) -> GroupResult:
    """Confirm or deny on test that `leader` is the best of `candidates`.

    `rows` are the group's test rows, the noisy input's included; `candidates` have label, config, baseline
    and apart, as attributes or keys; `failed_jobs` are (candidate, seed) pairs; `left_after` has the number of
    seeds given to candidates that left contention; `gates` comes from `sweep.verdict.gates.interpretable`; `margin` is
    the metric's own unless given. With several looks at the data, `alpha` is each look's share.
    """
    described = [_candidate(candidate) for candidate in candidates]
    labels = [candidate["label"] for candidate in described]
    apart = [candidate["label"] for candidate in described if candidate["apart"]]
    return group_result(
        Comparisons(paired_scores(rows, metric, labels, seeds, failed_jobs, left_after, apart)),
        group=group,
        metric=metric,
        candidates=described,
        leader=leader,
        margin=METRICS[metric].margin if margin is None else margin,
        baseline=baseline,
        alpha=alpha,
        gates=gates or GateVerdict(interpretable=False, reasons=["the gates were not measured"]),
    )


def group_result(
    comparisons: Comparisons,
    *,
    group: Mapping[str, str],
    metric: str,
    candidates: Sequence[Mapping[str, Any]],
    leader: str,
    margin: float,
    baseline: str,
    alpha: float,
    gates: GateVerdict,
    obstacles: Sequence[str] = (),
) -> GroupResult:
    """The verdict on `leader` from any comparisons; with `obstacles` it cannot win. For the rest see `decide`."""
    paired = comparisons.paired
    rivals = [
        label for label, done in zip(paired.labels, paired.finished, strict=True) if done.any() and label != leader
    ]
    leads: Leads = {label: comparisons.difference(leader, label) for label in rivals}
    intervals = {label: lead.interval(alpha) if lead else None for label, lead in leads.items()}
    contenders = [label for label, found in intervals.items() if not (found and found[0] > 0)]
    obstacles = [*_obstacles(comparisons, leader, rivals), *obstacles]
    won = not contenders and not obstacles
    results = {
        candidate["label"]: candidate_result(comparisons, candidate, leader, baseline, alpha)
        for candidate in candidates
    }
    gain, gain_interval, gain_p = gain_over_baseline(comparisons, leader, baseline, alpha)
    over_noisy, over_noisy_interval = comparisons.gain_over_noisy(leader, alpha)
    pooled, typical = comparisons.pooled, comparisons.typical(leader)
    noisy = mean(paired.block_of(leader).noisy)
    named = cast(Leader, {"label": leader, **results[leader]["config"]})
    return _plain(
        GroupResult(
            group=dict(group),
            metric=metric,
            leader=named,
            verdict="winner" if won else "tie",
            contenders=contenders,
            equivalent=[
                label for label, found in intervals.items() if found and -margin < found[0] and found[1] < margin
            ],
            resolvable=None if typical is None else resolvable(typical, alpha, comparisons.chosen_from),
            half_width=None if typical is None else half_width(typical, alpha, comparisons.chosen_from),
            seeds_needed=(
                len(comparisons.pooled_block.seeds or paired.block_of(leader).seeds)
                if won
                else _seeds_needed(comparisons, leads, leader, margin, alpha)
            ),
            baseline=baseline,
            gain=Gain(value=gain, interval=gain_interval, p=gain_p),
            beats_baseline=gain_interval is not None and gain_interval[0] > 0,
            winner_p=1.0 if obstacles else _winner_p(leads),
            noisy=NoisyInput(
                score=None if noisy is None else paired.shown(noisy), gain=over_noisy, interval=over_noisy_interval
            ),
            candidates=list(results.values()),
            seeds=list(paired.seeds),
            alpha=alpha,
            margin=margin,
            population=population(comparisons),
            by_noise_type=by_noise_type(comparisons, leader),
            variance=None if pooled is None else _standard_deviations(pooled),
            unstable=list(comparisons.unstable),
            gates=cast(Gates, {key: value for key, value in gates.items() if key != "interpretable"}),
            notes=[*obstacles, *_remarks(comparisons, leads, leader)],
            holm=Holm(),
            winner=named if won else None,
            interpretable=gates["interpretable"],
            score=results[leader]["score"],
            interval=results[leader]["interval"],
            lower=paired.lower,
        )
    )


def holm(verdicts: Sequence[GroupResult]) -> list[GroupResult]:
    """The same verdicts with `holm`: what stands when all groups are claimed at once (Holm 1979)."""
    winner_ps = holm_adjusted([found["winner_p"] for found in verdicts])
    gain_ps = holm_adjusted([1.0 if (p := found["gain"]["p"]) is None else p for found in verdicts])
    return [
        {
            **found,
            "holm": Holm(
                groups=len(verdicts),
                verdict="winner" if found["verdict"] == "winner" and winner_p <= found["alpha"] else "tie",
                p=winner_p,
                beats_baseline=found["beats_baseline"] and gain_p <= found["alpha"],
                gain_p=gain_p,
            ),
        }
        for found, winner_p, gain_p in zip(verdicts, winner_ps, gain_ps, strict=True)
    ]


def _obstacles(comparisons: Comparisons, leader: str, rivals: Sequence[str]) -> list[str]:
    """Why the leader cannot win, whatever its lead."""
    paired = comparisons.paired
    count = paired.failures[paired.labels.index(leader)]
    found = []
    if paired.failed_seeds(leader):
        found.append(f"{leader} has a failed seed and cannot win")
    if count:
        found.append(f"{leader} {_failed(paired, count)} and cannot win")
    if not rivals:
        found.append("there is no other candidate to compare with")
    elif obstacle := comparisons.obstacle(leader):
        found.append(obstacle)
    return found


def _remarks(comparisons: Comparisons, leads: Leads, leader: str) -> list[str]:
    paired = comparisons.paired
    better = [label for label, lead in leads.items() if lead and lead.value < 0]
    remarks = []
    if better:
        remarks.append(f"better on test than the leader, shown but not promoted: {', '.join(better)}")
    for label, count in zip(paired.labels, paired.failures, strict=True):
        if label != leader and label not in leads:
            remarks.append(f"{label} was not compared: all its seeds failed, so it cannot win")
        elif label != leader and paired.failed_seeds(label):
            remarks.append(f"{label} has a failed seed: it cannot win and is compared on its other seeds")
        elif label != leader and count:
            remarks.append(f"{label} {_failed(paired, count)}")
    for label, n_seeds in paired.left_after.items():
        remarks.append(f"{label} left contention after {n_seeds} seeds, on valid: it is compared on these")
    if comparisons.apart:
        remarks.append(f"set apart, its spread not pooled with the others': {', '.join(comparisons.apart)}")
    if comparisons.unstable:
        remarks.append(f"unstable over seeds, with wider intervals: {', '.join(comparisons.unstable)}")
    return remarks


def _failed(paired: PairedScores, count: int) -> str:
    if paired.noisy is None:
        return f"has {count} failed score{'' if count == 1 else 's'}"
    return f"failed on {count} utterances that the noisy input passed"


def _winner_p(leads: Leads) -> float:
    """An intersection-union test: the leader must beat every rival, so the worst p-value counts."""
    ps = [lead.p() if lead and lead.value > 0 else None for lead in leads.values()]
    return max((1.0 if p is None else p for p in ps), default=1.0)


def _seeds_needed(comparisons: Comparisons, leads: Leads, leader: str, margin: float, alpha: float) -> int | None:
    """Seeds at which the lead over the runner-up, or the margin where larger, would be resolvable.

    None where more seeds alone would not do: then more test utterances are needed.
    """
    typical = comparisons.typical(leader)
    if typical is None:
        return None
    used = len(comparisons.pooled_block.seeds or comparisons.paired.block_of(leader).seeds)
    target = target_of(leads, margin)

    def enough(n_seeds: int) -> bool:
        more = typical.with_seeds(n_seeds)
        return more is not None and resolvable(more, alpha, comparisons.chosen_from) <= target

    if comparisons.chosen_from > 2:  # Tukey's critical values take milliseconds
        return least(used, MOST_SEEDS, enough)
    return next((n_seeds for n_seeds in range(used + 1, MOST_SEEDS + 1) if enough(n_seeds)), None)


def least(used: int, most: int, enough: Callable[[int], bool]) -> int | None:
    """The smallest number beyond `used` that is enough, by bisection; None where `most` is not."""
    if used >= most or not enough(most):
        return None
    low, high = used, most  # not enough, enough
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def target_of(leads: Leads, margin: float) -> float:
    """The difference that further seeds or units should resolve: the lead over the runner-up, at least the margin."""
    return max(min((lead.value for lead in leads.values() if lead), default=0.0), margin)


def _standard_deviations(effects: CrossedEffects) -> Spread:
    """Standard deviations of one score in units of the metric, beyond what all candidates share."""
    seed, unit, residual = (float(np.sqrt(component)) for component in effects.components)
    return Spread(candidate_seed=seed, candidate_unit=unit, residual=residual, df=float(effects.df))


def _candidate(candidate: Any) -> dict[str, Any]:
    if isinstance(candidate, Mapping):
        return {"baseline": False, "apart": False, "config": {}, **candidate}
    fields = ("label", "baseline", "apart")
    return {"config": dict(candidate.config), **{name: getattr(candidate, name) for name in fields}}


def _plain(found: GroupResult) -> GroupResult:
    """Tuples to lists; a NaN or infinity here is our own mistake and raises ValueError."""
    return cast(GroupResult, json.loads(json.dumps(found, allow_nan=False)))
