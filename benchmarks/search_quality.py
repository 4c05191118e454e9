"""How often the best layer of every upstream is found, compared with stock OptunaSearch + ASHA at equal budget.

python -m benchmarks.search_quality --repeats 40

Ours: a study per upstream, a search for each candidate by itself (`--together`: one for all, as in earlier versions),
early stopping within a candidate, finalists with fresh seeds. Stock: Ray's
own `OptunaSearch` and `AsyncHyperBandScheduler`, driven as Tune drives them, on one study over upstream, layer and
learning rates, given as many rounds of training as ours took; its answer is the best trial of each upstream.
"""

import argparse
import random
import statistics
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from optuna.storages import InMemoryStorage
from ray.tune.schedulers import AsyncHyperBandScheduler, TrialScheduler
from ray.tune.search.optuna import OptunaSearch

from benchmarks.simulation.known_world import ROUND_STEPS, ROUNDS, WORLD, found, world_plan, world_score
from benchmarks.simulation.simulated import Simulation
from sweep.plan.plan import Plan, default_seeds
from sweep.study.study import StudyStore

WORKERS = 4


def ours(plan: Plan, seed: int) -> tuple[dict[str, str], int]:
    """The candidate whose finalists have the best mean in each group, and the rounds it took."""
    store = StudyStore(InMemoryStorage(), plan.name)
    simulation = Simulation(plan, store, WORKERS, random.Random(seed), score=world_score)
    simulation.run()
    return {group.name: _best_finalist(store, group.name) for group in plan.groups}, simulation.events


def _best_finalist(store: StudyStore, group: str) -> str:
    scores: dict[str, list[float]] = {}
    for record in store.records(group, "final"):
        scores.setdefault(record.job.candidate, []).append(record.score or 0.0)
    return max(scores, key=lambda label: statistics.fmean(scores[label]))


@dataclass
class _Trial:
    """The part of Tune's trial that its scheduler uses."""

    trial_id: str
    assignment: dict[str, Any]
    step: int = 0


def stock(plan: Plan, seed: int, rounds: int) -> dict[str, str]:
    """The candidate of each group's best trial, by its last score."""
    searcher = OptunaSearch(_stock_space(plan), metric="score", mode="max", seed=seed)
    # Any: it is handed our `_Trial`s, and no controller.
    scheduler: Any = AsyncHyperBandScheduler(
        time_attr="round", metric="score", mode="max", max_t=ROUNDS, grace_period=1, reduction_factor=4
    )
    order = random.Random(seed)
    running: list[_Trial] = []
    last: dict[str, tuple[float, str, str]] = {}
    for number in range(rounds):
        while len(running) < WORKERS:
            running.append(_suggested(plan, searcher, f"{number}-{len(running)}", seed))
            scheduler.on_trial_add(None, running[-1])
        trial = order.choice(running)
        trial.step += ROUND_STEPS
        score = world_score(trial.assignment, trial.step)
        result = {"round": trial.step // ROUND_STEPS, "score": score, "training_iteration": trial.step}
        group, label = trial.assignment["job"].split("/")
        last[trial.trial_id] = (score, group, label)
        searcher.on_trial_result(trial.trial_id, result)
        if scheduler.on_trial_result(None, trial, result) == TrialScheduler.STOP:
            running.remove(trial)
            scheduler.on_trial_complete(None, trial, result)
            searcher.on_trial_complete(trial.trial_id, result)
    unanswered = {group.name: "" for group in plan.groups}
    return unanswered | {group: label for _, group, label in sorted(last.values())}


def _stock_space(plan: Plan) -> Any:
    preset = plan.preset_object("")

    def space(trial: Any) -> None:
        trial.suggest_categorical("group", [group.name for group in plan.groups])
        group, labels = plan.groups[0], [candidate.label for candidate in plan.groups[0].candidates]
        candidate = plan.candidate(group.name, trial.suggest_categorical("candidate", labels))
        WORLD.suggest(trial, group.group, candidate, preset)

    return space


def _suggested(plan: Plan, searcher: OptunaSearch, trial_id: str, seed: int) -> _Trial:
    suggestion = searcher.suggest(trial_id)
    assert suggestion is not None
    drawn = dict(suggestion)
    group, label = drawn.pop("group"), drawn.pop("candidate")
    assignment = {"job": f"{group}/{label}", "config": plan.config(group, label, drawn), "seed": seed}
    return _Trial(trial_id, assignment)


def compare(
    repeats: int, groups: int, samples: int, seeds: int, together: bool = False
) -> dict[str, list[dict[str, str]]]:
    """The answers of both methods, one per repeat: group -> candidate. Repeats run on all cores."""
    with ProcessPoolExecutor() as pool:
        pairs = list(pool.map(partial(_repeat, groups, samples, seeds, together), range(repeats)))
    return {"ours": [answer for answer, _ in pairs], "stock": [answer for _, answer in pairs]}


def _repeat(groups: int, samples: int, seeds: int, together: bool, seed: int) -> tuple[dict[str, str], dict[str, str]]:
    finals = default_seeds(seeds, seed)
    keyed = {"sweep_seed": seed, "search_seed": seed, "tunes_apart": not together}
    plan = world_plan(groups, samples=samples, seeds=finals, **keyed)
    answer, rounds = ours(plan, seed)
    return answer, stock(plan, seed, rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument("--groups", type=int, default=4)
    parser.add_argument("--samples", type=int, default=4, help="search trials per candidate")
    parser.add_argument("--seeds", type=int, default=3, help="finalist seeds per candidate")
    parser.add_argument("--together", action="store_true", help="ours with one search for all candidates of a group")
    arguments = parser.parse_args()
    for name, answers in compare(**vars(arguments)).items():
        print(f"{name:5s}  best layer found for {found(answers):.0%} of {len(answers) * arguments.groups}")
        for group in answers[0]:
            print(f"       {group:6s} {found([{group: answer[group]} for answer in answers]):.0%}")


if __name__ == "__main__":
    main()
