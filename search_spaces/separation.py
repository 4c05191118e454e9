"""What the three questions about separation share: presets, learning rates and the baseline.

Every candidate, the baseline included, is tuned by the learning rate alone, over the same values.
"""

from functools import partial

from search_spaces.presets import by_name, demo, smoke, tune_rate
from search_spaces.space import Candidate, Preset, Space
from trainables.job.assignment import DataSettings
from trainables.metrics.catalogue import SEPARATION
from trainables.separation.architectures import MODELS

SCRATCH = Candidate(label="scratch", config={"strategy": "scratch"}, baseline=True)

PRESETS = by_name(
    smoke(
        groups=("convtasnet",),
        steps=4,
        metric="si_sdri",
        data=DataSettings(batch=2, crop_seconds=0.5, valid_seconds=4, test_seconds=4, evaluation_clip_seconds=1.0),
        config={
            "size": "tiny",
            "pretraining_steps": 4,
            "pretraining_stretch": 2,
            "observed_mixtures": 4,
            "observed_seconds": 0.5,
        },
    ),
    demo(
        groups=("convtasnet",),
        steps=240,
        round_steps=30,
        metric="si_sdri",
        data=DataSettings(batch=4, crop_seconds=1.5, valid_seconds=40, test_seconds=80),
        config={
            "size": "tiny",
            "pretraining_steps": 240,
            "pretraining_stretch": 120,
            "pretraining_batch": 6,
            "observed_mixtures": 40,
            "observed_seconds": 2.0,
        },
    ),
    # An epoch of Libri2Mix train-100 is 13,900 mixtures, one crop each: 580 steps at batch 24, 3,475 at batch 4.
    # Table 3 of the paper: batch 24, 4 for DPTNet; section 5.3: 200 epochs for DPRNN; else 100.
    Preset(
        name="paper",
        summary="the published networks on LibriMix or wsj0-2mix",
        groups=("convtasnet", "dprnn", "dptnet"),
        samples=3,
        seeds=3,
        steps=58_000,  # 100 epochs of Libri2Mix train-100 at batch 24
        round_steps=580,
        metric="si_sdri",
        data=DataSettings(
            batch=24,
            crop_seconds=3.0,
            valid_seconds=7200,
            test_seconds=39_600,
            evaluation_clip_seconds=60.0,
        ),
        config={
            "size": "paper",
            "pretraining_steps": 42_400,  # 20 epochs of Libri1Mix train-360 at batch 24
            "pretraining_stretch": 21_200,
            "pretraining_batch": 24,
            "pretraining_crop_seconds": 3.0,
            "mtl_ratio": 3.65,
            "observed_mixtures": 2000,
        },
        by_group={
            "dprnn": {"steps": 116_000, "crop_seconds": 2.0, "config": {"pretraining_crop_seconds": 2.0}},
            "dptnet": {
                "steps": 347_500,
                "round_steps": 3_475,
                "batch": 4,
                "crop_seconds": 4.0,
                "config": {
                    "schedule": "noam",
                    "pretraining_steps": 254_000,
                    "pretraining_stretch": 127_000,
                    "pretraining_batch": 4,
                    "pretraining_crop_seconds": 4.0,
                },
            },
            "sandglasset": {  # not of the paper: 4 s as in its own, and DPTNet's batch and budget
                "steps": 347_500,
                "round_steps": 3_475,
                "batch": 4,
                "crop_seconds": 4.0,
                "config": {
                    "pretraining_steps": 254_000,
                    "pretraining_stretch": 127_000,
                    "pretraining_batch": 4,
                    "pretraining_crop_seconds": 4.0,
                },
            },
        },
        at_scale=True,
    ),
)


def learning_rates(preset: Preset) -> list[float]:
    """Around the paper's 1e-3 at its scale; a few hundred steps need higher ones."""
    return [3e-4, 1e-3, 2e-3] if preset.at_scale else [1e-3, 2e-3, 4e-3]


# A space of this method gives its name, question and candidates.
separation_space = partial(
    Space,
    method="separation",
    group_by="model",
    groups=MODELS,
    presets=PRESETS,
    baseline=SCRATCH.label,
    scored=SEPARATION,
    published="separation",
    **tune_rate(learning_rates),
)
