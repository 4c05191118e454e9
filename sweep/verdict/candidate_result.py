"""The row of one candidate in a group's result: its score, its distance from the leader, its gain."""

from collections.abc import Mapping
from typing import Any

from sweep.verdict.comparisons import Comparisons, Interval
from sweep.verdict.result import CandidateResult


def candidate_result(
    comparisons: Comparisons, candidate: Mapping[str, Any], leader: str, baseline: str, alpha: float
) -> CandidateResult:
    """One row of the verdict's table; `candidate` has label, config and baseline."""
    label = candidate["label"]
    paired = comparisons.paired
    index = paired.labels.index(label)
    block = paired.block_of(label)
    score, interval = comparisons.level(label, alpha)
    behind = None if label == leader else comparisons.difference(leader, label)
    gain, gain_interval, _ = gain_over_baseline(comparisons, label, baseline, alpha)
    return CandidateResult(
        label=label,
        config=candidate["config"],
        baseline=candidate["baseline"],
        apart=label in comparisons.apart,
        n_seeds=len(block.seeds),
        n_utterances=block.n_utterances if block.seeds else 0,
        failures=paired.failures[index],
        failed_seeds=paired.failed_seeds(label),
        left_after=paired.left_after.get(label),
        score=score,
        interval=interval,
        p_best=comparisons.p_best.get(label),
        behind_leader=behind.value if behind else None,
        behind_leader_interval=behind.interval(alpha) if behind else None,
        gain=gain,
        gain_interval=gain_interval,
        unstable=label in comparisons.unstable,
    )


def gain_over_baseline(
    comparisons: Comparisons, label: str, baseline: str, alpha: float
) -> tuple[float | None, Interval | None, float | None]:
    """Gain over the baseline, Dunnett's interval and p-value."""
    labels = comparisons.paired.labels
    if baseline not in labels:
        return None, None, None
    if label == baseline:
        return 0.0, None, None
    difference = comparisons.difference(label, baseline)
    if difference is None:
        return None, None, None
    compared = len(labels) - 1
    return difference.value, difference.dunnett_interval(alpha, compared), difference.dunnett_p(compared)
