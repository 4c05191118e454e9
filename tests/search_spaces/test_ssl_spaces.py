"""The spaces on normalized SSL fine-tuning: what they compare, and that all of it can be trained."""

import re
from typing import Any

import optuna
import pytest
from optuna.distributions import FloatDistribution

from search_spaces import SPACES, Candidate, Preset, Space
from search_spaces.norm_controls import PLANTED_LAYER
from search_spaces.ssl_presets import PAPER, SMALL
from trainables.normalized_ssl.config import UPSTREAMS, NormalizedSSLConfig

SSL_SPACES = [space for space in SPACES.values() if space.method == "normalized_ssl"]
RATES = ("lr_head", "lr_body_ratio")
GROUPS = [{"upstream": upstream} for upstream in UPSTREAMS]


def named(name: str) -> Space:
    return SPACES[name]


def candidates(name: str, upstream: str, preset: str = "demo") -> dict[str, Candidate]:
    space = named(name)
    found = space.candidates({"upstream": upstream}, space.presets[preset])
    return {candidate.label: candidate for candidate in found}


def complete(
    group: dict[str, str], preset: Preset, candidate: Candidate, nuisance: dict[str, Any]
) -> NormalizedSSLConfig:
    return NormalizedSSLConfig.from_dict({**preset.config, **group, **nuisance, **candidate.config})


def cases() -> list[Any]:
    return [
        pytest.param(space, preset, id=f"{space.name}-{preset.name}")
        for space in SSL_SPACES
        for preset in space.presets.values()
    ]


@pytest.mark.parametrize(("space", "preset"), cases())
def test_every_candidate_can_be_trained_for_every_upstream(space: Space, preset: Preset) -> None:
    for group in GROUPS:
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
        for candidate in space.candidates(group, preset):
            anchor = space.anchor(group, candidate, preset)
            drawn = space.suggest(study.ask(), group, candidate, preset)
            complete(group, preset, candidate, anchor)
            complete(group, preset, candidate, drawn)
            assert set(anchor) <= set(drawn) | {"norm_layers"}


@pytest.mark.parametrize(("space", "preset"), cases())
def test_candidates_are_distinct_with_both_baselines_and_labels_for_folders(space: Space, preset: Preset) -> None:
    for group in GROUPS:
        found = list(space.candidates(group, preset))
        labels = [candidate.label for candidate in found]
        assert len(set(labels)) == len(labels)
        assert [candidate.label for candidate in found if candidate.baseline] == ["none", "random"]
        assert all(re.fullmatch(r"[a-z0-9.-]+", label) for label in labels)


@pytest.mark.parametrize("space", SSL_SPACES, ids=lambda space: space.name)
def test_learning_rates_are_drawn_over_the_same_values_for_every_candidate(space: Space) -> None:
    preset, group = space.presets["demo"], GROUPS[0]
    rates = []
    for candidate in space.candidates(group, preset):
        trial = optuna.create_study().ask()
        space.suggest(trial, group, candidate, preset)
        rates.append({name: trial.distributions[name] for name in RATES})
    assert all(each == rates[0] for each in rates)


def test_layers_1_to_3_and_at_base_size_also_4_of_waveform_bodies() -> None:
    assert set(candidates("norm_layers", "hubert")) == {"none", "random", "layer1", "layer2", "layer3"}
    assert "layer4" in candidates("norm_layers", "wavlm", "paper")
    assert "layer4" not in candidates("norm_layers", "mockingjay", "paper")


def test_demo_and_smoke_ask_about_tera_and_wav2vec2_by_default() -> None:
    for space in SSL_SPACES:
        assert set(space.groups) == set(UPSTREAMS)
        assert all(space.presets[name].groups == ("tera", "wav2vec2") for name in ("demo", "smoke"))


def test_sites_are_read_both_ways_where_that_makes_two_networks() -> None:
    assert set(candidates("norm_site", "tera")) == {"none", "random", "input1", "input2", "input3", "output3"}
    waveform = candidates("norm_site", "wav2vec2")
    assert {f"{site}{layer}" for site in ("input", "output") for layer in range(1, 10)} <= set(waveform)


def test_controls_plant_the_same_disturbance_everywhere_and_remove_it_in_one() -> None:
    found = candidates("norm_controls", "wav2vec2")
    assert {candidate.config["planted_layer"] for candidate in found.values()} == {PLANTED_LAYER}
    layer = NormalizedSSLConfig.from_dict({"upstream": "wav2vec2", **found[f"layer{PLANTED_LAYER}"].config})
    assert layer.norm_sites == (layer.planted_site,)
    assert (layer.k0, layer.k_shape) == (1.0, "constant")


def test_every_rival_with_a_field_of_its_own_tunes_as_many_values_as_the_normalization() -> None:
    space = named("norm_rivals")
    for preset in (space.presets["demo"], space.presets["paper"]):
        for group in GROUPS:
            tuned = {}
            for candidate in space.candidates(group, preset):
                trial = optuna.create_study().ask()
                space.suggest(trial, group, candidate, preset)
                own = {name: each for name, each in trial.distributions.items() if name not in RATES}
                tuned[candidate.label] = [len(getattr(each, "choices", ())) for each in own.values()]
                first = space.anchor(group, candidate, preset)
                assert all(first[name] in getattr(each, "choices", ()) for name, each in own.items())
            fixed = {"none", "random", "draft", "noisy-pretraining", "denoise-pretraining"}
            assert all(found == ([] if label in fixed else [4]) for label, found in tuned.items())


def test_rivals_meet_the_normalization_of_the_papers_layer_and_nothing_else_changes() -> None:
    for upstream, layer in (("tera", 1), ("wavlm", 2)):
        found = candidates("norm_rivals", upstream)
        assert found["normed"].config["norm_layers"] == [layer]
        assert found["adversary"].config["adversary_layer"] == layer
        rivals = [each for label, each in found.items() if label not in ("normed", "random")]
        assert all(each.config["norm_layers"] == [] and each.config["init"] == "pretrained" for each in rivals)
    assert "denoise-pretraining" in found
    published = candidates("norm_rivals", "wavlm", "paper")
    assert set(found) - set(published) == {"draft", "noisy-pretraining", "denoise-pretraining"}
    assert set(published) - set(found) == {"bsse"}


def test_bins_of_momentum_tile_their_ranges() -> None:
    space, group = named("norm_momentum"), GROUPS[0]
    preset = space.presets["paper"]
    ranges: dict[str, set[tuple[float, float]]] = {"horizon_m": set(), "horizon_r": set()}
    for candidate in space.candidates(group, preset):
        trial = optuna.create_study().ask()
        space.suggest(trial, group, candidate, preset)
        for name, found in ranges.items():
            if name in trial.distributions:
                distribution = trial.distributions[name]
                assert isinstance(distribution, FloatDistribution)
                assert distribution.log
                found.add((distribution.low, distribution.high))
    for name, share in (("horizon_m", 0.05), ("horizon_r", 0.2)):
        (first, second) = sorted(ranges[name])
        assert first[0] == 1.0
        assert first[1] == second[0]
        assert second[1] == pytest.approx(share * preset.steps)


def test_the_joint_space_draws_several_layers_at_once() -> None:
    space, group = named("norm_joint"), {"upstream": "wav2vec2"}
    preset = space.presets["paper"]
    candidate = candidates("norm_joint", "wav2vec2", "paper")["best1"]
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    drawn = [space.suggest(study.ask(), group, candidate, preset) for _ in range(60)]
    assert {len(each["norm_layers"]) for each in drawn} >= {1, 2, 3}
    assert {each["norm_site"] for each in drawn} == {"input", "output"}
    assert {each["decoder_channels"] for each in drawn} == {128, 256, 512}
    assert all(0.1 <= each["w_mstft"] <= 10.0 and "w_cirm" not in each for each in drawn)


def test_the_ranks_of_the_joint_space_begin_with_configurations_of_their_own() -> None:
    space = named("norm_joint")
    for group in GROUPS:
        found = [each for each in space.candidates(group, PAPER) if not each.baseline]
        starts = [space.anchor(group, candidate, PAPER)["norm_layers"] for candidate in found]
        assert len({tuple(start) for start in starts}) == len(found)


def test_at_scale_crops_are_the_papers() -> None:
    for preset in (SMALL, PAPER):
        added = {"apc": 2.0, "wav2vec2-robust": 1.0}
        assert preset.groups == ("tera", "wav2vec2", "hubert", "wavlm")
        crops = {upstream: preset.for_group(upstream).data.crop_seconds for upstream in UPSTREAMS}
        assert crops == {"mockingjay": 2.0, "tera": 2.0, "wav2vec2": 1.0, "hubert": 1.0, "wavlm": 1.0, **added}
        assert preset.data.batch == 8
        assert preset.metric == "wb_pesq"


def test_waveform_bodies_train_twice_as_long_at_paper_scale() -> None:
    """The paper: 50,000 and 100,000 iterations."""
    budgets = {upstream: PAPER.for_group(upstream).steps for upstream in UPSTREAMS}
    spectral = ("mockingjay", "tera", "apc")
    assert budgets == {upstream: 50_000 if upstream in spectral else 100_000 for upstream in UPSTREAMS}
