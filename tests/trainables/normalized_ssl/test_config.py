"""The configuration: what it refuses, what it means, and what its pre-training depends on."""

import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from trainables.base.errors import UserError
from trainables.job.assignment import DataSettings
from trainables.normalized_ssl.config import NormalizedSSLConfig
from trainables.ssl.upstream_table import UPSTREAM_TABLE


def config(**values: Any) -> NormalizedSSLConfig:
    return NormalizedSSLConfig.from_dict(values)


def test_reading_it_needs_no_torch() -> None:
    code = "import sys, trainables.normalized_ssl.config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"upstream": "hubert9"}, ["upstream", "hubert9", "tera"]),
        ({"size": "huge"}, ["size", "tiny"]),
        ({"strenght": 1.0}, ["strenght", "k0"]),
        ({"norm_layers": [4]}, ["norm_layers", "[4]", "1 to 3"]),
        ({"upstream": "wav2vec2", "norm_layers": [0]}, ["norm_layers", "1 to 9"]),
        ({"norm_layers": [1, 1]}, ["norm_layers", "distinct"]),
        ({"norm_layers": "1"}, ["norm_layers", "list"]),
        ({"norm_layers": [True]}, ["norm_layers", "list"]),
        ({"norm_layers": [1], "init": "random"}, ["norm_layers", "random"]),
        ({"k0": 1.5}, ["k0", "1.5", "0 to 1"]),
        ({"k_shape": "square"}, ["k_shape", "square", "cosine"]),
        ({"lr_head": "fast"}, ["lr_head", "fast"]),
        ({"lr_head": float("nan")}, ["lr_head", "nan"]),
        ({"lr_head": None}, ["lr_head", "None"]),
        ({"pretraining_steps": 1.5}, ["pretraining_steps", "whole"]),
        ({"freeze_body": 1}, ["freeze_body", "true or false"]),
        ({"upstream": "wav2vec2", "cmvn": "corpus"}, ["cmvn", "wav2vec2", "no effect"]),
        ({"upstream": "wav2vec2", "w_cirm": 0.5}, ["w_cirm", "wav2vec2"]),
        ({"upstream": "wav2vec2", "skip_channels": 64}, ["skip_channels", "tiny"]),
        ({"w_time": 0, "w_mstft": 0, "w_cirm": 0}, ["w_time", "above 0"]),
        ({"adapters": "both", "adapter_layers": [4]}, ["adapter_layers", "[4]", "1 to 3"]),
        ({"upstream": "wavlm", "adapters": "only", "adapter_layers": [0, 9]}, ["adapter_layers", "1 to 9"]),
        ({"adapters": "both", "freeze_body": True}, ["adapters", "both", "freeze_body"]),
        ({"adapters": "draft", "freeze_body": True}, ["adapters", "draft", "freeze_body"]),
        ({"adapters": "draft", "size": "base"}, ["adapters", "draft", "base"]),
        ({"adapters": "draft", "init": "random"}, ["adapters", "draft", "random"]),
        ({"adapters": "only", "adapter_channels": 0}, ["adapter_channels", "1 to 4,096"]),
        ({"adversary_layer": 4}, ["adversary_layer", "4", "1 to 3"]),
        ({"upstream": "wav2vec2", "adversary_layer": 1}, ["adversary_layer", "2 to 9"]),
        ({"adversary_layer": 1, "norm_layers": [1]}, ["adversary_layer", "norm_layers"]),
        ({"adversary_layer": 1, "freeze_body": True}, ["adversary_layer", "frozen"]),
        ({"adversary_layer": 1, "adapters": "only"}, ["adversary_layer", "frozen"]),
        ({"adversary_layer": 1, "adversary_domains": "speakers"}, ["adversary_domains", "speakers", "noise"]),
        ({"readout": "bsse", "w_time": 0, "w_mstft": 0}, ["w_time", "above 0"]),
        ({"readout": "mean"}, ["readout", "mean", "weighted_ln"]),
        ({"readout": "weighted", "readout_sites": [1, 4]}, ["readout_sites", "[1, 4]", "0, 1, 2, 3", "frame rate"]),
        (
            {"upstream": "wavlm", "readout": "weighted", "readout_sites": [7, 9]},
            ["readout_sites", "8, 9"],
        ),
        ({"pretraining_input": "rain"}, ["pretraining_input", "rain", "denoise"]),
        ({"size": "base", "pretraining_input": "noisy"}, ["pretraining_input", "noisy", "base"]),
    ],
)
def test_a_refusal_names_field_value_and_what_is_allowed(values: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(UserError) as refusal:
        NormalizedSSLConfig.from_dict(values)
    assert all(word in str(refusal.value) for word in words)
    assert "\n" not in str(refusal.value)


def test_adapters_need_a_body_of_transformer_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(UPSTREAM_TABLE, "tera", replace(UPSTREAM_TABLE["tera"], transformer=False))
    assert config(upstream="tera").adapters is None
    with pytest.raises(UserError, match="adapters='only' is not possible; allowed: only null with tera") as refusal:
        config(upstream="tera", adapters="only")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("types", "data", "words"),
    [
        (None, DataSettings(), "no types"),
        (0, DataSettings(), "no types"),
        (1, DataSettings(), "1 type"),
        (4, DataSettings(swap_roles=True), "swapped splits"),
    ],
)
def test_a_corpus_whose_noises_have_no_types_is_refused(types: int | None, data: DataSettings, words: str) -> None:
    summary = {"splits": {"train": {} if types is None else {"noise_types": types}}}
    chosen = config(adversary_layer=2, adversary_domains="noise")
    with pytest.raises(UserError, match=f"adversary_domains='noise' is not possible; allowed: only clean .*{words}$"):
        chosen.require_corpus(summary, data)
    chosen.require_corpus({"splits": {"train": {"noise_types": 2}}}, DataSettings())
    config(adversary_layer=2).require_corpus(summary, data)


@pytest.mark.parametrize("values", [{}, {"norm_layers": (3, 1), "k0": 0.25}, {"upstream": "wav2vec2"}])
def test_it_survives_a_dictionary(values: dict[str, Any]) -> None:
    original = NormalizedSSLConfig.from_dict(values)
    assert NormalizedSSLConfig.from_dict(original.to_dict()) == original


def test_strength_settings_vanish_where_nothing_is_normalized() -> None:
    assert config(norm_layers=[], k0=0.3, k_shape="exp", norm_site="output") == config()


@pytest.mark.parametrize(
    ("values", "without_effect"),
    [
        ({"adapters": "both"}, {"draft_steps": 3}),
        ({}, {"adapter_layers": [1], "adapter_channels": 8, "adversary_strength": 1.0, "lr_adversary_ratio": 1.0}),
        ({"adapters": "only"}, {"freeze_body": True, "lr_body_ratio": 0.1}),
        (
            {},
            {"readout_sites": [1], "lr_readout_ratio": 3.0, "adversary_domains": "noise", "pretraining_input": "clean"},
        ),
        ({"init": "random"}, {"pretraining_input": "noisy"}),
        ({"readout": "bsse"}, {"w_cirm": 0.5, "head_kernel": 3}),
        ({"upstream": "wavlm"}, {"pretraining_input": "mixing"}),
    ],
)
def test_settings_of_rivals_vanish_where_they_are_off(values: dict[str, Any], without_effect: dict[str, Any]) -> None:
    assert config(**values, **without_effect) == config(**values)
    assert config(**values) == NormalizedSSLConfig.from_dict(config(**values).to_dict())


@pytest.mark.parametrize("written", [{"k0": 0.8}, {"k_power": 3.0}, {"skip_reads": "raw"}])
def test_what_is_resolved_or_not_read_later_is_kept_as_written(written: dict[str, Any]) -> None:
    """Candidates that train alike, yet are two: identities hash what is written."""
    plain = {"upstream": "tera", "norm_layers": [1]}
    assert NormalizedSSLConfig.from_dict({**plain, **written}) != NormalizedSSLConfig.from_dict(plain)


@pytest.mark.parametrize(
    ("values", "sites"),
    [
        ({"norm_layers": []}, ()),
        ({"norm_layers": [1, 3]}, (0, 2)),
        ({"norm_layers": [3], "norm_site": "output"}, (3,)),
        ({"upstream": "wav2vec2", "norm_layers": [2]}, (1,)),
        ({"upstream": "wav2vec2", "norm_layers": [9], "norm_site": "output"}, (9,)),
    ],
)
def test_a_layer_is_normalized_at_its_input_or_at_its_output(values: dict[str, Any], sites: tuple[int, ...]) -> None:
    assert config(**values).norm_sites == sites


def test_the_initial_strength_is_the_papers_unless_given() -> None:
    assert config(norm_layers=[1]).initial_strength == 0.8
    assert config(upstream="wav2vec2", norm_layers=[1]).initial_strength == 0.5
    assert config(norm_layers=[1], k0=0.25).initial_strength == 0.25


def key(seed: int = 1, **values: Any) -> str:
    (stage,) = config(**values).stages(seed, corpus_uri="corpus", corpus_fingerprint="fingerprint")
    return stage.key


def test_every_candidate_of_a_seed_shares_one_pretraining() -> None:
    candidates: list[dict[str, Any]] = [
        {"norm_layers": [2], "k0": 0.5},
        {"lr_head": 0.01, "clip": 1.0},
        {"w_si_sdr": 2.0},
        {"adapters": "only"},
        {"adversary_layer": 1},
        {"readout": "weighted"},
    ]
    assert {key(**candidate) for candidate in candidates} == {key()}


@pytest.mark.parametrize("other", [{"seed": 2}, {"pretraining_steps": 7}, {"cmvn": "corpus"}, {"upstream": "wav2vec2"}])
def test_what_changes_the_body_changes_its_key(other: dict[str, Any]) -> None:
    assert key(**other) != key()


def test_an_untrained_body_needs_pretraining_only_for_the_statistics_of_speech() -> None:
    assert config(init="random").stages(1, corpus_uri="corpus", corpus_fingerprint="fingerprint") == ()
    assert key(init="random", cmvn="corpus") == key(init="pretrained", cmvn="corpus")


@pytest.mark.parametrize(
    ("values", "muon"),
    [
        ({"upstream": "wav2vec2"}, True),
        ({"upstream": "wavlm"}, True),
        ({"upstream": "tera"}, True),
        ({"upstream": "apc"}, False),
        ({"upstream": "hubert", "size": "base"}, False),
        ({"upstream": "hubert", "size": "base", "optimizer": "muon"}, True),
        ({"upstream": "wav2vec2", "optimizer": "adam"}, False),
    ],
)
def test_tiny_transformers_take_muon_unless_an_optimizer_is_named(values: dict[str, str], muon: bool) -> None:
    assert NormalizedSSLConfig.from_dict(values).takes_muon is muon
