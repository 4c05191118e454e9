"""The spaces on position-invariant fine-tuning: every candidate can be trained, and all are tuned alike."""

from collections.abc import Iterator
from typing import Any

import optuna
import pytest

from search_spaces import SPACES, Candidate, Preset, Space
from search_spaces.position_presets import PRESETS
from trainables.metrics.catalogue import METRICS
from trainables.position_invariant.config import MEASURES, UPSTREAMS, PositionInvariantConfig

NAMES = ("position_invariance", "position_softdtw", "position_layer", "position_controls")
EVERY = [(name, preset) for name in NAMES for preset in PRESETS]


def questions(name: str, preset: str) -> Iterator[tuple[Space, Preset, dict[str, str], Candidate]]:
    space = SPACES[name]
    setting = space.presets[preset]
    for upstream in UPSTREAMS:
        for candidate in space.candidates({"upstream": upstream}, setting):
            yield space, setting, {"upstream": upstream}, candidate


def resolved(
    setting: Preset, group: dict[str, str], candidate: Candidate, nuisance: dict[str, Any]
) -> PositionInvariantConfig:
    return PositionInvariantConfig.from_dict({**setting.config, **group, **nuisance, **candidate.config})


@pytest.mark.parametrize(("name", "preset"), EVERY)
def test_every_candidate_can_be_trained_at_its_anchor_and_any_draw(name: str, preset: str) -> None:
    for space, setting, group, candidate in questions(name, preset):
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
        anchor = space.anchor(group, candidate, setting)
        for nuisance in (anchor, *(space.suggest(study.ask(), group, candidate, setting) for _ in range(5))):
            resolved(setting, group, candidate, nuisance).data_settings(setting.data)
        study.enqueue_trial(anchor)
        assert space.suggest(study.ask(), group, candidate, setting) == anchor


@pytest.mark.parametrize(("name", "preset"), EVERY)
def test_candidates_differ_and_the_baselines_are_there(name: str, preset: str) -> None:
    space = SPACES[name]
    setting = space.presets[preset]
    group = {"upstream": "hubert"}
    listed = space.candidates(group, setting)
    labels = [candidate.label for candidate in listed]
    assert len(set(labels)) == len(labels)
    assert "none" in labels
    assert space.baseline in labels
    configs = [resolved(setting, group, each, space.anchor(group, each, setting)) for each in listed]
    assert len(set(configs)) == len(configs)


@pytest.mark.parametrize(("name", "preset"), EVERY)
def test_the_rate_is_searched_over_the_same_values_for_all(name: str, preset: str) -> None:
    ranges = set()
    for space, setting, group, candidate in questions(name, preset):
        trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1)).ask()
        space.suggest(trial, group, candidate, setting)
        ranges.add(str(trial.distributions["lr"]))
    assert len(ranges) == 1


def test_the_question_has_the_papers_baseline_and_both_its_cures() -> None:
    space = SPACES["position_invariance"]
    assert space.baseline == "mse"
    listed = {each.label: each.config for each in space.candidates({"upstream": "hubert"}, space.presets["demo"])}
    assert {config["variant"] for config in listed.values()} == {
        *("none", "mse", "mse_pad", "softdtw", "mse_speed_interp")
    }
    assert listed["mse"] == {"variant": "mse"}
    assert listed["mse_l2"] == {"variant": "mse", "l2norm": "on"}


def test_every_trained_candidate_of_the_control_has_the_same_component() -> None:
    space = SPACES["position_controls"]
    for preset in space.presets.values():
        listed = space.candidates({"upstream": "hubert"}, preset)
        strengths = {each.config.get("planted_position") for each in listed if each.label != "none"}
        assert strengths == {1.0}
        assert preset.metric == "si_sdr"


def test_the_papers_data_and_budget() -> None:
    paper = PRESETS["paper"]
    assert (paper.steps, paper.data.batch, paper.data.crop_seconds) == (3600, 8, 4.0)
    assert paper.data.training_snrs == (5.0, 10.0, 20.0)
    assert paper.data.evaluation_clip_seconds > 35.2  # the longest utterance of LibriSpeech: none is cut
    assert "faithful=partial" in paper.summary
    assert all(METRICS[name].measured for name in MEASURES)
    assert all(set(MEASURES) <= set(SPACES[name].scored) for name in NAMES)
