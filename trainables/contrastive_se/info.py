"""Contrastive speech enhancement as a sweep sees it."""

from trainables.config.method_info import MethodInfo
from trainables.contrastive_se.config import ContrastiveSEConfig

INFO = MethodInfo(
    name="contrastive_se",
    config=ContrastiveSEConfig,
    build="trainables.contrastive_se.method:build",
    groups="target",
    full_size=lambda config: config.size == "base",
    step_seconds=lambda config: (0.01, 0.025),  # in two views
    checkpoint_bytes=(8e6, 61e6),
    refuses={
        "paired": "holds pairs of clean and noisy recordings, and {space} puts one clean crop into several noises: "
        "give a corpus that has speech/ and noise/ apart"
    },
    curves={name: name for name in ("loss_se", "loss_cl", "contrastive_on", "spread")},
    alarm="collapsed",
)
