"""Speaker similarity against what `transformers` itself makes of the same waveforms, as a model card shows it."""

from pathlib import Path

import numpy as np
import pytest

from tests.support.audio.signals import RATE, noisy, speech_like
from tests.trainables.metrics.embeddings.tiny_models import body, speaker_model
from trainables.base.errors import UserError
from trainables.metrics import Unscorable
from trainables.metrics.embeddings.speaker_similarity import check, load, speaker_similarity
from trainables.metrics.scorer import Scorer


def by_transformers(folder: Path, one: np.ndarray, other: np.ndarray) -> float:
    """As on the card of microsoft/wavlm-base-plus-sv."""
    import torch
    from transformers import Wav2Vec2FeatureExtractor, WavLMForXVector

    extractor = Wav2Vec2FeatureExtractor.from_pretrained(folder)
    model = WavLMForXVector.from_pretrained(folder)
    with torch.no_grad():
        vectors = [
            model(extractor(signal, sampling_rate=RATE, return_tensors="pt").input_values).embeddings
            for signal in (one, other)
        ]
    normalized = [torch.nn.functional.normalize(vector, dim=-1) for vector in vectors]
    return float(torch.nn.CosineSimilarity(dim=-1)(*normalized)[0])


@pytest.mark.parametrize("normalizes", [True, False])
def test_it_is_the_cosine_of_the_model_card(normalizes: bool, tmp_path: Path) -> None:
    folder = speaker_model(tmp_path, normalizes)
    model = load(str(folder))
    assert model.normalizes is normalizes
    clean = speech_like(1.2)
    for estimate in (noisy(clean, 0), noisy(speech_like(1.2, seed=4), 20), 0.1 * clean):
        expected = by_transformers(folder, clean, estimate)
        assert speaker_similarity(clean, estimate, RATE, model) == pytest.approx(expected, abs=2e-5)
        assert expected < 1 - 1e-4 or (normalizes and np.allclose(estimate, 0.1 * clean))


def test_a_voice_is_like_itself_at_any_level_where_the_model_normalizes(tmp_path: Path) -> None:
    model = load(str(speaker_model(tmp_path)))
    clean = speech_like(1.0)
    assert speaker_similarity(clean, clean, RATE, model) == pytest.approx(1.0, abs=1e-6)
    assert speaker_similarity(clean, 3 * clean, RATE, model) == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize(("frames", "scored"), [(9, False), (10, True)])
def test_the_spread_over_time_needs_two_frames(frames: int, scored: bool, tmp_path: Path) -> None:
    model = load(str(speaker_model(tmp_path)))  # its last layers lose 4 + 4 frames
    samples = 5 * (8 * (8 * (frames - 1) + 8 - 1) + 8 - 1) + 10
    clean = speech_like(1.0)[:samples]
    if scored:
        assert speaker_similarity(clean, clean, RATE, model) == pytest.approx(1.0, abs=1e-6)
    else:
        with pytest.raises(Unscorable, match="too_short"):
            speaker_similarity(clean, clean, RATE, model)


def test_the_scorer_gives_a_row_at_16_khz_only(tmp_path: Path) -> None:
    models = {"speaker_similarity": str(speaker_model(tmp_path))}
    clean = speech_like(1.0)
    (row,) = Scorer(["speaker_similarity"], models=models).score(["u"], [clean], [noisy(clean, 5)])
    assert row["status"] == "ok"
    assert -1 <= row["value"] < 1
    with pytest.raises(UserError, match="needs audio at 16000 Hz"):
        Scorer(["speaker_similarity"], sample_rate=8000, models=models)


def test_a_body_without_an_x_vector_head_is_refused_before_anything_is_loaded(tmp_path: Path) -> None:
    folder = body(tmp_path, 3)
    for refuse in (check, load):
        with pytest.raises(UserError, match="WavLMModel has no x-vector head; give a speaker model"):
            refuse(str(folder))


def test_a_speaker_model_of_which_the_input_is_not_known_is_refused(tmp_path: Path) -> None:
    folder = speaker_model(tmp_path)
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(UserError, match=r"lacks a preprocessor_config\.json that says do_normalize"):
        check(str(folder))


def test_a_head_that_the_weights_lack_is_refused_rather_than_made_up(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = speaker_model(tmp_path)
    weights = load_file(folder / "model.safetensors")
    save_file({n: each for n, each in weights.items() if not n.startswith("tdnn.1")}, folder / "model.safetensors")
    with pytest.raises(UserError, match=r"its weights lack tdnn\.1\.kernel\.bias"):
        load(str(folder))
