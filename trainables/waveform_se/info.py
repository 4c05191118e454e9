"""Supervised waveform enhancement as a sweep sees it."""

from collections.abc import Sequence

from trainables.config.method_info import MethodInfo
from trainables.waveform_se.config import WaveformSEConfig

# Seconds of a step at tiny size: (whatever the batch, for each second of audio in it), in time of one thread's own.
_STEP_SECONDS = {"demucs": (0.009, 0.0055), "se_conformer": (0.012, 0.0034), "conv_tasnet": (0.009, 0.0088)}


def _cautions(config: WaveformSEConfig) -> Sequence[str]:
    if config.network != "se_conformer" or config.size == "tiny":
        return ()
    return ("faithful=partial: the sizes of SE-Conformer are not public; these are of a third party's code",)


INFO = MethodInfo(
    name="waveform_se",
    config=WaveformSEConfig,
    build="trainables.waveform_se.method:build",
    runners={"waveform_se_weights": "trainables.waveform_se.published_weights:run"},
    weights_checks={"waveform_se_weights": "trainables.waveform_se.published_weights:check_local"},
    full_size=lambda config: config.size == "base",
    step_seconds=lambda config: _STEP_SECONDS[config.network],
    checkpoint_bytes=(8e6, 730e6),  # non-causal DEMUCS with 64 channels; causal takes 400e6
    cautions=_cautions,
)
