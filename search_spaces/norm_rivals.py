"""Is feature normalization better than other cures for the same mismatch, for each self-supervised upstream?

Candidates: no cure, an untrained body, normalization of the paper's layer, and its rivals: a domain adversary at that
layer's input, adapters (alone, with the body, or with it after learning noisy speech by themselves), a learnt mean of
sites, BSSE, and pre-training on noisy speech with noisy or clean targets. All have the same trials over the same
learning rates; normalization and every rival that can be tuned after pre-training tune one more field of four values.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from search_spaces.space import Candidate, Config, Group, Preset
from search_spaces.ssl_presets import (
    PRESETS,
    SMOKE,
    STRENGTHS,
    anchor_rates,
    at_base_size,
    baselines,
    normalized,
    paper_layer,
    ssl_space,
    suggest_rates,
)
from trainables.normalized_ssl.config import PAPER_STRENGTH
from trainables.ssl.upstream_table import UPSTREAM_TABLE

if TYPE_CHECKING:
    import optuna

_ADAPTER_CHANNELS = {"tiny": (4, 8, 16, 32), "base": (32, 64, 128, 256)}


def _candidates(group: Group, preset: Preset) -> Sequence[Candidate]:
    """Published bodies are pre-trained already, and BSSE's decoder would dwarf a tiny one: each has its size."""
    (layer,) = paper_layer(group)
    pretraining = [
        _rival("draft", adapters="draft"),
        *(_rival(f"{heard}-pretraining", pretraining_input=heard) for heard in ("noisy", "denoise")),
    ]
    found = [
        *baselines(),
        normalized("normed", [layer]),
        _rival("adversary", adversary_layer=layer),
        _rival("adapters-only", adapters="only"),
        _rival("adapters", adapters="both"),
        _rival("weighted", readout="weighted"),
        *([_rival("bsse", readout="bsse")] if at_base_size(preset) else pretraining),
    ]
    behind_layers = UPSTREAM_TABLE[group["upstream"]].transformer
    return [each for each in found if behind_layers or "adapters" not in each.config]


def _rival(label: str, **fields: Any) -> Candidate:
    return Candidate(label=label, config={"init": "pretrained", "norm_layers": [], **fields})


def _own_field(group: Group, candidate: Candidate, preset: Preset) -> tuple[str, Sequence[float], float] | None:
    """What a candidate tunes next to its learning rates: the field, its values and the one to begin with."""
    channels = _ADAPTER_CHANNELS["base" if at_base_size(preset) else "tiny"]
    return {
        "normed": ("k0", STRENGTHS, PAPER_STRENGTH[group["upstream"]]),
        "adversary": ("adversary_strength", (0.01, 0.05, 0.2, 1.0), 0.05),
        "adapters-only": ("adapter_channels", channels, channels[1]),
        "adapters": ("adapter_channels", channels, channels[1]),
        "weighted": ("lr_readout_ratio", (1.0, 3.0, 10.0, 30.0), 3.0),
        "bsse": ("lr_readout_ratio", (1.0, 3.0, 10.0, 30.0), 3.0),
    }.get(candidate.label)


def _suggest(trial: "optuna.Trial", group: Group, candidate: Candidate, preset: Preset) -> Config:
    values = suggest_rates(trial, preset)
    if own := _own_field(group, candidate, preset):
        name, choices, _ = own
        values[name] = trial.suggest_categorical(name, choices)
    return values


def _anchor(group: Group, candidate: Candidate, preset: Preset) -> Config:
    values = anchor_rates(group, preset)
    if own := _own_field(group, candidate, preset):
        name, _, first = own
        values[name] = first
    return values


NORM_RIVALS = ssl_space(
    name="norm_rivals",
    question="Is normalization better than other cures for the same mismatch, for each upstream?",
    candidates=_candidates,
    presets={**PRESETS, "smoke": replace(SMOKE, config={**SMOKE.config, "draft_steps": 2})},
    suggest=_suggest,
    anchor=_anchor,
)
