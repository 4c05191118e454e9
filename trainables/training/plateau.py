"""The learning rate falls when validation stops improving.

A function of the reported scores alone, which are part of a session's state: a resumed run goes on with the
rate an unbroken one would have.
"""

from collections.abc import Sequence

from trainables.config.method_config import MethodConfig


def plateau_factor(scores: Sequence[float], config: MethodConfig) -> float:
    """What the learning rate is multiplied by after these validation scores (higher is better).

    As torch's ReduceLROnPlateau: after more than `plateau_patience` scores in a row without a new best, the
    rate is multiplied by `plateau_factor` and the count starts again. With a patience of None it keeps its rate.
    """
    patience = config.plateau_patience
    if patience is None:
        return 1.0
    factor, best, waited = 1.0, float("-inf"), 0
    for score in scores:
        best, waited = (score, 0) if score > best else (best, waited + 1)
        if waited > patience:
            factor, waited = factor * config.plateau_factor, 0
    return factor
