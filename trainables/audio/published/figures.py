"""What papers report of a corpus before any processing: the scores of its noisy input, and facts on its test split."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Published:
    """Figures of one test split, as printed: "1.97" is anything from 1.965 to 1.975.

    `scores`: metric -> mean over the split, of the noisy sides against the clean ones or, of mixtures, of the mixture
    against each of its sources. `voices`: those of a row, 1 in pairs. `sample_rate`: Hz, of the corpus they hold for.
    """

    scores: Mapping[str, str]
    source: str
    voices: int = 1
    sample_rate: int = 16_000
    hours: str = ""  # "" where nothing is printed, or it isn't clear of what
    speakers: frozenset[str] = field(default_factory=frozenset)  # empty where a row's owner is no published name


def rounding(printed: str) -> float:
    """Half a unit of the last digit that is printed."""
    return 0.5 * 10.0 ** -len(printed.partition(".")[2])
