"""The spectral transformer as s3prl's checkpoints name and compute it, written from their definition alone.

Post-LN BERT layers with s3prl's parameter names: an independent reference for the truncated spectral body.
"""

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

BASE = {
    "hidden_size": 768,
    "num_hidden_layers": 3,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
    "initializer_range": 0.02,
    "layer_norm_eps": "1.e-12",
    "share_layer": False,
    "pre_layer_norm": False,
}

# What s3prl's logMelBase-T-F-M.yaml says next to the transformer.
TASK = {
    "loss": "L1",
    "sequence_length": 1500,
    "position_encoding_size": 768,
    "mask_proportion": 0.15,
    "mask_consecutive_min": 7,
    "mask_consecutive_max": 7,
    "mask_allow_overlap": True,
    "mask_bucket_ratio": 1.5,
    "mask_frequency": 0.2,
    "noise_proportion": 0.15,
}
LOG_MELS = {"feat_type": "mel", "channel": 0, "log": True, "delta": 0, "cmvn": True}
AUDIO = {
    "target_level": -25,
    "win_ms": 25,
    "hop_ms": 10,
    "n_freq": 201,
    "n_mels": 80,
    "n_mfcc": 13,
    "input": LOG_MELS,
    "target": {**LOG_MELS, "channel": 1},
}
CONFIG = {"transformer": BASE, "task": TASK, "audio": AUDIO}


class Norm(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(1 + 0.1 * torch.randn(size))
        self.bias = nn.Parameter(0.1 * torch.randn(size))

    def forward(self, x: Tensor) -> Tensor:
        centred = x - x.mean(-1, keepdim=True)
        return self.weight * centred / torch.sqrt(centred.pow(2).mean(-1, keepdim=True) + 1e-12) + self.bias


def reference_transformer(layers: int = 3, hidden: int = 768, feed_forward: int = 3072) -> nn.Module:
    """Random weights under s3prl's names."""

    def linear(inputs: int = hidden, outputs: int = hidden) -> nn.Linear:
        return nn.Linear(inputs, outputs)

    def layer() -> nn.Module:
        attention = group(query=linear(), key=linear(), value=linear())
        output = group(dense=linear(), LayerNorm=Norm(hidden))
        return group(
            attention=nn.ModuleDict({"self": attention, "output": output}),
            intermediate=group(dense=linear(outputs=feed_forward)),
            output=group(dense=linear(inputs=feed_forward), LayerNorm=Norm(hidden)),
        )

    return group(
        input_representations=group(spec_transform=linear(inputs=80), LayerNorm=Norm(hidden)),
        encoder=group(layer=nn.ModuleList(layer() for _ in range(layers))),
    )


def group(**modules: nn.Module) -> nn.ModuleDict:
    return nn.ModuleDict(modules)


@torch.no_grad()
def hidden_states(model: nn.Module, features: Tensor, heads: int = 12) -> list[Tensor]:
    """(batch, frames, 80) -> the embedding and every layer's output, (batch, frames, hidden) each."""
    embedding: Any = model.input_representations
    encoder: Any = model.encoder
    hidden = embedding.spec_transform.out_features
    x = embedding.LayerNorm(embedding.spec_transform(features) + positions(features.shape[1], hidden))
    states = [x]
    for layer in encoder.layer:
        x = layer_output(layer, x, heads)
        states.append(x)
    return states


def layer_output(layer: Any, x: Tensor, heads: int) -> Tensor:
    attention, size = layer.attention, x.shape[-1] // heads
    context = []
    query, key, value = (part(x).split(size, dim=-1) for part in attention.self.children())
    for head in range(heads):
        scores = query[head] @ key[head].transpose(1, 2) / math.sqrt(size)
        context.append(torch.softmax(scores, dim=-1) @ value[head])
    x = attention.output.LayerNorm(attention.output.dense(torch.cat(context, dim=-1)) + x)
    inner = layer.intermediate.dense(x)
    inner = inner * 0.5 * (1.0 + torch.erf(inner / math.sqrt(2.0)))
    return layer.output.LayerNorm(layer.output.dense(inner) + x)


def positions(frames: int, hidden: int) -> Tensor:
    table = torch.zeros(frames, hidden, dtype=torch.float64)
    for column in range(hidden):
        angle = torch.arange(frames, dtype=torch.float64) / 10000 ** (2 * (column // 2) / hidden)
        table[:, column] = angle.cos() if column % 2 else angle.sin()
    return table.float()


def write(path: Path, model: nn.Module | None = None, **parts: Any) -> None:
    """A checkpoint at base size as s3prl writes it, of this model or of one with random weights."""
    model = reference_transformer() if model is None else model
    torch.save({"Transformer": model.state_dict(), "Config": CONFIG, **parts}, path)
