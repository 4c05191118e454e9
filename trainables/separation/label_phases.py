"""Who assigns outputs to voices, and when: the phases of every label strategy, torch-free.

Yang et al., "Interrupted and cascaded permutation invariant training for speech separation", ICASSP 2020.
Interrupted PIT trains with PIT, keeps each mixture's assignment, starts anew and trains with those ("fixed"); cascaded
PIT trains on from there with PIT ("cascade"). There the phases add up to several times a plain training; here all
strategies divide one budget, so that the number of updates is equal, and so are the controls, which do the same
without its point:

    anew      starts anew where "fixed" does, but keeps PIT
    warm      restores the learning rate where "cascade" does, but was PIT all along
    shuffled  is "cascade" with each mixture's assignment taken from another one
"""

import math
from dataclasses import dataclass

_THIRD, _TWO_THIRDS = 1 / 3, 2 / 3


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A part of training.

    Attributes:
        start: share of the budget at which it begins; it ends where the next one begins.
        labels: "pit" (the best assignment of the moment), "kept" (what the network of the phase before gave each
            mixture), "shuffled" (the same of another mixture), "energy" (louder voices first) or "voice" (where an
            utterance's voice has mostly gone so far).
        anew: weights are drawn afresh at its start.
    """

    start: float
    labels: str
    anew: bool = False


PHASES: dict[str, tuple[Phase, ...]] = {
    "pit": (Phase(start=0.0, labels="pit"),),
    "fixed": (Phase(start=0.0, labels="pit"), Phase(start=_THIRD, labels="kept", anew=True)),
    "cascade": (
        Phase(start=0.0, labels="pit"),
        Phase(start=_THIRD, labels="kept", anew=True),
        Phase(start=_TWO_THIRDS, labels="pit"),
    ),
    "energy": (Phase(start=0.0, labels="energy"),),
    "voice": (Phase(start=0.0, labels="voice"),),
    "anew": (Phase(start=0.0, labels="pit"), Phase(start=_THIRD, labels="pit", anew=True)),
    "warm": (Phase(start=0.0, labels="pit"), Phase(start=_TWO_THIRDS, labels="pit")),
    "shuffled": (
        Phase(start=0.0, labels="pit"),
        Phase(start=_THIRD, labels="shuffled", anew=True),
        Phase(start=_TWO_THIRDS, labels="pit"),
    ),
}
STRATEGIES = tuple(PHASES)


def phase_starts(strategy: str, steps: int) -> tuple[int, ...]:
    """The step at which each phase of a training of `steps` steps begins."""
    return tuple(math.ceil(round(phase.start * steps, 6)) for phase in PHASES[strategy])


def phase_number(strategy: str, step: int, steps: int) -> int:
    """The phase that step `step` (from 0) belongs to, counted from 0."""
    return sum(start <= step for start in phase_starts(strategy, steps)) - 1


def phase_start(strategy: str, step: int, steps: int) -> int:
    """The step at which the phase of `step` began: a function of the step, so a killed run begins it there, too."""
    return phase_starts(strategy, steps)[phase_number(strategy, step, steps)]


def keeps_labels(strategy: str) -> bool:
    """Whether some phase needs the assignments of the one before."""
    return any(phase.labels in ("kept", "shuffled") for phase in PHASES[strategy])


def counts_voices(strategy: str) -> bool:
    """Whether some phase needs to know where every voice has gone."""
    return any(phase.labels == "voice" for phase in PHASES[strategy])


def starts_anew(strategy: str) -> bool:
    """Whether weights are drawn afresh in the course of training."""
    return any(phase.anew for phase in PHASES[strategy])
