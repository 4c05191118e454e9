"""A world in which the truth is known: scores with PESQ-like spreads, for checking the statistics."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sweep.paired_scores import PairedScores

SEED_SD = 0.03
UNIT_SD = 0.10  # candidate x utterance
RESIDUAL_SD = 0.10
UTTERANCE_SD = 0.50  # what all candidates share


@dataclass(frozen=True)
class World:
    """True means of the candidates, and the spread of each one's seeds."""

    means: tuple[float, ...] = (0.0,) * 6
    seed_sds: tuple[float, ...] = (SEED_SD,) * 6

    def seed_effects(self, rng: np.random.Generator, repeats: int, n_seeds: int) -> NDArray[np.float64]:
        """(repeats, candidates, seeds, 1): a trained model's luck, the same on valid and test."""
        draws = rng.standard_normal((repeats, len(self.means), n_seeds, 1))
        return draws * np.array(self.seed_sds)[:, None, None]

    def scores(
        self, rng: np.random.Generator, seed_effects: NDArray[np.float64], n_units: int
    ) -> NDArray[np.float64]:
        """(repeats, candidates, seeds, units) scores of these models on fresh units."""
        repeats, candidates, n_seeds, _ = seed_effects.shape
        return (
            np.array(self.means)[:, None, None]
            + seed_effects
            + UTTERANCE_SD * rng.standard_normal((repeats, 1, 1, n_units))
            + UNIT_SD * rng.standard_normal((repeats, candidates, 1, n_units))
            + RESIDUAL_SD * rng.standard_normal((repeats, candidates, n_seeds, n_units))
        )


def repeated(world: World, repeats: int, n_seeds: int, n_units: int, seed: int = 0, chunk: int = 50):
    """Yield (valid, test) scores of `chunk` worlds at a time, each (chunk, candidates, seeds, units)."""
    rng = np.random.default_rng(seed)
    for _ in range(repeats // chunk):
        effects = world.seed_effects(rng, chunk, n_seeds)
        yield world.scores(rng, effects, n_units), world.scores(rng, effects, n_units)


@cache
def _of_one_speaker(n_units: int) -> pd.DataFrame:
    return pd.DataFrame({"speaker": "one", "noise_type": "one"}, index=range(n_units))


def as_paired(scores: NDArray[np.float64], left_after: dict[str, int] | None = None) -> PairedScores:
    """One world's (candidates, seeds, utterances) scores, analysed by utterance; candidates are "0", "1", ...

    Those in `left_after` have only so many seeds; the others have all.
    """
    candidates, n_seeds, n_units = scores.shape
    left = left_after or {}
    given = np.array([left.get(str(label), n_seeds) for label in range(candidates)])
    return PairedScores(
        labels=tuple(str(label) for label in range(candidates)),
        seeds=tuple(range(n_seeds)),
        utterances=_of_one_speaker(n_units),
        scores=scores,
        noisy=None,
        finished=np.arange(n_seeds) < given[:, None],
        failures=(0,) * candidates,
        left_after=left,
    )
