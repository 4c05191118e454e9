"""Where metrics disagree: the best candidate on test by every metric, and whether it is above the leader there.

The leader was named by the deciding metric before test was opened, so Dunnett's intervals with the leader as control
hold for all others at once, and therefore for the best of them, although that one is picked on test. They decide
nothing.
"""

from collections.abc import Iterator, Mapping

from sweep.plan.plan import Plan
from sweep.report.findings.metric_means import Scores
from sweep.verdict.comparisons import Comparisons, Difference
from sweep.verdict.paired_scores import PairedScores
from sweep.verdict.result import MetricLeader


def metric_leaders(plan: Plan, scores: Scores, leaders: Mapping[str, str]) -> list[MetricLeader]:
    """One entry per group and metric, the deciding metric's first; none for a metric without scores."""
    ordered = sorted(plan.scored, key=lambda metric: metric != plan.metric)
    entries = (
        metric_leader(group.name, metric, scores[group.name, metric], leaders[group.name], plan.alpha_per_look)
        for group in plan.groups
        for metric in ordered
    )
    return [entry for entry in entries if entry]


def metric_leader(group: str, metric: str, paired: PairedScores, leader: str, alpha: float) -> MetricLeader | None:
    """The best of the candidates by this metric: the leader, or the one furthest ahead of it."""
    comparisons = Comparisons(paired)
    if not paired.block_of(leader).of(leader).size:
        return None
    ahead = dict(_ahead(comparisons, leader))
    # Rounded, so that equal candidates stay equal however their means were summed.
    best = max(ahead, key=lambda label: round(ahead[label].value, 9), default=None)
    failures = {label: count for label, count in zip(paired.labels, paired.failures, strict=True) if count}
    entry = MetricLeader(
        group=group, metric=metric, leader=leader, best=leader, ahead=0.0, interval=None, significant=False,
        failures=failures,
    )  # fmt: skip
    if best is None or round(ahead[best].value, 9) <= 0:
        return entry
    interval = ahead[best].dunnett_interval(alpha, len(ahead))
    return {
        **entry,
        "best": best,
        "ahead": ahead[best].value,
        "interval": interval and list(interval),
        "significant": interval is not None and interval[0] > 0,
    }


def _ahead(comparisons: Comparisons, leader: str) -> Iterator[tuple[str, Difference]]:
    for label in comparisons.paired.labels:
        difference = comparisons.difference(label, leader) if label != leader else None
        if difference is not None:
            yield label, difference
