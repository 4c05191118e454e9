"""Normalized SSL as a sweep sees it."""

from collections.abc import Mapping
from typing import Any

from trainables.config.method_info import MethodInfo
from trainables.normalized_ssl.config import NormalizedSSLConfig
from trainables.ssl.upstream_table import UPSTREAM_TABLE

_FOLDER = "trainables.normalized_ssl"


def _pretraining_step_seconds(config: Mapping[str, Any]) -> float:
    """A denoising body hears every crop twice, but for the transformer."""
    upstream = UPSTREAM_TABLE[config["upstream"]]
    twice = 1.15 if upstream.spectral else 1.35
    return upstream.pretraining_step_seconds * (twice if config.get("pretraining_input") == "denoise" else 1.0)


INFO = MethodInfo(
    name="normalized_ssl",
    config=NormalizedSSLConfig,
    build=f"{_FOLDER}.method:build",
    runners={
        "ssl_clean_statistics": f"{_FOLDER}.clean_statistics:run",
        "ssl_adaptation": f"{_FOLDER}.adaptation:run",
        "ssl_noise_types": f"{_FOLDER}.noise_types:run",
        "ssl_transfer_gap": f"{_FOLDER}.gates.gates:transfer_gap",
        "ssl_mismatch": f"{_FOLDER}.gates.gates:mismatch",
    },
    gates=f"{_FOLDER}.gates.stages",
    groups="upstream",
    full_size=lambda config: config.size == "base",
    step_seconds=lambda config: UPSTREAM_TABLE[config.upstream].step_seconds,
    pretraining_step_seconds=_pretraining_step_seconds,
    checkpoint_bytes=(8e6, 320e6),  # TERA with a frozen branch up to layer 3; the waveform bodies take 230e6
    curves={
        "*/k": "k",
        "*/log_ratio_max": "log_ratio_max",
        "similarity/*": "similarity/*",
        "readout/*": "readout/*",
        "adapter*/size": "adapter*/size",
        "probe_accuracy": "probe_accuracy",
        "adversary_accuracy": "adversary_accuracy",
    },
)
