"""Normalized SSL as a sweep sees it."""

from trainables.config.method_info import FULL_SIZE_ON_CPU, TINY_CHECKPOINT_BYTES, MethodInfo
from trainables.normalized_ssl.config import NormalizedSSLConfig
from trainables.normalized_ssl.upstream_table import UPSTREAM_TABLE

_FOLDER = "trainables.normalized_ssl"
_BASE_CHECKPOINT_BYTES = 320e6  # TERA with a frozen branch up to layer 3; the waveform bodies take 230e6


def _step_seconds(config: NormalizedSSLConfig) -> tuple[float, float] | None:
    return UPSTREAM_TABLE[config.upstream].step_seconds if config.size == "tiny" else None


INFO = MethodInfo(
    name="normalized_ssl",
    config=NormalizedSSLConfig,
    build=f"{_FOLDER}.method:build",
    runners={
        "ssl_pretraining": f"{_FOLDER}.pretraining.pretraining:run",
        "ssl_speech_units": f"{_FOLDER}.pretraining.speech_units:run",
        "ssl_published_weights": f"{_FOLDER}.published_weights.reading:run",
        "ssl_clean_statistics": f"{_FOLDER}.clean_statistics:run",
        "ssl_transfer_gap": f"{_FOLDER}.gates.gates:transfer_gap",
        "ssl_mismatch": f"{_FOLDER}.gates.gates:mismatch",
    },
    gates=f"{_FOLDER}.gates.stages",
    groups="upstream",
    step_seconds=_step_seconds,
    pretraining_step_seconds=lambda config: UPSTREAM_TABLE[config["upstream"]].pretraining_step_seconds,
    checkpoint_bytes=lambda config: (
        _BASE_CHECKPOINT_BYTES if config.size == "base" else TINY_CHECKPOINT_BYTES
    ),
    cautions=lambda config, device: [FULL_SIZE_ON_CPU] if config.size == "base" and device == "cpu" else [],
    curves={"*/k": "k", "*/log_ratio_max": "log_ratio_max", "similarity/*": "similarity/*"},
)
