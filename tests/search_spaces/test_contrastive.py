"""The contrastive spaces: every draw is valid, and `normal` is tuned as much as the rest."""

from collections.abc import Iterator
from typing import Any

import optuna
import pytest

from search_spaces import SPACES, Candidate, Preset, Space
from search_spaces.contrastive_presets import learning_rates
from trainables.config.registry import config_class

NAMES = (
    "contrastive_schedule",
    "contrastive_weights",
    "contrastive_joint",
    "contrastive_low_data",
    "contrastive_controls",
)
PRESETS = ("smoke", "demo", "paper")
EVERY = [(name, preset) for name in NAMES for preset in PRESETS]


def groups_of(space: Space) -> list[dict[str, str]]:
    if space.group_by is None:
        return [{}]
    return [{space.group_by: name} for name in space.groups] or [{}]


def questions(name: str, preset_name: str) -> Iterator[tuple[Space, Preset, dict[str, str], Candidate]]:
    """Every (space, preset, group, candidate)."""
    space = SPACES[name]
    preset = space.presets[preset_name]
    for group in groups_of(space):
        for candidate in space.candidates(group, preset):
            yield space, preset, group, candidate


def resolved(
    space: Space, preset: Preset, group: dict[str, str], candidate: Candidate, nuisance: dict[str, Any]
) -> Any:
    merged = {**preset.config, **nuisance, **candidate.config}
    return config_class(space.method).from_dict(merged)


def draws(
    space: Space, preset: Preset, group: dict[str, str], candidate: Candidate, count: int = 6
) -> list[dict[str, Any]]:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    return [space.suggest(study.ask(), group, candidate, preset) for _ in range(count)]


@pytest.mark.parametrize(("name", "preset"), EVERY)
def test_every_draw_is_a_valid_configuration(name: str, preset: str) -> None:
    for question in questions(name, preset):
        for nuisance in draws(*question):
            resolved(*question, nuisance)


@pytest.mark.parametrize(("name", "preset"), EVERY)
def test_the_anchor_is_among_the_draws(name: str, preset: str) -> None:
    for space, setting, group, candidate in questions(name, preset):
        anchor = space.anchor(group, candidate, setting)
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
        study.enqueue_trial(anchor)
        assert space.suggest(study.ask(), group, candidate, setting) == anchor


@pytest.mark.parametrize(("name", "preset"), EVERY)
def test_candidates_differ_and_the_baseline_is_normal_training(name: str, preset: str) -> None:
    space = SPACES[name]
    setting = space.presets[preset]
    for group in groups_of(space):
        listed = space.candidates(group, setting)
        assert len({candidate.label for candidate in listed}) == len(listed)
        (baseline,) = [candidate for candidate in listed if candidate.baseline]
        assert (baseline.label, baseline.config) == (space.baseline, {"target": "none"})
        anchors = [resolved(space, setting, group, c, space.anchor(group, c, setting)) for c in listed]
        assert len(set(anchors)) == len(anchors)


@pytest.mark.parametrize(("name", "preset"), EVERY)
def test_the_optimizer_is_searched_over_the_same_values_for_all(name: str, preset: str) -> None:
    """Fairness: a contrastive gain must not be a learning rate."""
    ranges = set()
    for space, setting, group, candidate in questions(name, preset):
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
        trial = study.ask()
        space.suggest(trial, group, candidate, setting)
        shared = {
            key: str(each) for key, each in trial.distributions.items() if key in ("lr", "weight_decay", "momentum")
        }
        assert "lr" in shared
        ranges.add(tuple(sorted(shared.items())))
    assert len(ranges) == 1


@pytest.mark.parametrize("preset", PRESETS)
def test_a_schedule_trial_draws_nothing_but_a_rate_of_the_shared_grid(preset: str) -> None:
    for space, setting, group, candidate in questions("contrastive_schedule", preset):
        assert space.every_draw is not None
        grid = space.every_draw(group, candidate, setting)
        assert grid == [{"lr": rate} for rate in learning_rates(setting)]
        assert all(draw in grid for draw in draws(space, setting, group, candidate))


def test_enhancement_keeps_its_scale_whatever_the_contrastive_weight() -> None:
    for question in questions("contrastive_weights", "paper"):
        for nuisance in draws(*question):
            config = resolved(*question, nuisance)
            assert config.mix_scale == config.se_only_scale == 1.0


def test_periods_end_with_whole_rounds() -> None:
    """So that a prefix is shared up to the switch itself."""
    for name, preset in EVERY:
        if name == "contrastive_joint":
            continue
        for question in questions(name, preset):
            setting = question[1]
            for share in resolved(*question, {"lr": 0.01}).phase_switches():
                assert share * setting.steps % setting.round_steps == 0


def test_the_low_data_space_exchanges_the_splits() -> None:
    schedule, low = SPACES["contrastive_schedule"], SPACES["contrastive_low_data"]
    for name in PRESETS:
        assert low.presets[name].data.source_split("train") == "test"
        assert schedule.presets[name].data.source_split("train") == "train"
        assert low.presets[name].data.source_split("valid") == "valid"


def test_the_papers_protocol() -> None:
    paper = SPACES["contrastive_schedule"].presets["paper"]
    assert paper.data.training_snrs == (-10, -5, 0, 5, 10)
    assert paper.data.evaluation_snrs == (-7.5, -2.5, 2.5, 7.5)
    assert paper.data.batch == 256
    assert round(paper.data.crop_seconds * 16000) == 16384
    assert round(paper.data.evaluation_clip_seconds * 16000) == 32768
    assert "nb_pesq" in SPACES["contrastive_schedule"].scored
