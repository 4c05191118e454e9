"""Tiny WavLMs in `transformers` format, with weights that depend on nothing but their names."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

SIZES: dict[str, Any] = {
    "hidden_size": 16,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "conv_dim": (12, 12, 12),
    "conv_kernel": (10, 8, 8),
    "conv_stride": (5, 8, 8),
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
    "num_feat_extract_layers": 3,
}
XVECTOR: dict[str, Any] = {
    "tdnn_dim": (12, 12, 20),
    "tdnn_kernel": (5, 3, 1),
    "tdnn_dilation": (1, 2, 1),
    "xvector_output_dim": 10,
}


def body(folder: Path, layers: int = 12) -> Path:
    """A WavLM without a head."""
    from transformers import WavLMConfig, WavLMModel

    return _saved(WavLMModel(WavLMConfig(num_hidden_layers=layers, **SIZES)), folder)


def speaker_model(folder: Path, normalizes: bool = True) -> Path:
    """A WavLM with an x-vector head."""
    from transformers import WavLMConfig, WavLMForXVector

    _saved(WavLMForXVector(WavLMConfig(num_hidden_layers=2, **SIZES, **XVECTOR)), folder)
    (folder / "preprocessor_config.json").write_text(
        json.dumps({"feature_extractor_type": "Wav2Vec2FeatureExtractor", "do_normalize": normalizes})
    )
    return folder


def _saved(model: Any, folder: Path) -> Path:
    import torch

    with torch.no_grad():
        for name, weights in model.named_parameters():
            seed = list(hashlib.sha256(f"{name}{tuple(weights.shape)}".encode()).digest()[:8])
            drawn = np.random.default_rng(seed).standard_normal(tuple(weights.shape))
            if weights.ndim == 1:  # biases, and the scales of normalizations
                drawn = 0.1 * drawn + name.endswith("norm.weight")
            else:
                drawn *= (0.1 if "attention" in name else 1.0) / np.sqrt(weights[0].numel())  # or all frames get alike
            weights.copy_(torch.from_numpy(drawn))
    model.save_pretrained(folder)
    return folder
