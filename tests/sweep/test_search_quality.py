"""How often a search finds the best layer of every group, and how fast the engine is without any training."""

import time

import optuna
import pytest
from optuna.samplers import TPESampler
from optuna.storages import InMemoryStorage

from sweep.study import StudyStore
from tests.sweep.simulated import BEST_LAYER, Simulation, simulated_plan, simulated_score

REPEATS = 40
SAMPLES = 4  # per candidate and group; the stock search gets as many trials altogether


def _ours(seed: int) -> dict[str, str]:
    """The candidate whose finalists have the best mean in each group."""
    plan = simulated_plan(samples=SAMPLES, seeds=3, sweep_seed=seed, search_seed=seed)
    store = StudyStore(InMemoryStorage(), plan.name)
    Simulation(plan, store).run()
    best = {}
    for group in plan.groups:
        scores: dict[str, list[float]] = {}
        for record in store.records(group.name, "final"):
            scores.setdefault(record.job.candidate, []).append(record.score or 0.0)
        best[group.name] = max(scores, key=lambda label: sum(scores[label]) / len(scores[label]))
    return best


def _stock(seed: int) -> dict[str, str]:
    """One shared study over upstream x candidate x nuisance: TPE with successive halving, as OptunaSearch + ASHA."""
    plan = simulated_plan(samples=SAMPLES)
    space, preset = plan.space_object(), plan.preset_object()
    finals = sum(len(plan.final_jobs(group.name)) for group in plan.groups)  # ours trains these as well
    trials = finals + sum(len(plan.search_jobs(group.name)) for group in plan.groups)
    pruner = optuna.pruners.SuccessiveHalvingPruner(min_resource=2, reduction_factor=4)
    study = optuna.create_study(direction="maximize", sampler=TPESampler(seed=seed), pruner=pruner)

    def objective(trial: optuna.Trial) -> float:
        group = plan.group_plan(trial.suggest_categorical("upstream", sorted(BEST_LAYER)))
        label = trial.suggest_categorical("candidate", [candidate.label for candidate in group.candidates])
        nuisance = space.suggest(trial, group.group, plan.candidate(group.name, label), preset)
        assignment = {"config": plan.config(group.name, label, nuisance), "seed": seed}
        score = 0.0
        for step in range(plan.round_steps, plan.steps + 1, plan.round_steps):
            score = simulated_score(assignment, step)
            trial.report(score, step)
            if trial.should_prune():
                raise optuna.TrialPruned
        return score

    study.optimize(objective, n_trials=trials)
    best: dict[str, str] = {}
    complete = [trial for trial in study.trials if trial.value is not None]
    for trial in sorted(complete, key=lambda trial: trial.value or 0.0):
        best[trial.params["upstream"]] = trial.params["candidate"]
    return best


def _share_found(answers: list[dict[str, str]]) -> float:
    found = [a.get(name) == f"layer{layer}" for a in answers for name, layer in BEST_LAYER.items()]
    return sum(found) / len(found)


@pytest.mark.slow
def test_the_best_layer_of_every_group_is_found_at_least_as_often_as_by_the_stock_search(
    record_property: pytest.RecordProperty,
) -> None:
    ours, stock = (_share_found([search(seed) for seed in range(REPEATS)]) for search in (_ours, _stock))
    record_property("ours", ours)
    record_property("stock", stock)
    print(f"\nbest layer found: ours {ours:.0%}, stock {stock:.0%} of {2 * REPEATS} groups")
    assert ours >= max(stock, 0.9)


@pytest.mark.slow
@pytest.mark.parametrize(("groups", "trials"), [(1, 1000), (2, 4000)])
def test_thousands_of_simulated_trials_take_seconds(groups: int, trials: int) -> None:
    plan = simulated_plan(groups=tuple(sorted(BEST_LAYER))[:groups], samples=trials // groups // 5)
    begin = time.process_time()
    Simulation(plan, StudyStore(InMemoryStorage(), plan.name), workers=16).run()
    print(f"\n{groups} groups, {trials} trials: {time.process_time() - begin:.1f} s of CPU")
