"""Speaker similarity: the cosine of two speaker embeddings.

The embeddings are x-vectors of a self-supervised speaker model in `transformers` format, as of
microsoft/wavlm-base-plus-sv (Chen et al.: "WavLM", IEEE JSTSP 2022), whose model card takes 0.86 as the threshold of
one and the same speaker. Figures of different models are not comparable.
"""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from trainables.base.errors import UserError
from trainables.base.published.files import PREPROCESSOR_FILE, local_files
from trainables.metrics import Unscorable
from trainables.metrics.embeddings.ssl_model import frames_of, load_whole, outputs, read_config

HEAD = "ForXVector"
_SETTING = "--also speaker_similarity"
_KEPT = 4096  # embeddings of one process: references come back with every job


@dataclass(frozen=True)
class SpeakerModel:
    """A `...ForXVector` of `transformers`; `normalizes`: whether it reads waveforms at zero mean and unit variance."""

    network: Any
    normalizes: bool
    kept: dict[bytes, np.ndarray] = field(default_factory=dict)


def check(place: str) -> None:
    """Raises UserError for a folder without an x-vector head, or without the facts on its input."""
    folder = Path(place)
    heads = read_config(folder).get("architectures") or []
    if not any(str(name).endswith(HEAD) for name in heads):
        raise UserError(
            f"{folder}: {', '.join(map(str, heads)) or 'its configuration'} has no x-vector head; give a speaker "
            "model, such as microsoft/wavlm-base-plus-sv"
        )
    _normalizes(folder)


def load(place: str) -> SpeakerModel:
    """Raises UserError as `check`, and where weights are absent or incomplete."""
    from transformers import AutoModelForAudioXVector

    folder = local_files(place, setting=_SETTING)
    check(str(folder))
    return SpeakerModel(load_whole(AutoModelForAudioXVector, place, _SETTING), _normalizes(folder))


def speaker_similarity(reference: np.ndarray, estimate: np.ndarray, sample_rate: int, model: SpeakerModel) -> float:
    """Cosine, -1 to 1, of the embeddings of two waveforms, (samples,) at 16 kHz.

    Raises Unscorable("too_short") where the model's last layers have fewer than two frames (about 0.35 s).
    """
    if _pooled_frames(min(len(reference), len(estimate)), model.network.config) < 2:
        raise Unscorable("too_short")
    one, other = _embedding(reference, model), _embedding(estimate, model)
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))


def _embedding(waveform: np.ndarray, model: SpeakerModel) -> np.ndarray:
    """(dimensions,) float64."""
    key = hashlib.blake2b(waveform.tobytes(), digest_size=16).digest()
    if key not in model.kept:
        if len(model.kept) >= _KEPT:
            model.kept.clear()
        signal = waveform.astype(np.float64)
        if model.normalizes:  # as the feature extractor of transformers
            signal = (signal - signal.mean()) / np.sqrt(signal.var() + 1e-7)
        model.kept[key] = outputs(model.network, signal).embeddings[0].double().numpy()
    return model.kept[key]


def _pooled_frames(samples: int, config: Any) -> int:
    """Frames that the statistics are taken over."""
    lost = sum((size - 1) * step for size, step in zip(config.tdnn_kernel, config.tdnn_dilation, strict=True))
    return frames_of(samples, config.to_dict()) - lost


def _normalizes(folder: Path) -> bool:
    try:
        return bool(json.loads((folder / PREPROCESSOR_FILE).read_bytes())["do_normalize"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{folder}: lacks a {PREPROCESSOR_FILE} that says do_normalize, without which the model's input is not "
            "known; give the folder of a whole model"
        ) from error
