"""Optuna's TPE for many asks of one unchanging study: what it models of a parameter is modelled once.

TPESampler sorts all trials and builds two densities at every ask of every parameter, which is most of what a
proposal costs. Within a generation the trials stay the same and only the seed differs, so the densities are
shared. This reaches into the sampler of the pinned Optuna; a test compares every proposal with TPESampler's own.
"""

from typing import Any

from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import TPESampler
from optuna.samplers._tpe.parzen_estimator import _ParzenEstimator
from optuna.samplers._tpe.sampler import _split_trials, default_gamma
from optuna.trial import FrozenTrial, TrialState

# Of one state of a study: (parameter, its distribution) -> what good trials have of it, and what the others have.
Densities = dict[tuple[str, BaseDistribution], tuple[_ParzenEstimator, _ParzenEstimator]]


class GenerationSampler(TPESampler):
    """Univariate TPE; `densities` is shared between samplers as long as their study stays as it is."""

    def __init__(self, seed: int, densities: Densities) -> None:
        # Every option explicit: their defaults change between Optuna's versions, and with them every proposal.
        # Univariate, so that a parameter only some candidates have is modelled from just these.
        super().__init__(
            seed=seed,
            n_startup_trials=10,
            n_ei_candidates=24,
            multivariate=False,
            group=False,
            constant_liar=False,
            constraints_func=None,
        )
        self._densities = densities

    def _sample(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """As TPESampler's, for the one parameter that univariate sampling asks for."""
        ((name, distribution),) = search_space.items()
        if (name, distribution) not in self._densities:
            self._densities[name, distribution] = self._model(study, search_space)
        good, other = self._densities[name, distribution]
        samples = good.sample(self._rng.rng, self._n_ei_candidates)
        best = self._compare(samples, self._compute_acquisition_func(samples, good, other))
        return {name: distribution.to_external_repr(best[name])}

    def _model(
        self, study: Study, search_space: dict[str, BaseDistribution]
    ) -> tuple[_ParzenEstimator, _ParzenEstimator]:
        trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
        good, other = _split_trials(study, trials, default_gamma(len(trials)))
        return (
            self._build_parzen_estimator(study, search_space, good, handle_below=True),
            self._build_parzen_estimator(study, search_space, other, handle_below=False),
        )
