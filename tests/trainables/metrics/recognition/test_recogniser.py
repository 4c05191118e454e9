"""Readings of tiny recognisers against transformers' own pipeline; what cannot serve is refused in one line."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoFeatureExtractor, AutoModelForCTC, Wav2Vec2CTCTokenizer, Wav2Vec2Model, pipeline

from tests.support.audio.signals import noisy, speech_like
from tests.support.recogniser import KINDS, tiny_recogniser
from trainables.base.errors import UserError
from trainables.metrics import Unscorable
from trainables.metrics.recognition.error_rates import normalized
from trainables.metrics.recognition.files import require_recogniser
from trainables.metrics.recognition.recogniser import load
from trainables.metrics.scorer import Scorer

CLEAN = [speech_like(seconds) for seconds in (1.0, 1.5, 2.2)]
NOISY = [noisy(clean, 5.0) for clean in CLEAN]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tiny_recogniser(tmp_path / "tiny")


def pipelines_reading(folder: Path) -> Callable[[np.ndarray], str]:
    """As `transformers` reads, without the special tokens that it spells out."""
    reads: Any = pipeline(
        "automatic-speech-recognition",
        model=AutoModelForCTC.from_pretrained(folder),
        tokenizer=Wav2Vec2CTCTokenizer.from_pretrained(folder),
        feature_extractor=AutoFeatureExtractor.from_pretrained(folder),
    )
    return lambda audio: re.sub(r"<[^>]*>", "", reads(audio.astype(np.float32))["text"])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mask", [False, True])
def test_it_reads_as_the_pipeline_of_transformers(tmp_path: Path, kind: str, mask: bool) -> None:
    folder = tiny_recogniser(tmp_path, kind, mask)
    ours, theirs = load(str(folder)), pipelines_reading(folder)
    readings = [ours(audio) for audio in (*CLEAN, *NOISY)]
    assert [" ".join(each.split()) for each in readings] == [
        " ".join(theirs(audio).split()) for audio in (*CLEAN, *NOISY)
    ]
    assert len(set(readings)) == 6, "what is read depends on the audio"


def test_doubled_letters_need_a_blank_between_them(folder: Path) -> None:
    pad, start, bar, e, t = 0, 1, 4, 5, 6
    decode = load(str(folder))._decode
    assert decode([e, e, pad, e, bar, bar, t, start, t, pad, pad]) == "EE TT"
    assert decode([pad, bar, pad]) == ""


def test_rows_are_jiwers_rates_of_the_pipelines_readings_and_each_clip_is_read_once(folder: Path) -> None:
    theirs = pipelines_reading(folder)
    texts = ["A tea, a toe", "EAT OAT", "ate"]
    ids = ["a", "b", "c"]
    scorer = Scorer(["wer", "cer", "wer_own", "cer_own"], models={"wer": str(folder)})
    rows = {(row["utterance"], row["metric"]): row for row in scorer.score(ids, CLEAN, NOISY, texts)}
    for name, clean, estimate, text in zip(ids, CLEAN, NOISY, texts, strict=True):
        reading = normalized(theirs(estimate))
        for metric, rate, reference in (
            ("wer", jiwer.wer, normalized(text)),
            ("cer", jiwer.cer, normalized(text)),
            ("wer_own", jiwer.wer, normalized(theirs(clean))),
            ("cer_own", jiwer.cer, normalized(theirs(clean))),
        ):
            row = rows[name, metric]
            assert row["status"] == "ok"
            assert row["value"] == pytest.approx(100 * rate(reference, reading))
            units = reference.split() if metric.startswith("wer") else reference
            assert row["weight"] == len(units)


def test_wer_and_cer_share_the_readings(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = load(str(folder))
    read: list[int] = []
    once = model._best_tokens

    def counted(samples: np.ndarray) -> list[int]:
        read.append(len(samples))
        return once(samples)

    monkeypatch.setattr(model, "_best_tokens", counted)
    assert [model(CLEAN[0]), model(NOISY[0]), model(CLEAN[0])][0] == model(CLEAN[0].astype(np.float32))
    assert read == [len(CLEAN[0]), len(NOISY[0])]


def test_it_reads_the_same_whatever_was_set_before(folder: Path) -> None:
    threads = torch.get_num_threads()
    first = load(str(folder))(NOISY[2])
    torch.set_num_threads(2)
    try:
        assert load(str(folder))(NOISY[2]) == first
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


def test_too_short_for_a_word(folder: Path) -> None:
    with pytest.raises(Unscorable) as failure:
        load(str(folder))(CLEAN[0][:3999])
    assert failure.value.status == "too_short"


# -- what cannot serve --------------------------------------------------------------------------------------


def without_head(folder: Path) -> None:
    Wav2Vec2Model.from_pretrained(folder).save_pretrained(folder)


def change(name: str, **values: object) -> Callable[[Path], None]:
    def changed(folder: Path) -> None:
        content = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps({**content, **values}))

    return changed


def write(name: str, content: str) -> Callable[[Path], None]:
    def written(folder: Path) -> None:
        (folder / name).write_text(content)

    return written


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def without_tensor(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights["lm_head.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (without_head, "holds Wav2Vec2Model, which has no CTC head"),
        (remove("vocab.json"), "holds no vocab.json"),
        (write("vocab.json", "{}"), "vocab.json: is empty"),
        (write("vocab.json", "[1]"), "vocab.json: is no JSON object"),
        (write("config.json", "{"), "config.json: cannot be read as JSON"),
        (remove("config.json"), "holds no config.json"),
        (remove("preprocessor_config.json"), "holds no preprocessor_config.json"),
        (change("preprocessor_config.json", sampling_rate=8000), "reads audio at 8000 Hz"),
        (remove("model.safetensors"), "holds none of model.safetensors, pytorch_model.bin"),
    ],
)
def test_a_folder_that_is_no_recogniser_is_refused_without_torch(
    folder: Path, spoil: Callable[[Path], None], message: str
) -> None:
    spoil(folder)
    with pytest.raises(UserError, match=message) as refused:
        require_recogniser(str(folder))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (without_tensor, "its weights lack lm_head.weight"),
        (write("vocab.json", '{"<pad>": 0, "E": 1}'), "head has 10 outputs and its vocabulary"),
        (write("model.safetensors", "nothing"), "cannot be loaded as a CTC model"),
    ],
)
def test_weights_that_are_not_of_the_vocabulary_or_damaged_are_refused(
    folder: Path, spoil: Callable[[Path], None], message: str
) -> None:
    spoil(folder)
    with pytest.raises(UserError, match=message) as refused:
        load(str(folder))
    assert "\n" not in str(refused.value)


def test_a_file_or_nothing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for name, message in (("file", "is no folder"), ("gone", "no checkpoint at")):
        with pytest.raises(UserError, match=message):
            load(str(tmp_path / name))


def test_the_check_of_a_folder_loads_no_torch(folder: Path) -> None:
    code = (
        "import sys; from trainables.metrics.recognition.files import require_recogniser; "
        f"require_recogniser({str(folder)!r}); print(sorted({{'torch', 'transformers'}} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
