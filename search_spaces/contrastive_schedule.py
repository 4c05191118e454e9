"""When should the contrastive loss be active? And does the answer hold with little data?

Candidates: `normal` (enhancement alone) and the report's schedules of BYOL and SimSiam at one contrastive
weight; periods are shares of the budget. Every candidate, `normal` included, is tuned by the learning rate, on one
grid for all, so that search trials share their training up to the first switch of the schedule.
"""

from collections.abc import Sequence
from dataclasses import replace

from search_spaces.contrastive_presets import NORMAL, PRESETS, contrastive_space, learning_rates
from search_spaces.space import Candidate, Config, Group, Preset

_FLOOR = 0.1  # of the weight stays in the late phases of "floor"


def _candidates(group: Group, preset: Preset) -> Sequence[Candidate]:
    period = 0.125 if preset.name == "paper" else 0.25  # 50 of the report's 400 epochs
    switched: dict[str, Config] = {
        "full": {"schedule": "full"},
        "round": {"schedule": "round", "round_period": period},
        "pretrain": {"schedule": "pretrain", "pretrain_share": period},
    }
    more: dict[str, Config] = {
        "round_long": {"schedule": "round", "round_period": 2 * period},  # the report's "round(100 s)"
        "round_floor": {"schedule": "round", "round_period": period, "cl_floor": _FLOOR},
        "anneal": {"schedule": "anneal"},
        "adaptive": {"schedule": "full", "weighting": "balanced"},
    }
    alone = {name: switched[name] for name in ("full", "round")}
    chosen = {
        "smoke": {"byol": alone, "simsiam": {"full": switched["full"]}},
        "demo": {"byol": {**switched, "adaptive": more["adaptive"]}, "simsiam": alone},
        "paper": {"byol": {**switched, **more}, "simsiam": {**switched, **more}},
    }[preset.name]
    listed = [
        Candidate(label=f"{target}_{name}", config={"target": target, **config})
        for target, schedules in chosen.items()
        for name, config in schedules.items()
    ]
    return [NORMAL, *listed]


def _every_draw(group: Group, candidate: Candidate, preset: Preset) -> Sequence[Config]:
    return [{"lr": rate} for rate in learning_rates(preset)]


CONTRASTIVE_SCHEDULE = contrastive_space(
    name="contrastive_schedule",
    question="When should the contrastive loss be active in speech enhancement?",
    candidates=_candidates,
    every_draw=_every_draw,
)

# The report's Fig. 6: train and test are exchanged.
CONTRASTIVE_LOW_DATA = replace(
    CONTRASTIVE_SCHEDULE,
    name="contrastive_low_data",
    question="When should the contrastive loss be active with few training voices and noises?",
    presets={name: replace(preset, data=replace(preset.data, swap_roles=True)) for name, preset in PRESETS.items()},
    published=None,
)
