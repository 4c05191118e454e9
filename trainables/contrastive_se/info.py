"""Contrastive speech enhancement as a sweep sees it."""

from trainables.config.method_info import FULL_SIZE_ON_CPU, TINY_CHECKPOINT_BYTES, MethodInfo
from trainables.contrastive_se.config import ContrastiveSEConfig

_BASE_CHECKPOINT_BYTES = 61e6

INFO = MethodInfo(
    name="contrastive_se",
    config=ContrastiveSEConfig,
    build="trainables.contrastive_se.method:build",
    groups="target",
    step_seconds=lambda config: (0.01, 0.025) if config.size == "tiny" else None,  # in two views
    checkpoint_bytes=lambda config: (
        _BASE_CHECKPOINT_BYTES if config.size == "base" else TINY_CHECKPOINT_BYTES
    ),
    refuses={
        "paired": "holds pairs of clean and noisy recordings, and {space} puts one clean crop into several noises: "
        "give a corpus that has speech/ and noise/ apart"
    },
    cautions=lambda config, device: [FULL_SIZE_ON_CPU] if config.size == "base" and device == "cpu" else [],
    curves={name: name for name in ("loss_se", "loss_cl", "contrastive_on", "spread")},
    alarm="collapsed",
)
