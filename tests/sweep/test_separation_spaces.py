"""The three questions about separation as plans: what is compared, and what is computed once."""

from collections.abc import Sequence
from typing import Any

import pytest

from search_spaces import find_space
from trainables.config.method_config import MethodConfig
from trainables.config.registry import config_class
from trainables.job.stages import in_order

SPACES = ("separation_pretraining", "separation_finetuning", "separation_joint")
SEEDS = (11, 12, 13)
PLACE: dict[str, Any] = {"corpus_uri": "/corpus", "corpus_fingerprint": "f"}


def configs(name: str, preset_name: str) -> dict[tuple[str, str], MethodConfig]:
    space = find_space(name)
    preset = space.presets[preset_name]
    found = {}
    for model in preset.groups:
        group = {"model": model}
        for candidate in space.candidates(group, preset):
            values = {**preset.config, **group, **space.anchor(group, candidate, preset), **candidate.config}
            found[model, candidate.label] = config_class(space.method).from_dict(values)
    return found


@pytest.mark.parametrize("preset", ["smoke", "demo", "paper"])
@pytest.mark.parametrize("name", SPACES)
def test_every_candidate_is_possible_and_none_is_another(name: str, preset: str) -> None:
    found = configs(name, preset)
    assert len({str(config) for config in found.values()}) == len(found)
    assert any(label == "scratch" for _, label in found)


def pretrainings(name: str) -> set[str]:
    """Every distinct stage that all jobs of a demo rest on."""
    stages = [
        stage
        for config in configs(name, "demo").values()
        for seed in SEEDS
        for stage in in_order(config.stages(seed=seed, **PLACE))
    ]
    return {stage.key for stage in stages}


def test_pre_training_is_computed_once_per_task_and_seed() -> None:
    assert len(pretrainings("separation_pretraining")) == 3 * len(SEEDS) * 2  # in two stretches


def test_all_of_fine_tuning_rests_on_one_run_per_seed() -> None:
    assert len(pretrainings("separation_finetuning")) == len(SEEDS) * 2
    assert pretrainings("separation_finetuning") < pretrainings("separation_pretraining")


def test_the_learning_rate_is_searched_over_the_same_range_for_all() -> None:
    space = find_space("separation_pretraining")
    preset = space.presets["demo"]

    class Trial:
        def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
            asked.append((name, tuple(choices)))
            return choices[0]

    asked: list[tuple[str, tuple[Any, ...]]] = []
    trial: Any = Trial()  # all of Optuna's that the space may use
    for candidate in space.candidates({"model": "dprnn"}, preset):
        space.suggest(trial, {"model": "dprnn"}, candidate, preset)
        assert space.anchor({}, candidate, preset)["lr"] in asked[-1][1]
    assert len(set(asked)) == 1
