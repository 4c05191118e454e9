"""Who gets further seeds under `--seeds auto`: a candidate leaves once another is shown to be above it on valid.

The number of looks is fixed in the plan and each has an equal share of alpha (Bonferroni), here and in the
verdict. A candidate leaves if the leader's lead over it is significant against all its rivals at once (Dunnett's
procedure, with the candidate as the control), so that the best one rarely leaves by chance; or if one of its seeds
has failed, because then it cannot win. Leaving costs it the later seeds and nothing else: it is compared on test
like the others, on the seeds it has. A group stops as a whole where more seeds would leave a tie: no candidate has a
chance of winning left, or those that are left are all equivalent.
"""

from dataclasses import dataclass

import numpy as np

from sweep.verdict.comparisons import Comparisons, Difference
from sweep.verdict.paired_scores import PairedScores
from sweep.verdict.planning.outlook import LEAST_CHANCE, Outlook, chance_of_winner
from sweep.verdict.verdict import nominate


@dataclass(frozen=True)
class Look:
    """The outcome of one look at a group. With fewer than two staying, further seeds would decide nothing."""

    seeds: int  # of every candidate that was looked at
    staying: tuple[str, ...]
    left: dict[str, str]  # label -> why
    stopped: str = ""  # why those that stay get no more seeds either

    @property
    def further(self) -> tuple[str, ...]:
        """The candidates that get more seeds."""
        return self.staying if len(self.staying) > 1 and not self.stopped else ()


def look(paired: PairedScores, alpha: float, outlook: Outlook | None = None) -> Look:
    """One look at the candidates still in contention, on valid; `alpha` is this look's share.

    Without an `outlook` the group as a whole never stops, as before there was one.
    """
    left = {label: "a seed has failed" for label in paired.labels if paired.failed_seeds(label)}
    if not paired.complete:
        return Look(len(paired.seeds), tuple(label for label in paired.labels if label not in left), left)
    comparisons, stopped = Comparisons(paired), ""
    left |= _shown_behind(comparisons, alpha)
    staying = tuple(label for label in paired.labels if label not in left)
    if outlook is not None and len(staying) > 1:
        stopped = _equivalent(comparisons, staying, alpha, outlook) or _hopeless(comparisons, staying, alpha, outlook)
    return Look(len(paired.seeds), staying, left, stopped)


def _equivalent(comparisons: Comparisons, staying: tuple[str, ...], alpha: float, outlook: Outlook) -> str:
    """The reason, where all are shown to be within the margin of the leader."""
    leader = nominate(comparisons.paired)
    if leader not in staying:
        return ""
    leads = [comparisons.difference(leader, label) for label in staying if label != leader]
    intervals = [lead.interval(alpha) if lead else None for lead in leads]
    if all(found and -outlook.margin < found[0] and found[1] < outlook.margin for found in intervals):
        return f"all that are left are within {outlook.margin:g} of {leader} on valid"
    return ""


def _hopeless(comparisons: Comparisons, staying: tuple[str, ...], alpha: float, outlook: Outlook) -> str:
    """The reason, where a winner among them has become improbable."""
    block = comparisons.pooled_block
    if comparisons.pooled is None or not set(staying) <= set(block.labels):
        return ""
    means = np.array([block.of(label).mean() for label in staying])
    chance = chance_of_winner(means, comparisons.pooled, outlook, alpha)
    if chance >= LEAST_CHANCE:
        return ""
    return f"the chance of a winner with {outlook.seeds} seeds is {100 * chance:.1f} %, judging by valid"


def _shown_behind(comparisons: Comparisons, alpha: float) -> dict[str, str]:
    paired = comparisons.paired
    leader = nominate(paired)
    if leader is None:
        return {}
    rivals = [label for label in paired.complete if label != leader]
    leads = {label: comparisons.difference(leader, label) for label in rivals}
    return {
        label: f"{lead.value:.3f} behind {leader} on valid"
        for label, lead in leads.items()
        if lead is not None and _is_shown(lead, len(rivals), alpha)
    }


def _is_shown(lead: Difference, n_rivals: int, alpha: float) -> bool:
    p = lead.dunnett_p(n_rivals)
    return lead.value > 0 and p is not None and p < alpha
