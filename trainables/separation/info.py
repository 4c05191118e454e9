"""Speaker separation as a sweep sees it."""

from trainables.config.method_info import FULL_SIZE_ON_CPU, TINY_CHECKPOINT_BYTES, MethodInfo
from trainables.separation.config import SeparationConfig

_PAPER_CHECKPOINT_BYTES = 102e6  # DPTNet; Conv-TasNet takes 61e6
# Seconds of a separation batch at tiny size; multi-task training has others on top.
_STEP_SECONDS = {"convtasnet": (0.012, 0.019), "dprnn": (0.018, 0.041), "dptnet": (0.024, 0.030)}
_PRETRAINING_STEP_SECONDS = {"convtasnet": 0.12, "dprnn": 0.20, "dptnet": 0.19}

INFO = MethodInfo(
    name="separation",
    config=SeparationConfig,
    build="trainables.separation.method:build",
    runners={
        "separation_pretraining": "trainables.separation.pretraining:run",
        "separation_published_weights": "trainables.separation.pretraining:import_checkpoint",
    },
    groups="model",
    step_seconds=lambda config: _STEP_SECONDS[config.model] if config.size == "tiny" else None,
    pretraining_step_seconds=lambda config: _PRETRAINING_STEP_SECONDS[config["model"]],
    checkpoint_bytes=lambda config: (
        _PAPER_CHECKPOINT_BYTES if config.size == "paper" else TINY_CHECKPOINT_BYTES
    ),
    cautions=lambda config, device: [FULL_SIZE_ON_CPU] if config.size == "paper" and device == "cpu" else [],
    curves={
        "switch_percent": "switch_percent",
        "switch_symmetric_percent": "switch_symmetric_percent",
        "margin_mean": "margin",
        "*/k": "k",
        "*/log_ratio_max": "log_ratio_max",
    },
    counts_label_switches=True,
)
