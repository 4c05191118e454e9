"""The sampler that models a parameter once per generation proposes what Optuna's own TPE does."""

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import TrialState, create_trial

from sweep.generation_sampler import Densities, GenerationSampler
from trainables.randomness import generator

RATE = FloatDistribution(1e-4, 1e-2, log=True)
SHAPE = CategoricalDistribution(("constant", "linear", "cosine"))
STRENGTH = FloatDistribution(0.1, 1.0)


def study_of(trials: int) -> optuna.Study:
    """Complete and stopped trials; every other one has a strength."""
    study = optuna.create_study(direction="maximize")
    for number in range(trials):
        luck = generator(0, "study", number)
        params = {"rate": float(luck.uniform(1e-4, 1e-2)), "shape": str(luck.choice(SHAPE.choices))}
        distributions = {"rate": RATE, "shape": SHAPE}
        if number % 2:
            params, distributions = params | {"strength": 0.4}, distributions | {"strength": STRENGTH}
        score = float(luck.normal())
        stopped = number % 3 == 0
        study.add_trial(
            create_trial(
                state=TrialState.PRUNED if stopped else TrialState.COMPLETE,
                value=None if stopped else score,
                params=params,
                distributions=distributions,
                intermediate_values={2: score, 4 + number % 2: score},
            )
        )
    return study


def proposal(study: optuna.Study, sampler: BaseSampler) -> dict[str, object]:
    study.sampler = sampler
    trial = study.ask()
    trial.suggest_float("rate", 1e-4, 1e-2, log=True)
    trial.suggest_categorical("shape", SHAPE.choices)
    trial.suggest_float("strength", 0.1, 1.0)
    study.tell(trial, state=TrialState.FAIL)
    return trial.params


@pytest.mark.parametrize("trials", [0, 9, 10, 37, 120])
def test_it_proposes_what_tpe_does(trials: int) -> None:
    ours, stock = study_of(trials), study_of(trials)
    densities: Densities = {}
    for seed in range(8):
        plain = TPESampler(seed=seed, n_startup_trials=10, n_ei_candidates=24, multivariate=False)
        assert proposal(ours, GenerationSampler(seed, densities)) == proposal(stock, plain)
    assert len(densities) == (3 if trials >= 10 else 0)
