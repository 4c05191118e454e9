"""Tiers: which candidates the data cannot tell apart, from simultaneous comparisons of all pairs.

Candidates are sorted by score. A tier is a longest run of them in which no pair is separated; runs may overlap, as in
a compact letter display (Piepho, J. Comput. Graph. Stat. 13, 2004). Two candidates count as separated only if every
pair that spans them is, so that tiers follow the scores.
"""

from collections.abc import Callable, Sequence


def tiers(ranked: Sequence[str], separated: Callable[[str, str], bool]) -> list[list[str]]:
    """Runs of `ranked` (best first) without a separated pair, best first; `separated` is of (better, worse)."""
    n = len(ranked)
    # ends[i]: how far down candidate i reaches before it is separated; never less far than those above it.
    ends: list[int] = []
    for i in range(n):
        reach = max((j for j in range(i, n) if j == i or not separated(ranked[i], ranked[j])), default=i)
        ends.append(max(reach, ends[-1] if ends else i))
    runs = [(i, end) for i, end in enumerate(ends) if i == 0 or end > ends[i - 1]]
    return [list(ranked[i : end + 1]) for i, end in runs]
