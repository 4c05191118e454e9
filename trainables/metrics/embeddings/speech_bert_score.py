"""SpeechBERTScore: how much of what an estimate holds its reference holds too, in features of a self-supervised model.

Saeki, Maiti, Takamichi, Watanabe, Saruwatari: "SpeechBERTScore: Reference-aware automatic evaluation of speech
generation leveraging NLP evaluation metrics", Interspeech 2024: the precision, eq. (3). Waveforms go in as they are, as
in the authors' package discrete-speech-metrics, whatever the model's own feature extractor does.
"""

from pathlib import Path
from typing import Any

import numpy as np

from trainables.metrics import Unscorable
from trainables.metrics.embeddings.ssl_model import frames_of, load_whole, outputs, read_config

# Transformer layers of a model -> the one whose output is compared: the paper's of WavLM-large, and the URGENT
# challenge's of mHuBERT-147; of other models the last, as in the authors' package.
LAYER = {24: 14, 12: 8}


def check(place: str) -> None:
    """Raises UserError for a folder that holds no speech model of a known family."""
    read_config(Path(place))


def load(place: str) -> Any:
    """A body of `transformers`. Raises UserError where it is absent, of another kind or incomplete."""
    from transformers import AutoModel

    return load_whole(AutoModel, place, "--also speech_bert_score")


def speech_bert_score(reference: np.ndarray, estimate: np.ndarray, sample_rate: int, model: Any) -> float:
    """The mean over the estimate's frames of the largest cosine with a frame of the reference, -1 to 1.

    Both (samples,) at 16 kHz. Raises Unscorable("too_short") under one frame (25 ms).
    """
    if frames_of(min(len(reference), len(estimate)), model.config.to_dict()) < 1:
        raise Unscorable("too_short")
    ours, theirs = _features(estimate, model), _features(reference, model)
    return float((ours @ theirs.T).max(axis=1).mean())


def _features(waveform: np.ndarray, model: Any) -> np.ndarray:
    """Unit vectors, (frames, channels) float64."""
    states = outputs(model, waveform, output_hidden_states=True).hidden_states
    layer = LAYER.get(model.config.num_hidden_layers, model.config.num_hidden_layers)
    features = states[layer][0].double().numpy()
    return features / np.linalg.norm(features, axis=1, keepdims=True)
