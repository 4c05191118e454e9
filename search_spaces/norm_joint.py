"""What is the best configuration of everything: layers, several at once, strength, schedule, momentum, head, losses?

Too many combinations to enumerate: every search trial draws one, and the best of all become finalists.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING

from search_spaces.space import BEST_CONFIGURATION, Candidate, Config, Group, Preset, Space
from search_spaces.ssl_presets import (
    STRENGTHS,
    anchor_rates,
    at_base_size,
    baselines,
    deepest_default,
    paper_layer,
    shared_fields,
    suggest_rates,
)
from trainables.normalized_ssl.config import PAPER_STRENGTH, SPECTRAL_UPSTREAMS, NormalizedSSLConfig
from trainables.normalized_ssl.strength_schedule import horizons

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
    return {**values, **_suggest_decoder(trial, spectral, at_base_size(preset))}


def _suggest_decoder(trial: "optuna.Trial", spectral: bool, base: bool) -> Config:
    """The head's kernel or the U-Net's widths, and at base size the weights of the paper's losses."""
    values: Config = {}
    if spectral:
        values["head_kernel"] = trial.suggest_categorical("head_kernel", [1, 3, 5])
    elif base:
        values["skip_channels"] = trial.suggest_categorical("skip_channels", [64, 128])
        values["decoder_channels"] = trial.suggest_categorical("decoder_channels", [128, 256, 512])
    weights = ("w_time", "w_mstft", *(("w_cirm",) if spectral else ())) if base else ()
    return values | {name: trial.suggest_float(name, 0.1, 10.0, log=True) for name in weights}


def _anchor(group: Group, candidate: Candidate, preset: Preset) -> Config:
    """The paper's own setting; and, so that ranks begin apart, other layers at the same strength."""
    values = anchor_rates(group, preset)
    if candidate.baseline:
        return values
    low_layers = list(range(1, deepest_default(group, preset) + 1))
    starts = {"best1": paper_layer(group), "best2": low_layers, "best3": low_layers[-1:]}
    means, ratios = horizons(NormalizedSSLConfig(), preset.steps)
    values |= {
        "norm_layers": starts[candidate.label],
        "k0": PAPER_STRENGTH[group["upstream"]],
        "k_shape": "linear",
        "k_end": 0.9,
        "k_hold": 0.0,
        "horizon_m": means,
        "horizon_r": ratios,
    }
    spectral, base = group["upstream"] in SPECTRAL_UPSTREAMS, at_base_size(preset)
    if spectral:
        return values | {
            "head_kernel": 1,
            **(dict.fromkeys(("w_time", "w_mstft", "w_cirm"), 1.0) if base else {}),
        }
    widths = {"skip_channels": 128, "decoder_channels": 256, "w_time": 1.0, "w_mstft": 1.0}
    return values | {"norm_site": "input", **(widths if base else {})}


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


NORM_JOINT = Space(
    name="norm_joint",
    question="Which configuration of everything is best, for each upstream?",
    candidates=_candidates,
    suggest=_suggest,
    anchor=_anchor,
    parameters=_parameters,
    answer=BEST_CONFIGURATION,
    **shared_fields(),
)
