"""A question whose answer is known, as a space and as a score, for the benchmarks of the search.

Upstreams differ by more than layers do, and a badly chosen learning rate costs more than a badly chosen layer:
that is what makes the question hard. Nothing is trained.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from benchmarks.simulation.simulated import simulated_plan, stated
from search_spaces.norm_layers import NORM_LAYERS
from search_spaces.space import Candidate, Config, Group, Preset, Space
from sweep.plan.plan import GroupPlan, Plan
from trainables.base.randomness import generator

LEVEL = {"weak": 0.0, "fair": 1.5, "good": 3.0, "strong": 4.5, "best": 6.0}  # dB
BEST_LAYER = {"weak": 2, "fair": 3, "good": 1, "strong": 2, "best": 3}
_LAYER_STEP = 0.15  # dB lost per layer away from the best
_NOISE = 0.05  # dB, of every score
_SEED_NOISE = 0.05  # dB, of a training seed
ROUNDS, ROUND_STEPS = 8, 2


def _candidates(group: Group, preset: Preset) -> Sequence[Candidate]:
    return NORM_LAYERS.candidates({"upstream": "tera"}, preset)


def _suggest(trial: Any, group: Group, candidate: Candidate, preset: Preset) -> Config:
    """As norm_layers has them, but continuous."""
    values: Config = {
        "lr_head": trial.suggest_float("lr_head", 2e-4, 2e-2, log=True),
        "lr_body_ratio": trial.suggest_float("lr_body_ratio", 0.1, 1.0),
    }
    if candidate.config["norm_layers"]:
        values["k0"] = trial.suggest_float("k0", 0.1, 1.0)
    return values


def _anchor(group: Group, candidate: Candidate, preset: Preset) -> Config:
    strength = {"k0": 0.8} if candidate.config["norm_layers"] else {}
    return {"lr_head": 1e-3, "lr_body_ratio": 1.0, **strength}


WORLD = Space(
    name="known_world",
    question="Which layer is best, where the answer is known?",
    method="normalized_ssl",
    group_by="upstream",
    groups=("tera",),
    candidates=_candidates,
    suggest=_suggest,
    anchor=_anchor,
    presets={"smoke": NORM_LAYERS.presets["smoke"]},
)


def world_plan(groups: int, **changes: Any) -> Plan:
    """A plan over the first `groups` upstreams of this world, with 8 rounds a job."""
    group = {"upstream": "tera"}  # what the method's configuration knows; the score goes by the group's name
    candidates = tuple(_candidates(group, WORLD.presets["smoke"]))
    named = tuple(GroupPlan(name=name, group=group, candidates=candidates) for name in list(LEVEL)[:groups])
    plan = simulated_plan(
        groups=("tera",),
        space="known_world",
        space_file=__file__,
        steps=ROUNDS * ROUND_STEPS,
        round_steps=ROUND_STEPS,
    )
    return replace(plan, groups=named, **{"exempt": 3, **changes})


def world_score(assignment: dict[str, Any], step: int) -> float:
    """dB: what `Simulation` asks in place of a round of training."""
    group = assignment["job"].split("/")[0]
    config, seed = assignment["config"], assignment["seed"]
    key = json.dumps([group, stated(config)], sort_keys=True)
    luck = _luck(seed, f"{group} {config['norm_layers']} {config['init']}")
    noise = generator(seed, key, step).normal(0, _NOISE)
    risen = 2 * (1 - math.exp(-3 * step / (ROUNDS * ROUND_STEPS)))
    return float(LEVEL[group] + _gain(group, config) - _loss(config) + risen + luck + noise)


@cache
def _luck(seed: int, candidate: str) -> float:
    """What a candidate owes to its seed."""
    return float(generator(seed, candidate).normal(0, _SEED_NOISE))


def _gain(group: str, config: dict[str, Any]) -> float:
    if config["init"] == "random":
        return -1.0
    if not config["norm_layers"]:
        return 0.2
    return 0.6 - _LAYER_STEP * abs(config["norm_layers"][0] - BEST_LAYER[group])


def _loss(config: dict[str, Any]) -> float:
    """Of nuisance values away from their optimum: up to 0.5, 0.2 and 0.1 dB."""
    rate = 0.5 * math.log10(config["lr_head"] / 2e-3) ** 2
    strength = 0.4 * (config["k0"] - 0.6) ** 2 if config["norm_layers"] else 0.0
    return rate + 0.8 * (config["lr_body_ratio"] - 0.5) ** 2 + strength


def found(answers: list[dict[str, str]]) -> float:
    """The share of groups, over all `answers` (group -> label), whose best layer was named."""
    hits = [label == f"layer{BEST_LAYER[group]}" for answer in answers for group, label in answer.items()]
    return sum(hits) / len(hits)
