"""Optuna's TPE for many asks of one unchanging set of trials: what is the same for all is reckoned once.

TPESampler sorts all trials and builds two densities at every ask of every parameter, and the study around it
stores every value it proposes. That is most of what a proposal costs. Within a generation the trials stay the
same and only the seed differs, so trials are split once, a parameter is modelled once, and nothing is stored.
This reaches into the sampler of the pinned Optuna; a test compares every value with TPESampler's own. Densities
of continuous parameters are summed in another order, so they agree up to rounding.
"""

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna._transform import _SearchSpaceTransform
from optuna.distributions import BaseDistribution
from optuna.samplers import TPESampler
from optuna.samplers._tpe._truncnorm import _log_gauss_mass
from optuna.samplers._tpe.parzen_estimator import _ParzenEstimator, _ParzenEstimatorParameters
from optuna.samplers._tpe.probability_distributions import (
    _BatchedTruncLogNormDistributions,
    _BatchedTruncNormDistributions,
    _MixtureOfProductDistribution,
)
from optuna.samplers._tpe.sampler import _split_trials, default_gamma, default_weights
from optuna.trial import FrozenTrial

_Continuous = _BatchedTruncNormDistributions | _BatchedTruncLogNormDistributions
# Every option explicit: their defaults change between Optuna's versions, and with them every proposal.
_STARTUP_TRIALS = 10  # below these TPE draws at random
_EI_CANDIDATES = 24
_MIXTURE = _ParzenEstimatorParameters(
    prior_weight=1.0,
    consider_magic_clip=True,
    consider_endpoints=False,
    weights=default_weights,
    multivariate=True,  # unused
)


class GenerationSampler:
    """Univariate TPE over `trials`, which are complete or pruned, in ascending order of numbers.

    Univariate, so that a parameter which only some candidates have is modelled from just these.
    """

    def __init__(self, trials: Sequence[FrozenTrial]) -> None:
        self._trials = list(trials)
        self._densities: dict[tuple[str, BaseDistribution], tuple[_Density, _Density]] = {}

    def draw(self, name: str, distribution: BaseDistribution, rng: np.random.RandomState) -> Any:
        """What TPE proposes for the parameter, with this generator."""
        if len(self._trials) < _STARTUP_TRIALS:
            return draw_evenly(name, distribution, rng)
        good, other = self._densities_of(name, distribution)
        samples = good.sample(rng)
        best = TPESampler._compare({name: samples}, good.log_pdf(samples) - other.log_pdf(samples))
        return distribution.to_external_repr(best[name])

    def _densities_of(self, name: str, distribution: BaseDistribution) -> tuple["_Density", "_Density"]:
        """Of what good trials have of the parameter, and of what the others have."""
        key = (name, distribution)
        if key not in self._densities:
            good, other = self._split
            self._densities[key] = _density(good, name, distribution), _density(other, name, distribution)
        return self._densities[key]

    @cached_property
    def _split(self) -> tuple[list[FrozenTrial], list[FrozenTrial]]:
        direction = optuna.create_study(direction="maximize")  # nothing else is asked of it
        return _split_trials(direction, self._trials, default_gamma(len(self._trials)))


def draw_evenly(name: str, distribution: BaseDistribution, rng: np.random.RandomState) -> Any:
    """As Optuna's RandomSampler, with this generator."""
    space = _SearchSpaceTransform({name: distribution})
    return space.untransform(rng.uniform(space.bounds[:, 0], space.bounds[:, 1]))[name]


class _Density:
    """A parameter's values in some trials, as TPE smooths them: a mixture with a component per trial."""

    def __init__(self, mixture: _MixtureOfProductDistribution) -> None:
        self._mixture = mixture

    def sample(self, rng: np.random.RandomState) -> NDArray[np.float64]:
        return self._mixture.sample(rng, _EI_CANDIDATES)[:, 0]

    def log_pdf(self, samples: NDArray[np.float64]) -> NDArray[np.float64]:
        """(samples,) -> (samples,)."""
        return self._mixture.log_pdf(samples[:, None])


class _ContinuousDensity(_Density):
    """Of truncated Gaussians, whose heights Optuna reckons anew for every sample: most of what it costs."""

    def __init__(self, mixture: _MixtureOfProductDistribution, of: _Continuous) -> None:
        super().__init__(mixture)
        self._of = of
        mass = _log_gauss_mass((of.adapted_low - of.mu) / of.sigma, (of.adapted_high - of.mu) / of.sigma)
        self._log_heights = np.log(mixture.weights) - mass - np.log(of.sigma) - math.log(2 * math.pi) / 2

    def log_pdf(self, samples: NDArray[np.float64]) -> NDArray[np.float64]:
        values = np.log(samples) if self._of.is_log else samples
        logs = self._log_heights - ((values[:, None] - self._of.mu) / self._of.sigma) ** 2 / 2
        highest = logs.max(axis=1)
        return np.log(np.exp(logs - highest[:, None]).sum(axis=1)) + highest


def _density(trials: Sequence[FrozenTrial], name: str, distribution: BaseDistribution) -> _Density:
    seen = [distribution.to_internal_repr(trial.params[name]) for trial in trials if name in trial.params]
    estimator = _ParzenEstimator({name: np.asarray(seen)}, {name: distribution}, _MIXTURE)
    mixture = estimator._mixture_distribution
    (components,) = mixture.distributions
    return (
        _ContinuousDensity(mixture, components) if isinstance(components, _Continuous) else _Density(mixture)
    )
