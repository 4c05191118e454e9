"""SpeechBERTScore against figures of the authors' package (discrete-speech-metrics), of the same weights."""

from pathlib import Path

import numpy as np
import pytest

from tests.support.audio.signals import RATE, noisy, speech_like
from tests.trainables.metrics.embeddings.tiny_models import body
from trainables.base.errors import UserError
from trainables.metrics import Unscorable
from trainables.metrics.embeddings.speech_bert_score import check, load, speech_bert_score
from trainables.metrics.scorer import Scorer

# Layers -> SNR -> precision by the authors' SpeechBERTScore.score, with layer=14, 8 and None (the last).
AUTHORS = {
    24: {0.0: 0.9721488952636719, 15.0: 0.9892828464508057},
    12: {0.0: 0.9672952890396118, 15.0: 0.9882853627204895},
    3: {0.0: 0.9074344038963318, 15.0: 0.957050621509552},
}


@pytest.mark.parametrize("layers", AUTHORS)
def test_it_is_the_precision_that_the_authors_package_gives(layers: int, tmp_path: Path) -> None:
    model = load(str(body(tmp_path, layers)))
    clean = speech_like(1.5)
    for snr, expected in AUTHORS[layers].items():
        assert speech_bert_score(clean, noisy(clean, snr), RATE, model) == pytest.approx(expected, abs=2e-6)


def test_each_frame_of_the_estimate_looks_for_its_like_in_the_reference(tmp_path: Path) -> None:
    import torch

    model = load(str(body(tmp_path, 3)))
    clean, other = speech_like(0.4), noisy(speech_like(0.4, seed=3), 5)

    def frames(signal: np.ndarray) -> list[np.ndarray]:
        with torch.no_grad():
            return list(model(torch.from_numpy(signal)[None]).last_hidden_state[0].numpy())

    def cosine(one: np.ndarray, two: np.ndarray) -> float:
        return float((one @ two) / (np.linalg.norm(one) * np.linalg.norm(two)))

    best = [max(cosine(mine, theirs) for theirs in frames(clean)) for mine in frames(other)]
    assert speech_bert_score(clean, other, RATE, model) == pytest.approx(np.mean(best), abs=1e-5)
    assert speech_bert_score(clean, clean, RATE, model) == pytest.approx(1.0, abs=1e-6)


def test_without_a_single_frame_there_is_no_score(tmp_path: Path) -> None:
    model = load(str(body(tmp_path, 3)))
    one_frame = 5 * (8 * (8 - 1) + 8 - 1) + 10  # samples, by kernels 10, 8, 8 and strides 5, 8, 8
    with pytest.raises(Unscorable, match="too_short"):
        speech_bert_score(speech_like(1.0)[: one_frame - 1], speech_like(1.0)[: one_frame - 1], RATE, model)
    assert speech_bert_score(speech_like(1.0)[:one_frame], speech_like(1.0)[:one_frame], RATE, model) > 0.99


def test_the_scorer_gives_a_row_with_the_model_it_is_given(tmp_path: Path) -> None:
    place = str(body(tmp_path, 3))
    clean = speech_like(1.5)
    (row,) = Scorer(["speech_bert_score"], models={"speech_bert_score": place}).score(["u"], [clean], [noisy(clean, 0)])
    assert (row["value"], row["status"]) == (pytest.approx(AUTHORS[3][0.0], abs=2e-6), "ok")
    with pytest.raises(UserError, match="needs a speech model, such as microsoft/wavlm-large"):
        Scorer(["speech_bert_score"])


def test_what_is_no_speech_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no config\.json"):
        check(str(tmp_path))
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(UserError, match="of type 'bert'; wavlm, wav2vec2"):
        check(str(tmp_path))


def test_a_body_whose_weights_are_incomplete_is_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = body(tmp_path, 3)
    weights = load_file(folder / "model.safetensors")
    lacking = "encoder.layers.1.feed_forward.output_dense.weight"
    save_file({name: each for name, each in weights.items() if name != lacking}, folder / "model.safetensors")
    with pytest.raises(UserError, match=f"its weights lack {lacking}"):
        load(str(folder))
    (folder / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"holds none of model\.safetensors"):
        load(str(folder))
