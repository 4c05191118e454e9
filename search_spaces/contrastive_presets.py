"""What the contrastive spaces share: the presets, and the learning rates that every candidate is tuned over.

Compare at equal numbers of forward examples: every candidate, `normal` included, trains on the same views.
"""

from dataclasses import replace
from functools import partial

from search_spaces.presets import by_name, demo, smoke, tune_rate
from search_spaces.space import Candidate, Preset, Space
from trainables.job.assignment import DataSettings
from trainables.metrics.catalogue import EVERYDAY

NORMAL = Candidate(label="normal", config={"target": "none"}, baseline=True)

# The report's protocol; one epoch of its 4120 utterances in batches of 256 is 16 steps.
_PAPER_DATA = DataSettings(
    batch=256,
    crop_seconds=1.024,
    training_snrs=(-10.0, -5.0, 0.0, 5.0, 10.0),
    evaluation_snrs=(-7.5, -2.5, 2.5, 7.5),
    noise_level="crop",
    valid_seconds=400,
    test_seconds=4096,  # 500 utterances at four SNRs
    evaluation_clip_seconds=2.048,
)

PRESETS = by_name(
    smoke(
        groups=(),
        steps=8,
        metric="si_sdr",
        data=replace(_PAPER_DATA, batch=2, crop_seconds=0.256, valid_seconds=8, test_seconds=8),
        config={"size": "tiny", "optimizer": "adamw"},
    ),
    demo(
        groups=(),
        steps=400,
        round_steps=50,
        metric="si_sdr",
        data=replace(_PAPER_DATA, batch=4, crop_seconds=0.512, valid_seconds=30, test_seconds=75),
        config={"size": "tiny", "optimizer": "adamw", "lr_floor": 0.05},
    ),
    Preset(
        name="paper",
        summary="the report's network, batches of 256 and 400 epochs",
        groups=(),
        samples=6,
        seeds=5,
        steps=6400,
        round_steps=160,
        metric="si_sdr",
        data=_PAPER_DATA,
        config={"size": "base", "optimizer": "sgd", "momentum": 0.9, "weight_decay": 1e-4},
        at_scale=True,
    ),
)


def learning_rates(preset: Preset) -> list[float]:
    """The same for every candidate, so that trials of one rate share what they have in common.

    A few hundred steps of AdamW need other rates than thousands of steps of SGD.
    """
    if preset.config["optimizer"] == "sgd":
        return [0.005, 0.02, 0.05, 0.1]
    return [5e-3, 1e-2]


# A space of this method gives its name, question and candidates, and whatever differs from these.
contrastive_space = partial(
    Space,
    method="contrastive_se",
    group_by=None,
    groups=(),
    presets=PRESETS,
    baseline=NORMAL.label,
    scored=(*EVERYDAY, "nb_pesq"),  # the report's PESQ is narrow-band
    published="contrastive_se",
    **tune_rate(learning_rates),
)
