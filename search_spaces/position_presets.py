"""What the spaces on position-invariant fine-tuning share: presets, candidates and learning rates.

Runs are faithful in part: the paper's model, losses and padding are known, its layer, rates, gamma and speeds are taken
from its authors' earlier code (docs/position_invariant.md).
"""

from functools import partial
from typing import TYPE_CHECKING, Any

from search_spaces.presets import by_name, demo, smoke
from search_spaces.space import Candidate, Config, Group, Preset, Space
from trainables.job.assignment import DataSettings
from trainables.metrics.catalogue import EVERYDAY
from trainables.position_invariant.config import MEASURES, UPSTREAMS

if TYPE_CHECKING:
    import optuna

SMOKE = smoke(
    groups=("hubert",),
    steps=4,
    metric="stoi",
    data=DataSettings(batch=2, crop_seconds=0.5, valid_seconds=4.5, test_seconds=4.5, evaluation_clip_seconds=1.5),
    config={"size": "tiny", "front_steps": 3, "pretraining_steps": 3, "representation_pairs": 2},
)
DEMO = demo(
    groups=("hubert",),
    steps=400,
    round_steps=50,
    metric="stoi",
    data=DataSettings(batch=4, crop_seconds=1.0),
    config={"size": "tiny", "warmup_share": 0.1, "representation_pairs": 6},
)
# LibriSpeech with noises of DEMAND's kind, as in the authors' noise-robust fine-tuning; test noises are all unseen.
PAPER = Preset(
    name="paper",
    summary="base size, 3,600 updates, faithful=partial: rates unpublished",
    groups=UPSTREAMS,
    samples=6,
    seeds=5,
    steps=3_600,
    round_steps=100,
    metric="wb_pesq",
    data=DataSettings(
        batch=8,
        crop_seconds=4.0,
        training_snrs=(5.0, 10.0, 20.0),
        evaluation_snrs=(5.0, 10.0, 20.0),
        noise_level="crop",
        valid_seconds=150,
        test_seconds=2_500,
        evaluation_clip_seconds=36.0,  # no utterance of LibriSpeech is longer: transcripts fit, for error rates
    ),
    config={"size": "base", "front_steps": 50_000, "representation_pairs": 16},
    at_scale=True,
)
PRESETS = by_name(SMOKE, DEMO, PAPER)

UNTOUCHED = Candidate(label="none", config={"variant": "none"}, baseline=True)
FRAME_BY_FRAME = Candidate(label="mse", config={"variant": "mse"}, baseline=True)


def at_base_size(preset: Preset) -> bool:
    return preset.config["size"] == "base"


def learning_rates(preset: Preset) -> list[float]:
    """The same for every candidate; at tiny size for some hundreds of updates, not thousands."""
    return [1e-5, 2e-5, 5e-5, 1e-4, 2e-4] if at_base_size(preset) else [1e-4, 3e-4]


def suggest_rate(trial: "optuna.Trial", group: Group, candidate: Candidate, preset: Preset) -> Config:
    return {"lr": trial.suggest_categorical("lr", learning_rates(preset))}


def anchor_rate(group: Group, candidate: Candidate, preset: Preset) -> Config:
    """The rate of the authors' code at base size."""
    return {"lr": learning_rates(preset)[1]}


def own_values(candidate: Candidate, preset: Preset) -> dict[str, list[Any]]:
    """What the variant of a candidate has to tune of its own, at base size; a demo has no trials to spare."""
    if not at_base_size(preset):
        return {}
    speeds: dict[str, list[Any]] = {"speed_low": [0.8, 0.7, 0.9], "speed_high": [1.2, 1.1, 1.3]}
    tuned: dict[str, dict[str, list[Any]]] = {
        "mse_pad": {"pad_side": ["split", "left"], "pad_max": [0.05, 0.1, 0.2]},
        "softdtw": {"gamma": [0.1, 0.03, 0.3], **speeds},
        "mse_speed_interp": speeds,
    }
    return {
        name: values
        for name, values in tuned.get(candidate.config["variant"], {}).items()
        if name not in candidate.config
    }


def usual_suggest(trial: "optuna.Trial", group: Group, candidate: Candidate, preset: Preset) -> Config:
    """The learning rate; at base size also what the variant has of its own."""
    own = own_values(candidate, preset)
    drawn = {name: trial.suggest_categorical(name, values) for name, values in own.items()}
    return suggest_rate(trial, group, candidate, preset) | drawn


def usual_anchor(group: Group, candidate: Candidate, preset: Preset) -> Config:
    """The authors' values, each the first of its list."""
    own = {name: values[0] for name, values in own_values(candidate, preset).items()}
    return anchor_rate(group, candidate, preset) | own


# A space of this method gives its name, question and candidates, and whatever differs from these.
position_space = partial(
    Space,
    method="position_invariant",
    group_by="upstream",
    groups=UPSTREAMS,
    presets=PRESETS,
    suggest=suggest_rate,
    anchor=anchor_rate,
    baseline=FRAME_BY_FRAME.label,
    scored=(*EVERYDAY, *MEASURES),
)
