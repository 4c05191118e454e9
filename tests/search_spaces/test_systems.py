"""The space of systems: each of its own method, tuned alike, heard alike, and at paper scale by its own recipe."""

from typing import Any

import optuna
import pytest

from search_spaces import SPACES, Candidate, Preset, Space
from search_spaces.systems import RECIPES
from trainables.config.fields import rules_of
from trainables.config.registry import config_class

NAMES, PRESETS = ("systems", "systems_paired"), ("smoke", "demo", "paper")


def questions(name: str, preset_name: str) -> list[tuple[Space, Preset, Candidate]]:
    space = SPACES[name]
    preset = space.presets[preset_name]
    return [(space, preset, candidate) for candidate in space.candidates({}, preset)]


def resolved(space: Space, preset: Preset, candidate: Candidate, nuisance: dict[str, Any]) -> Any:
    kind = config_class(candidate.method or space.method)
    shared = {field: value for field, value in preset.config.items() if field in rules_of(kind)}
    return kind.from_dict({**shared, **nuisance, **candidate.config})


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("preset", PRESETS)
def test_every_draw_is_a_valid_configuration_and_the_anchor_is_the_systems_own(name: str, preset: str) -> None:
    for space, sizes, candidate in questions(name, preset):
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
        drawn = [space.suggest(study.ask(), {}, candidate, sizes) for _ in range(30)]
        (field,) = drawn[0]
        own = space.anchor({}, candidate, sizes)[field]
        assert {each[field] / own for each in drawn} == {0.5, 1.0, 2.0}
        assert getattr(resolved(space, sizes, candidate, drawn[0]), field) == drawn[0][field]


def test_the_candidates_are_of_three_methods() -> None:
    space = SPACES["systems"]
    found = {each.label: each.method or space.method for each in space.candidates({}, space.presets["demo"])}
    assert found == {
        "none": "normalized_ssl",
        "normed": "normalized_ssl",
        "normal": "contrastive_se",
        "byol": "contrastive_se",
        "demucs": "waveform_se",
        "se_conformer": "waveform_se",
        "conv_tasnet": "waveform_se",
    }


@pytest.mark.parametrize("preset", PRESETS)
def test_recordings_in_pairs_are_for_all_but_the_contrastive_systems(preset: str) -> None:
    both = [[each[2] for each in questions(name, preset)] for name in NAMES]
    assert both[1] == [each for each in both[0] if each.method != "contrastive_se"]


def test_at_small_scale_all_train_on_the_deciding_metric_with_one_schedule() -> None:
    for question in questions("systems", "demo"):
        config = resolved(*question, {})
        weights = {name: getattr(config, name, 0.0) for name in ("w_time", "w_l1", "w_mstft", "w_cirm", "w_si_sdr")}
        if question[2].method != "contrastive_se":  # which has no other loss
            assert weights["w_si_sdr"] == 1.0
            assert not any(weights[name] for name in ("w_time", "w_l1", "w_mstft"))
        assert (config.clip, config.warmup_share, config.lr_floor) == (5.0, 0.05, 0.05)


@pytest.mark.parametrize("label", RECIPES)
def test_a_published_recipe_is_what_trains_at_paper_scale(label: str) -> None:
    (question,) = [each for each in questions("systems", "paper") if each[2].label == label]
    config = resolved(*question, question[0].anchor({}, question[2], question[1]))
    assert config.size == "base"
    assert {name: getattr(config, name) for name in RECIPES[label]} == RECIPES[label]
    assert (config.warmup_share, config.lr_floor) == (0.0, 1.0)  # none of them has a schedule by steps
