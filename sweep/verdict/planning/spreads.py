"""How far scores scatter, and from that how many seeds a difference needs: variance components, never a difference.

An estimate of the variance alone may set the number of seeds without a look at who leads: an internal pilot study
(Wittes & Brittain, Statistics in Medicine 9, 1990). docs/verdict.md has the simulations.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sweep.verdict import crossed_effects
from sweep.verdict.crossed_effects import FEWEST_SEEDS, MINIMUM_SPEAKERS, CrossedEffects

if TYPE_CHECKING:
    from sweep.verdict.paired_scores import PairedScores

Array = NDArray[np.float64]

MOST_SEEDS = 100  # that any search for a number of seeds goes up to
_STEADY_DF = 10  # of a variance between seeds that may set their number: six candidates with three
_SAME = 1.05  # utterances per speaker below which a speaker's and an utterance's variance cannot be told apart


@dataclass(frozen=True)
class Spreads:
    """Variances of one score beyond what all candidates share, in the metric's unit squared.

    `seed`: of a candidate's seed. `speaker` and `utterance`: of candidate x speaker, and x utterance within a speaker.
    `speaker_residual` and `residual`: the same of what is left, which differs by seed too.
    """

    seed: float
    speaker: float
    utterance: float
    speaker_residual: float
    residual: float

    @staticmethod
    def of(paired: "PairedScores") -> "Spreads | None":
        """Pooled over the complete candidates that are alike; None with too few of these, their seeds or utterances."""
        from sweep.verdict.comparisons import alike_of
        from sweep.verdict.paired_scores import speaker_means  # imports pandas, which no dry run needs

        if len(paired.complete) < 2:
            return None
        _, common, scores = paired.cells(alike_of(paired.complete, paired.apart))
        by_utterance = crossed_effects.of_differences(scores)
        if by_utterance is None:
            return None
        speakers = paired.utterances["speaker"].to_numpy(str)[common]
        _, counts = np.unique(speakers, return_counts=True)
        by_speaker = crossed_effects.of_differences(speaker_means(scores, speakers)) if len(counts) > 1 else None
        seed, *total = map(float, by_utterance.components)
        if by_speaker is None:
            return Spreads(seed, 0.0, total[0], 0.0, total[1])
        of_speakers = tuple(map(float, by_speaker.components))
        each = float(len(counts) / (1 / counts).sum())
        between = [_between(mean, whole, each) for mean, whole in zip(of_speakers[1:], total, strict=True)]
        if len(counts) >= MINIMUM_SPEAKERS:
            seed = of_speakers[0]
        return Spreads(seed, between[0], total[0] - between[0], between[1], total[1] - between[1])

    @staticmethod
    def of_units(seed: float, unit: float, residual: float) -> "Spreads":
        """From standard deviations by unit, speaker or utterance: more utterances of one speaker then add nothing."""
        return Spreads(seed**2, unit**2, 0.0, residual**2, 0.0)

    @staticmethod
    def mean(found: Sequence["Spreads"]) -> "Spreads":
        """Of one spread or more."""
        rows = [(s.seed, s.speaker, s.utterance, s.speaker_residual, s.residual) for s in found]
        return Spreads(*map(float, np.mean(rows, axis=0)))

    def steadied(self, expected: "Spreads", candidates: int, n_seeds: int) -> "Spreads":
        """With the expected variance of seeds in place of the degrees of freedom that an own estimate lacks.

        Three seeds of two candidates have two. A number of seeds that follows so few breaks the promise of the verdict:
        false winners rise to 9 %, because a variance that came out too small by luck also ends the sweep early.
        """
        own = (candidates - 1) * (n_seeds - 1)
        lacking = max(_STEADY_DF - own, 0)
        return replace(self, seed=(own * self.seed + lacking * expected.seed) / (own + lacking))

    def effects(self, n_seeds: int, utterances: int, speakers: int, candidates: int) -> CrossedEffects:
        """What to expect of a test set of `utterances` by `speakers` (0: not known), who take turns."""
        if speakers >= MINIMUM_SPEAKERS and utterances >= MINIMUM_SPEAKERS:
            units = min(utterances, speakers)
            each = utterances / units
            unit, residual = self.speaker + self.utterance / each, self.speaker_residual + self.residual / each
        else:
            units = utterances
            unit, residual = self.speaker + self.utterance, self.speaker_residual + self.residual
        return CrossedEffects(
            ms_seed=np.array(residual + units * self.seed),
            ms_unit=np.array(residual + n_seeds * unit),
            ms_residual=np.array(residual),
            n_seeds=n_seeds,
            n_units=units,
            replicas=candidates - 1,
            terms=2,
        )

    def resolvable(self, n_seeds: int, utterances: int, speakers: int, candidates: int, alpha: float) -> float:
        """The true difference of two candidates that is found with 80 % power."""
        return float(self.effects(n_seeds, utterances, speakers, candidates).resolvable(alpha))

    def seeds_for(
        self, difference: float, utterances: int, speakers: int, candidates: int, alpha: float, most: int = MOST_SEEDS
    ) -> int | None:
        """The fewest seeds, three at least, that find the difference with 80 % power; None where `most` do not."""
        for n_seeds in range(FEWEST_SEEDS, most + 1):
            if self.resolvable(n_seeds, utterances, speakers, candidates, alpha) <= difference:
                return n_seeds
        return None


def _between(of_means: float, total: float, each: float) -> float:
    """The part of `total` that is between speakers, where means over `each` utterances have the variance `of_means`."""
    if each < _SAME:
        return total
    return float(np.clip((of_means - total / each) / (1 - 1 / each), 0.0, total))
