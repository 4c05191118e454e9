"""The sampler that models a parameter once per generation draws what Optuna's own TPE proposes."""

import numpy as np
import optuna
import pytest
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import RandomSampler, TPESampler
from optuna.trial import TrialState, create_trial

from sweep.search.generation_sampler import GenerationSampler, draw_evenly
from trainables.base.randomness import generator

RATE = FloatDistribution(1e-4, 1e-2, log=True)
SHAPE = CategoricalDistribution(("constant", "linear", "cosine"))
STRENGTH = FloatDistribution(0.1, 1.0)
LAYERS = IntDistribution(1, 9)
SPACE: dict[str, BaseDistribution] = {
    "rate": RATE,
    "shape": SHAPE,
    "layers": LAYERS,
    "strength": STRENGTH,
    "never tried": FloatDistribution(0.0, 1.0, step=0.25),
    "nor this": IntDistribution(1, 64, log=True),
}


def study_of(trials: int) -> optuna.Study:
    """Complete and stopped trials; every other one has a strength."""
    study = optuna.create_study(direction="maximize")
    for number in range(trials):
        luck = generator(0, "study", number)
        params: dict[str, object] = {
            "rate": float(luck.uniform(1e-4, 1e-2)),
            "shape": str(luck.choice(SHAPE.choices)),
            "layers": int(luck.integers(1, 10)),
        }
        distributions: dict[str, BaseDistribution] = {"rate": RATE, "shape": SHAPE, "layers": LAYERS}
        if number % 2:
            params["strength"] = float(luck.uniform(0.1, 1.0))
            distributions["strength"] = STRENGTH
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


@pytest.mark.parametrize("trials", [0, 9, 10, 37, 120])
def test_it_draws_what_tpe_proposes(trials: int) -> None:
    study = study_of(trials)
    ours = GenerationSampler(study.get_trials())
    for seed in range(8):
        study.sampler = TPESampler(
            seed=seed, n_startup_trials=10, n_ei_candidates=24, multivariate=False, constant_liar=False
        )
        stock = study.ask(SPACE)
        rng = np.random.RandomState(seed)
        assert {name: ours.draw(name, values, rng) for name, values in SPACE.items()} == stock.params
        study.tell(stock, state=TrialState.FAIL)


def test_drawing_evenly_is_optunas_random_sampler() -> None:
    study = study_of(0)
    study.sampler = RandomSampler(seed=3)
    rng = np.random.RandomState(3)
    assert {name: draw_evenly(name, values, rng) for name, values in SPACE.items()} == study.ask(SPACE).params
