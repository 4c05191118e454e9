"""Which configuration is best: layers (also several), strength, schedule, momentum, head and losses together?

There are too many combinations to enumerate: every search trial draws one, and the best become finalists.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING

from search_spaces.space import BEST_CONFIGURATION, Candidate, Config, Group, Preset
from search_spaces.ssl_presets import (
    STRENGTHS,
    anchor_rates,
    at_base_size,
    baselines,
    deepest_default,
    paper_layer,
    ssl_space,
    suggest_rates,
)
from trainables.normalized_ssl.config import PAPER_STRENGTH, SPECTRAL_UPSTREAMS, NormalizedSSLConfig

if TYPE_CHECKING:
    import optuna

FINALISTS = ("best1", "best2", "best3")  # configurations, by rank


def _candidates(group: Group, preset: Preset) -> Sequence[Candidate]:
    """The finalists' ranks; in search each is a share of the same pool of trials."""
    return [*baselines(), *(Candidate(label=rank, config={"init": "pretrained"}) for rank in FINALISTS)]


def _suggest(trial: "optuna.Trial", group: Group, candidate: Candidate, preset: Preset) -> Config:
    values = suggest_rates(trial, preset)
    if candidate.baseline:
        return values
    names = list(_layer_sets(group, preset))
    chosen = trial.suggest_categorical("layers", names)
    values |= {
        "norm_layers": _layer_sets(group, preset)[chosen],
        "k0": trial.suggest_categorical("k0", STRENGTHS),
        "k_shape": trial.suggest_categorical("k_shape", ["linear", "cosine", "exp", "step", "poly"]),
        "k_end": trial.suggest_float("k_end", 0.3, 0.95),
        "k_hold": trial.suggest_float("k_hold", 0.0, 0.3),
        "horizon_m": trial.suggest_float("horizon_m", 1.0, max(2.0, 0.05 * preset.steps), log=True),
        "horizon_r": trial.suggest_float("horizon_r", 1.0, max(2.0, 0.2 * preset.steps), log=True),
    }
    if values["k_shape"] == "poly":
        values["k_power"] = trial.suggest_categorical("k_power", [0.5, 2.0])
    spectral = group["upstream"] in SPECTRAL_UPSTREAMS
    if not spectral:
        values["norm_site"] = trial.suggest_categorical("norm_site", ["input", "output"])
    base = at_base_size(preset)
    for name, choices in _decoder_choices(spectral, base).items():
        values[name] = trial.suggest_categorical(name, choices)
    for name in _loss_weights(spectral, base):
        values[name] = trial.suggest_float(name, 0.1, 10.0, log=True)
    return values


def _decoder_choices(spectral: bool, base: bool) -> dict[str, list[int]]:
    """The head's kernel or the U-Net's widths, which are fixed at tiny size."""
    if spectral:
        return {"head_kernel": [1, 3, 5]}
    return {"skip_channels": [64, 128], "decoder_channels": [128, 256, 512]} if base else {}


def _loss_weights(spectral: bool, base: bool) -> list[str]:
    """Of the paper's losses; at tiny size another loss replaces them."""
    return ["w_time", "w_mstft", *(["w_cirm"] if spectral else [])] if base else []


def _anchor(group: Group, candidate: Candidate, preset: Preset) -> Config:
    """The paper's own setting; the other ranks begin with other layers at the same strength."""
    values = anchor_rates(group, preset)
    if candidate.baseline:
        return values
    low_layers = list(range(1, deepest_default(group, preset) + 1))
    starts = {"best1": paper_layer(group), "best2": low_layers, "best3": low_layers[-1:]}
    spectral, base = group["upstream"] in SPECTRAL_UPSTREAMS, at_base_size(preset)
    as_they_are = ["k_shape", "k_end", "k_hold", *_decoder_choices(spectral, base), *_loss_weights(spectral, base)]
    if not spectral:
        as_they_are.append("norm_site")
    defaults = NormalizedSSLConfig()
    means, ratios = defaults.horizons(preset.steps)
    return {
        **values,
        **{name: getattr(defaults, name) for name in as_they_are},
        "norm_layers": starts[candidate.label],
        "k0": PAPER_STRENGTH[group["upstream"]],
        "horizon_m": means,
        "horizon_r": ratios,
    }


def _parameters(anchor: Config) -> Config:
    """Sets of layers are drawn by name."""
    values = dict(anchor)
    if "norm_layers" in values:
        values["layers"] = _name_of(values.pop("norm_layers"))
    return values


def _name_of(layers: Sequence[int]) -> str:
    return "+".join(map(str, layers))


def _layer_sets(group: Group, preset: Preset) -> dict[str, list[int]]:
    """Every non-empty set of low layers by name: "1", "1+3"."""
    layers = range(1, deepest_default(group, preset) + 1)
    sets = [list(each) for size in range(1, len(layers) + 1) for each in combinations(layers, size)]
    return {_name_of(each): each for each in sets}


NORM_JOINT = ssl_space(
    name="norm_joint",
    question="Which configuration is best when everything is tuned, for each upstream?",
    candidates=_candidates,
    suggest=_suggest,
    anchor=_anchor,
    parameters=_parameters,
    answer=BEST_CONFIGURATION,
)
