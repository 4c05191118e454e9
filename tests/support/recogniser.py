"""A tiny CTC recogniser of random weights, as `transformers` saves one; what it reads depends on every sample."""

import json
from pathlib import Path

import torch
from transformers import (
    HubertConfig,
    HubertForCTC,
    PreTrainedModel,
    Wav2Vec2Config,
    Wav2Vec2CTCTokenizer,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForCTC,
    WavLMConfig,
    WavLMForCTC,
)

KINDS = {
    "wav2vec2": (Wav2Vec2Config, Wav2Vec2ForCTC),
    "hubert": (HubertConfig, HubertForCTC),
    "wavlm": (WavLMConfig, WavLMForCTC),
}
TOKENS = ["<pad>", "<s>", "</s>", "<unk>", "|", "E", "T", "A", "O", "'"]


def tiny_recogniser(folder: Path, kind: str = "wav2vec2", mask: bool = False, seed: int = 0) -> Path:
    """`folder` with config.json, the weights, vocab.json and preprocessor_config.json."""
    config_class, model_class = KINDS[kind]
    config = config_class(
        vocab_size=len(TOKENS),
        pad_token_id=0,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        conv_dim=(32, 32, 32),
        conv_kernel=(10, 8, 8),
        conv_stride=(8, 8, 5),
        num_feat_extract_layers=3,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
    )
    torch.manual_seed(seed)
    model: PreTrainedModel = model_class(config)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:  # larger than usual: else all frames would read the same
                weight.normal_(0.0, 1.0 / weight[0].numel() ** 0.5)
        model.lm_head.weight.normal_()
    model.save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps({token: index for index, token in enumerate(TOKENS)}))
    Wav2Vec2CTCTokenizer(str(folder / "vocab.json")).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(
        feature_size=1, sampling_rate=16000, do_normalize=True, return_attention_mask=mask
    ).save_pretrained(folder)
    return folder
