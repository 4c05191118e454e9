"""wav2vec 2.0, HuBERT and WavLM as models of `transformers`: config.json, preprocessor_config.json and the weights.

A configuration's fields are those of `transformers` 5 and of what earlier versions and the hub's files of 2021 wrote.
Each either must be what the body has, or is listed here as saying nothing of the layers up to the first of the
transformer: the layers above, heads, pre-training, dropout, which is the fine-tuning's own, and generation.
"""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trainables.audio.features import SAMPLE_RATE
from trainables.base.errors import UserError
from trainables.base.foreign_pickles import reading
from trainables.base.published.files import CONFIG_FILE, PREPROCESSOR_FILE, weights_of
from trainables.base.stated_facts import Fact, require_facts
from trainables.ssl.bodies.waveform_body import CONVOLUTIONS, WaveformBody, transformers_config
from trainables.ssl.upstream_table import UPSTREAM_TABLE

# Where the body's tensors are below its transformer; whatever else is in there would change its output.
_WAVEFORM_PARTS = ("feature_extractor.", "feature_projection.", "encoder.pos_conv_embed.")
_FIRST_NORM = "encoder.layer_norm."  # where norms come before attention it is the last, above the layers

_FIRST_CONVOLUTION = "feature_extractor.conv_layers.0.conv.weight"
# torch's old names of a weight-normed convolution's parameters -> the new ones.
_OLD_WEIGHT_NORM = {
    "weight_g": "parametrizations.weight.original0",
    "weight_v": "parametrizations.weight.original1",
}
_NETWORK = (
    *("hidden_size", "num_attention_heads", "intermediate_size", "hidden_act", "layer_norm_eps"),
    *("conv_dim", "conv_kernel", "conv_stride", "conv_bias", "feat_extract_norm", "feat_extract_activation"),
    *("num_feat_extract_layers", "do_stable_layer_norm", "num_conv_pos_embeddings", "num_conv_pos_embedding_groups"),
)
_RELATIVE_BIAS = ("num_buckets", "max_bucket_distance")
_ELSEWHERE = frozenset([
    # the layers above, and heads
    "num_hidden_layers", "add_adapter", "adapter_kernel_size", "adapter_stride", "num_adapter_layers",
    "output_hidden_size", "classifier_proj_size", "use_weighted_layer_sum", "xvector_output_dim", "tdnn_dim",
    "tdnn_dilation", "tdnn_kernel", "vocab_size", "num_ctc_classes", "num_clusters", "ctc_loss_reduction",
    "ctc_zero_infinity", "id2label", "label2id", "num_labels", "problem_type", "finetuning_task",
    "task_specific_params",
    # pre-training
    "codevector_dim", "proj_codevector_dim", "num_codevectors_per_group", "num_codevector_groups", "num_negatives",
    "contrastive_logits_temperature", "diversity_loss_weight", "replace_prob", "initializer_range",
    "quantize_targets", "freeze_feat_extract_train", "gradient_checkpointing", "apply_spec_augment",
    # dropout
    "activation_dropout", "attention_dropout", "hidden_dropout", "hidden_dropout_prob", "feat_proj_dropout",
    "feat_extract_dropout", "feat_quantizer_dropout", "final_dropout", "layerdrop",
    # where it comes from, how it is run
    "_name_or_path", "name_or_path", "architectures", "transformers_version", "torch_dtype", "dtype",
    "tokenizer_class", "processor_class", "_attn_implementation_autoset", "attn_implementation",
    "chunk_size_feed_forward", "output_attentions", "output_hidden_states", "output_past", "return_dict",
    "torchscript", "use_bfloat16", "use_cache", "is_decoder", "is_encoder_decoder", "add_cross_attention",
    "cross_attention_hidden_size", "tie_encoder_decoder", "tie_word_embeddings", "tf_legacy_loss", "prefix",
    # generation
    "bos_token_id", "eos_token_id", "pad_token_id", "sep_token_id", "decoder_start_token_id", "bad_words_ids",
    "begin_suppress_tokens", "suppress_tokens", "diversity_penalty", "do_sample", "early_stopping",
    "encoder_no_repeat_ngram_size", "exponential_decay_length_penalty", "forced_bos_token_id",
    "forced_eos_token_id", "length_penalty", "max_length", "min_length", "no_repeat_ngram_size", "num_beam_groups",
    "num_beams", "num_return_sequences", "output_scores", "remove_invalid_values", "repetition_penalty",
    "return_dict_in_generate", "temperature", "top_k", "top_p", "typical_p",
])  # fmt: skip
_MASKING = ("mask_", "no_mask_")  # of frames and channels while training
_PREPROCESSING_ELSEWHERE = (
    *("feature_extractor_type", "processor_class", "return_attention_mask", "padding_side", "padding_value"),
)


def waveform_state(body: WaveformBody, upstream: str, path: Path) -> tuple[Path, dict[str, Tensor]]:
    """The file of weights in `path`, a folder or that file, and its tensors by their name in the bare model.

    Raises:
        UserError: no such model, damaged, or another network or other audio than the body's.
    """
    weights = weights_of(path) if path.is_dir() else path
    _check_config(body, upstream, weights.parent / CONFIG_FILE)
    if (weights.parent / PREPROCESSOR_FILE).is_file():
        _check_preprocessor(body, weights.parent / PREPROCESSOR_FILE)
    return weights, _bare(weights, _read(weights))


def waveform_parts(body: WaveformBody) -> tuple[str, ...]:
    """How the names of the tensors that the body needs begin in such a file."""
    norm = () if body.architecture.pre_norm else (_FIRST_NORM,)
    return (*_WAVEFORM_PARTS, *norm, *(f"encoder.layers.{layer}." for layer in range(body.architecture.layers)))


def waveform_name(name: str) -> str:
    """steps.0. -> feature_extractor.conv_layers.0. and so on."""
    _, step, rest = name.split(".", 2)
    if int(step) < CONVOLUTIONS:
        return f"feature_extractor.conv_layers.{step}.{rest}"
    return rest.replace("projection.", "feature_projection.", 1) if int(step) == CONVOLUTIONS else rest


def _check_config(body: WaveformBody, upstream: str, path: Path) -> None:
    if not path.is_file():
        raise UserError(f"{path.parent}: holds no {CONFIG_FILE}; give the folder of a whole model")
    theirs = _json(path)
    kind, known = theirs.get("model_type"), UPSTREAM_TABLE[upstream].model_types
    if kind not in known:
        raise UserError(f"{path}: a model of type {kind!r}; {upstream} takes {' or '.join(known)}")
    ours = transformers_config(body.architecture)
    usual = type(ours)()
    relative = _RELATIVE_BIAS if body.architecture.relative_bias else ()
    facts = {name: _fact(getattr(ours, name), getattr(usual, name)) for name in (*_NETWORK, *relative)}
    facts |= {
        "model_type": Fact(known),
        "conv_pos_batch_norm": Fact((False,), False),  # HuBERT's
        "feat_proj_layer_norm": Fact((True,), True),  # HuBERT's
        "adapter_attn_dim": Fact((None,), None),
        "pruned_heads": Fact(({},), {}),
    }
    require_facts(str(path), theirs, facts, [*_ELSEWHERE, *(name for name in theirs if name.startswith(_MASKING))])


def _check_preprocessor(body: WaveformBody, path: Path) -> None:
    # Any other body than a pre-norm one removes the level by its first normalization: it does not matter who does it.
    normalized = (True,) if body.architecture.pre_norm else (True, False)
    facts = {
        "sampling_rate": Fact((SAMPLE_RATE,), SAMPLE_RATE),
        "feature_size": Fact((1,), 1),
        "do_normalize": Fact(normalized, True),
    }
    require_facts(str(path), _json(path), facts, _PREPROCESSING_ELSEWHERE)


def _fact(ours: Any, usual: Any) -> Fact:
    """`transformers` reads a missing field as its default; JSON has lists."""
    plain = [list(value) if isinstance(value, tuple) else value for value in (ours, usual)]
    return Fact((plain[0],), plain[1])


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise UserError(f"{path}: not JSON ({error}); fetch it again") from error
    if not isinstance(found, dict):
        raise UserError(f"{path}: no object of settings; fetch it again")
    return found


def _bare(path: Path, state: dict[str, Any]) -> dict[str, Tensor]:
    """Without what is around the model: the heads of a task."""
    foreign = [name for name, value in state.items() if not isinstance(value, Tensor)]
    if foreign:
        raise UserError(
            f"{path}: holds {foreign[0]!r} next to tensors, as checkpoints of fairseq and of WavLM's authors do; give "
            "the folder of the model in the format of transformers"
        )
    prefixes = [name.removesuffix(_FIRST_CONVOLUTION) for name in state if name.endswith(_FIRST_CONVOLUTION)]
    if len(prefixes) > 1:
        raise UserError(f"{path}: holds {len(prefixes)} models, {', '.join(map(repr, prefixes))}; give one alone")
    prefix = prefixes[0] if prefixes else ""
    bare = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
    return {_new_name(name): value for name, value in bare.items()}


def _new_name(name: str) -> str:
    owner, _, last = name.rpartition(".")
    return f"{owner}.{_OLD_WEIGHT_NORM[last]}" if last in _OLD_WEIGHT_NORM else name


def _read(path: Path) -> dict[str, Any]:
    with reading(path):
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        found = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(found, dict):
        raise UserError(f"{path}: no tensors by name; give the folder of a whole model")
    return found
