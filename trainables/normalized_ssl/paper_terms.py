"""What a configuration uses in the terms of Yang & Kang's paper: the initial strength k0 and the momenta beta.

The configuration keeps momenta as horizons, 1 / (1 - beta) steps, and leaves some values to a rule (null); here each
is resolved to the number that the training uses.
"""

from trainables.normalized_ssl.config import NormalizedSSLConfig, momentum_of
from trainables.normalized_ssl.strength_schedule import horizons


def paper_terms(config: NormalizedSSLConfig, steps: int) -> dict[str, float]:
    """k0, beta_m and beta_r (no unit) of a training of `steps` steps; {} where no layer is normalized."""
    if not config.norm_layers:
        return {}
    means, ratios = horizons(config, steps)
    return {"k0": config.initial_strength, "beta_m": momentum_of(means), "beta_r": momentum_of(ratios)}
