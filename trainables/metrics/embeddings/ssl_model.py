"""Self-supervised speech models in `transformers` format, as a metric needs them: whole, in float32 on the CPU."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from trainables.base.errors import UserError
from trainables.base.paths import shown
from trainables.base.published.files import CONFIG_FILE, local_files, weights_of

SAMPLE_RATE = 16_000  # Hz, of all these models
FAMILIES = ("wavlm", "wav2vec2", "hubert", "unispeech-sat", "data2vec-audio")  # those that read waveforms
_UNUSED = {"masked_spec_embed"}  # of pre-training only; some files lack it


def read_config(folder: Path) -> dict[str, Any]:
    """config.json of a model of these families; imports no torch. Raises UserError where it is none."""
    try:
        config = json.loads((folder / CONFIG_FILE).read_bytes())
        family = config["model_type"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{shown(folder)}: holds no {CONFIG_FILE} of a transformers model; give the folder of one"
        ) from error
    if family not in FAMILIES:
        raise UserError(f"{shown(folder)}: a model of type {family!r}; {', '.join(FAMILIES)} are read")
    return config


def load_whole(model_class: Any, place: str, setting: str) -> Any:
    """The model at `place` by a class of `transformers`; `setting` is where the user has named it.

    Raises UserError where it is absent, or lacks weights that the class would otherwise make up at random.
    """
    from transformers.utils import logging

    folder = local_files(place, setting=setting)
    read_config(folder)
    weights_of(folder)
    logging.set_verbosity_error()  # without remarks on heads that are not loaded
    logging.disable_progress_bar()
    try:
        model, report = model_class.from_pretrained(folder, local_files_only=True, output_loading_info=True)
    except Exception as error:  # transformers and its file formats fail in many ways
        reason = (str(error).splitlines() or [""])[0]
        raise UserError(f"{place}: cannot be loaded ({type(error).__name__}: {reason}); download it again") from error
    missing = sorted(name for name in report["missing_keys"] if name.split(".")[-1] not in _UNUSED)
    if missing or report["mismatched_keys"]:
        lacking = missing[0] if missing else "weights of the right size"
        raise UserError(f"{place}: its weights lack {lacking}; give the folder of a whole {model_class.__name__[:40]}")
    return model.float().eval()


def frames_of(samples: int, config: Mapping[str, Any]) -> int:
    """Feature frames that a model makes of a waveform."""
    frames = samples
    for kernel, stride in zip(config["conv_kernel"], config["conv_stride"], strict=True):
        frames = (frames - kernel) // stride + 1
    return max(frames, 0)


def outputs(network: Any, waveform: np.ndarray, **options: Any) -> Any:
    """What a model makes of one waveform, (samples,); alone, so without padding, and to the same bits everywhere."""
    import torch

    from trainables.base.determinism import deterministic

    with deterministic(threads=1), torch.inference_mode():
        return network(torch.from_numpy(waveform.astype(np.float32))[None], **options)
