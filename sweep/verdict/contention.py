"""Which candidates get further seeds under `--seeds auto`: one leaves once another is shown to be above it on valid.

The number of looks is fixed in the plan and each has an equal share of alpha (Bonferroni), here and in the
verdict. A candidate leaves if the leader's lead over it is significant against all its rivals at once (Dunnett's
procedure, with the candidate as the control), so that the best one rarely leaves by chance; or if one of its seeds
has failed, because then it cannot win. Leaving costs it the later seeds and nothing else: it is compared on test
like the others, on the seeds it has.
"""

from dataclasses import dataclass

from sweep.verdict.comparisons import Comparisons, Difference
from sweep.verdict.paired_scores import PairedScores
from sweep.verdict.verdict import nominate


@dataclass(frozen=True)
class Look:
    """The outcome of one look at a group. With fewer than two staying, further seeds would decide nothing."""

    seeds: int  # of every candidate that was looked at
    staying: tuple[str, ...]
    left: dict[str, str]  # label -> why


def look(paired: PairedScores, alpha: float) -> Look:
    """One look at the candidates still in contention, on valid; `alpha` is this look's share."""
    left = {label: "a seed has failed" for label in paired.labels if paired.failed_seeds(label)}
    if paired.complete:
        left |= _shown_behind(paired, alpha)
    return Look(len(paired.seeds), tuple(label for label in paired.labels if label not in left), left)


def _shown_behind(paired: PairedScores, alpha: float) -> dict[str, str]:
    comparisons = Comparisons(paired)
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
