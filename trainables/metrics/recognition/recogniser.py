"""A frozen CTC recogniser: what it reads in a waveform, by greedy decoding.

wav2vec 2.0, HuBERT, WavLM and their kin as `transformers` saves them. The most likely token of every frame, repetitions
merged, blanks dropped (Graves et al., ICML 2006, section 3.2): no language model, no beam. One utterance at a time, so
there is no padding; one thread on the CPU, so the reading is the same wherever it is made.
"""

import hashlib
from itertools import groupby
from typing import Any

import numpy as np
import torch

from trainables.base.determinism import deterministic
from trainables.base.errors import UserError
from trainables.base.published.files import local_files
from trainables.metrics import Unscorable
from trainables.metrics.recognition.files import OPTIONAL, SAMPLE_RATE, require_recogniser

_SHORTEST = 0.25  # s, as for PESQ: no word is shorter
_KEPT_READINGS = 4096  # of one process: references come back with every job, and WER and CER share readings


class Recogniser:
    """Call it with a waveform, (samples,) at 16 kHz; it returns the text as the vocabulary spells it."""

    def __init__(self, model: Any, extractor: Any, tokenizer: Any) -> None:
        self._model, self._extractor, self._tokenizer = model.eval(), extractor, tokenizer
        self._readings: dict[bytes, str] = {}

    def __call__(self, audio: np.ndarray) -> str:
        """Raises Unscorable("too_short") under 1/4 s."""
        if len(audio) < _SHORTEST * SAMPLE_RATE:
            raise Unscorable("too_short")
        samples = np.ascontiguousarray(audio, dtype=np.float32)
        key = hashlib.blake2b(samples.tobytes(), digest_size=16).digest()
        if key not in self._readings:
            if len(self._readings) >= _KEPT_READINGS:
                self._readings.clear()
            self._readings[key] = self._decode(self._best_tokens(samples))
        return self._readings[key]

    def _best_tokens(self, samples: np.ndarray) -> list[int]:
        """The most likely token of every frame."""
        inputs = self._extractor(samples, sampling_rate=SAMPLE_RATE, return_tensors="pt")
        with deterministic(threads=1), torch.inference_mode():
            logits = self._model(**inputs).logits[0]
        if not torch.isfinite(logits).all():
            raise Unscorable("non_finite")
        return logits.argmax(dim=-1).tolist()

    def _decode(self, tokens: list[int]) -> str:
        """Special tokens are dropped after merging only: the blank is one, and separates doubled letters."""
        tokenizer = self._tokenizer
        special = set(tokenizer.all_special_ids) - {tokenizer.word_delimiter_token_id}
        merged = [token for token, _ in groupby(tokens) if token not in special]
        spelled = tokenizer.convert_ids_to_tokens(merged)
        return "".join(" " if each == tokenizer.word_delimiter_token else each for each in spelled).strip()


def load(place: str) -> Recogniser:
    """The recogniser of a hub id, a path or s3://. Raises `UserError` where there is none that can serve."""
    folder = require_recogniser(local_files(place, OPTIONAL, setting="--also wer"))
    from transformers import AutoFeatureExtractor, AutoModelForCTC, Wav2Vec2CTCTokenizer
    from transformers.utils import logging

    logging.set_verbosity_error()  # without remarks on heads of the pre-training, which are not loaded
    logging.disable_progress_bar()
    try:
        model, report = AutoModelForCTC.from_pretrained(
            folder, local_files_only=True, dtype=torch.float32, output_loading_info=True
        )
        extractor = AutoFeatureExtractor.from_pretrained(folder, local_files_only=True)
        tokenizer = Wav2Vec2CTCTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # transformers, safetensors and torch raise their own classes
        problem = " ".join(str(error).split())[:200]
        raise UserError(f"{place}: cannot be loaded as a CTC model ({type(error).__name__}: {problem})") from error
    _require_whole(place, model, report, tokenizer)
    return Recogniser(model, extractor, tokenizer)


def _require_whole(place: str, model: Any, report: dict[str, Any], tokenizer: Any) -> None:
    """What `transformers` would fill with random numbers, or call unknown, makes readings that mean nothing."""
    absent = map(str, (*report["missing_keys"], *report["mismatched_keys"]))
    missing = sorted(name for name in absent if not name.endswith("masked_spec_embed"))  # that is for training only
    if missing:
        raise UserError(f"{place}: its weights lack {missing[0]} and {len(missing) - 1} more; give a whole CTC model")
    outputs, spelled = model.config.vocab_size, len(tokenizer)
    if outputs > spelled or tokenizer.pad_token_id is None or tokenizer.pad_token_id >= outputs:
        raise UserError(f"{place}: its CTC head has {outputs} outputs and its vocabulary {spelled}: not of one model")
