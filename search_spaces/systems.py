"""Which system enhances best on this corpus, for the same audio and the same tuning?

Candidates name their own method: a self-supervised body without and with its published layer normalized, the
contrastive autoencoder without and with BYOL, and networks that are trained on the task alone. Each trains on as many
seconds of noisy audio (steps x batch x crop, where a contrastive batch counts noisy views), and is tuned by as many
trials over half, once and twice a learning rate of its own. What differs all the same is in docs/systems.md:
parameters, arithmetic, and the pre-training of the first two.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from search_spaces.presets import by_name, demo, smoke
from search_spaces.space import Candidate, Config, Group, Preset, Space
from search_spaces.ssl_presets import PAPER_LAYER
from trainables.job.assignment import DataSettings

if TYPE_CHECKING:
    import optuna

_UPSTREAM = "tera"  # the best of Table 1's self-supervised systems
_FACTOR, _FACTORS = "rate_factor", (0.5, 1.0, 2.0)  # of a system's own rate, which is the first that is tried
# One cheap loss, the deciding metric, teaches a tiny model more per second; the contrastive systems have no other.
_TINY: Config = {
    "w_time": 0.0, "w_l1": 0.0, "w_mstft": 0.0, "w_si_sdr": 1.0, "clip": 5.0, "warmup_share": 0.05, "lr_floor": 0.05,
}  # fmt: skip
# For some hundred steps at tiny size, from the valid split of the demo corpus; and those of the systems' publications.
_TINY_RATES = {
    "none": 8e-3, "normed": 8e-3, "normal": 1e-2, "byol": 1e-2,
    "demucs": 6e-3, "se_conformer": 6e-3, "conv_tasnet": 6e-3,
}  # fmt: skip
_PAPER_RATES = {
    "none": 1e-4, "normed": 1e-4, "normal": 0.05, "byol": 0.05,
    "demucs": 3e-4, "se_conformer": 3e-4, "conv_tasnet": 1e-3,
}  # fmt: skip

# How the systems' authors train them, but for the batch, the crop and the budget, which are the plan's.
RECIPES: dict[str, Config] = {
    # The released model of Table 1's row: not causal, 64 channels.
    "demucs": {
        "hidden": 64, "causal": False, "w_l1": 1.0, "w_mstft": 0.5,
        "remix": True, "band_mask": 0.2, "shift_seconds": 0.5,
    },
    "se_conformer": {
        "w_l1": 1.0, "w_mstft": 0.5, "beta2": 0.99, "clip": 1.0, "remix": True, "band_mask": 0.2, "shift_seconds": 2.0,
    },
    # Of asteroid's recipe for one speaker in noise.
    "conv_tasnet": {"w_l1": 0.0, "w_mstft": 0.0, "w_si_sdr": 1.0, "clip": 5.0, "plateau_patience": 5},
}  # fmt: skip


def _body(label: str, preset: Preset, norm_layers: list[int]) -> Candidate:
    own = {"upstream": _UPSTREAM, "lr_body_ratio": 0.5 if preset.at_scale else 1.0, "norm_layers": norm_layers}
    return Candidate(label=label, method="normalized_ssl", config=own)


def _waveform(label: str, preset: Preset) -> Candidate:
    own = RECIPES[label] if preset.at_scale else {}
    return Candidate(label=label, config={"network": label, **own})


def _contrastive(label: str, preset: Preset, target: str) -> Candidate:
    optimizer = "sgd" if preset.at_scale else "adamw"
    own = {"target": target, "optimizer": optimizer, "batch_of": "views"}
    return Candidate(label=label, method="contrastive_se", config=own)


def _candidates(group: Group, preset: Preset, contrastive: bool = True) -> Sequence[Candidate]:
    views = [_contrastive("normal", preset, "none"), _contrastive("byol", preset, "byol")] if contrastive else []
    return [
        _body("none", preset, []),
        _body("normed", preset, [PAPER_LAYER[_UPSTREAM]]),
        *views,
        *(_waveform(label, preset) for label in RECIPES),
    ]


def _rates(candidate: Candidate, preset: Preset) -> tuple[str, float]:
    """The field that is tuned, and the candidate's own rate."""
    field = "lr_head" if candidate.method == "normalized_ssl" else "lr"
    rates = _PAPER_RATES if preset.at_scale else _TINY_RATES
    return field, rates[candidate.label]


def _suggest(trial: "optuna.Trial", group: Group, candidate: Candidate, preset: Preset) -> Config:
    field, rate = _rates(candidate, preset)
    return {field: rate * trial.suggest_categorical(_FACTOR, _FACTORS)}


def _anchor(group: Group, candidate: Candidate, preset: Preset) -> Config:
    field, rate = _rates(candidate, preset)
    return {field: rate}


# No gates: whether pre-training helps and a mismatch is there are no conditions of this question.
PRESETS = by_name(
    smoke(
        groups=(),
        steps=4,
        metric="si_sdr",
        data=DataSettings(batch=2, crop_seconds=0.5, valid_seconds=4.5, test_seconds=4.5, evaluation_clip_seconds=1.5),
        config={"size": "tiny", "pretraining_steps": 3, **_TINY},
        gates=False,
    ),
    demo(
        groups=(),
        steps=500,
        round_steps=100,
        metric="si_sdr",
        data=DataSettings(batch=4, crop_seconds=1.0),
        config={"size": "tiny", **_TINY},
        gates=False,
    ),
    # 1.6 million seconds of audio: as in the contrastive report, twice the 800,000 s of feature normalization on TERA,
    # and an eighth of the speech in the 400 epochs of DEMUCS.
    Preset(
        name="paper",
        summary="published networks and recipes, 50,000 steps of 32 s each",
        groups=(),
        samples=6,
        seeds=5,
        steps=50_000,
        round_steps=2_500,
        metric="wb_pesq",
        data=DataSettings(
            batch=8,
            crop_seconds=4.0,
            snr_low=0.0,
            snr_high=15.0,
            valid_seconds=150,
            test_seconds=2_500,
            evaluation_clip_seconds=15.0,
        ),
        config={"size": "base", "similarity_pairs": 32},
        gates=False,
        at_scale=True,
    ),
)

SYSTEMS = Space(
    name="systems",
    question="Which system enhances best, at the same audio and the same tuning?",
    method="waveform_se",
    group_by=None,
    groups=(),
    candidates=_candidates,
    suggest=_suggest,
    anchor=_anchor,
    parameters=lambda anchor: {_FACTOR: 1.0},
    presets=PRESETS,
    published="feature_normalization",
)

# Recordings in pairs, such as VoiceBank-DEMAND's, are in one noise each, and the contrastive systems need several.
SYSTEMS_PAIRED = replace(
    SYSTEMS,
    name="systems_paired",
    question="Which system enhances best, on pairs of recordings such as VoiceBank-DEMAND's?",
    candidates=partial(_candidates, contrastive=False),
)
