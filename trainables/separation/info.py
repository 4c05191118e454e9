"""Speaker separation as a sweep sees it."""

from trainables.config.method_info import MethodInfo
from trainables.separation.config import SeparationConfig

# Seconds of a separation batch at tiny size; multi-task training has others on top.
_STEP_SECONDS = {
    "convtasnet": (0.012, 0.019),
    "dprnn": (0.018, 0.041),
    "dptnet": (0.024, 0.030),
    "sandglasset": (0.03, 0.055),
}
_PRETRAINING_STEP_SECONDS = {"convtasnet": 0.12, "dprnn": 0.20, "dptnet": 0.19, "sandglasset": 0.25}

INFO = MethodInfo(
    name="separation",
    config=SeparationConfig,
    build="trainables.separation.method:build",
    runners={
        "separation_pretraining": "trainables.separation.pretraining:run",
        "separation_published_weights": "trainables.separation.pretraining:import_checkpoint",
    },
    weights_checks={"separation_published_weights": "trainables.separation.pretraining:published_network"},
    groups="model",
    full_size=lambda config: config.size != "tiny",
    step_seconds=lambda config: _STEP_SECONDS[config.model],
    pretraining_step_seconds=lambda config: _PRETRAINING_STEP_SECONDS[config["model"]],
    checkpoint_bytes=(8e6, 102e6),  # DPTNet; Conv-TasNet takes 61e6
    curves={
        "switch_percent": "switch_percent",
        "switch_symmetric_percent": "switch_symmetric_percent",
        "margin_mean": "margin",
        "loss_undecided": "undecided",
        "loss_conflict_percent": "conflict_percent",
        "phase": "phase",
        "*/k": "k",
        "*/log_ratio_max": "log_ratio_max",
    },
    counts_label_switches=True,
)
