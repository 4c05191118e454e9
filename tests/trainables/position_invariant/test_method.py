"""The method in a session: what is trained, what stays, resuming, the schedule, and what it measures."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from tests.support.methods.assignments import small_assignment
from tests.support.methods.memory_artifacts import MemoryArtifacts
from tests.trainables.position_invariant.support import artifacts as untrained
from tests.trainables.position_invariant.support import config, method, noise, voices
from trainables.audio.corpus.corpus import Corpus
from trainables.audio.examples.mixing import Batch, EvaluationClip
from trainables.method import When
from trainables.position_invariant.config import MEASURES, measure_names
from trainables.session import TrainingSession

BATCH = Batch(noisy=voices() + noise(), clean=voices(), lengths=torch.tensor([8000, 8000]))
START = When(step=0, epoch=0, steps=8)


def session(corpus: Corpus, **values: Any) -> TrainingSession:
    settings = config(**values)
    stages = settings.stages(7, corpus_uri=corpus.uri, corpus_fingerprint=corpus.fingerprint)
    stored = MemoryArtifacts({stage.key: untrained(settings)[stage.kind] for stage in stages})
    assignment = small_assignment(
        corpus,
        method="position_invariant",
        config=settings.to_dict(),
        stages=tuple(stage.to_json() for stage in stages),
    )
    return TrainingSession(assignment, corpus, stored)


@pytest.mark.parametrize("variant", ["mse", "mse_pad", "softdtw", "mse_speed_interp"])
def test_the_front_end_alone_has_gradients_and_changes(variant: str) -> None:
    trained = method(variant=variant, lr=1e-3)
    body = trained._reference.body
    before = {name: value.clone() for name, value in body.state_dict().items()}
    own = [parameter.clone() for parameter in trained.parameters()]
    trained.training_losses(BATCH, START)["total"].backward()
    trained.optimizer().step()
    assert all(torch.equal(value, before[name]) for name, value in body.state_dict().items())
    assert all(parameter.grad is None for parameter in body.parameters())
    assert all(not torch.equal(one, other) for one, other in zip(own, trained.parameters(), strict=True))
    assert not any(name.startswith("_reference") for name in trained.state_dict())


@pytest.mark.parametrize(
    "values", [{"variant": "softdtw", "band": 0.3}, {"variant": "mse_pad"}, {"variant": "none"}], ids=str
)
def test_a_resumed_session_has_the_bits_of_an_unbroken_one(corpus: Corpus, values: dict[str, Any]) -> None:
    unbroken = session(corpus, lr=1e-3, **values)
    while not unbroken.finished:
        unbroken.run_round()
    broken = session(corpus, lr=1e-3, **values)
    broken.run_round()
    resumed = session(corpus, lr=1e-3, **values)
    resumed.load_state(broken.state())
    while not resumed.finished:
        resumed.run_round()
    assert resumed.state()["model.pt"] == unbroken.state()["model.pt"]
    for one, other in zip(unbroken.reports, resumed.reports, strict=True):
        shared = {name for name in one if not name.startswith("seconds")}
        assert {name: one[name] for name in shared} == {name: other[name] for name in shared}


def test_none_updates_nothing_and_reports_the_representation(corpus: Corpus) -> None:
    untouched = session(corpus, variant="none", representation_pairs=2)
    before = untouched.state()["model.pt"]
    report = untouched.run_round()
    assert untouched.state()["model.pt"] == before
    assert "loss_total" not in report
    assert {name for name in report if name.startswith("representation/")} >= {
        f"representation/{name}" for name in MEASURES
    }


def test_the_rate_rises_and_falls_linearly() -> None:
    half = When(step=5, epoch=0, steps=10)
    assert method(warmup_share=0.5, lr_floor=0.0).learning_rate_factor(half) == 1.0
    three_quarters = When(step=15, epoch=0, steps=20)
    assert method(warmup_share=0.5, lr_floor=0.0).learning_rate_factor(three_quarters) == pytest.approx(0.5)
    assert type(method().optimizer()) is torch.optim.AdamW


def clips(count: int, samples: int = 8000) -> list[EvaluationClip]:
    pairs = zip(voices(count, samples).numpy(), noise(count, samples).numpy(), strict=True)
    return [
        EvaluationClip(f"u{number}", "s", "n", 0.0, (clean + disturbance).astype(np.float32), clean)
        for number, (clean, disturbance) in enumerate(pairs)
    ]


def test_measures_of_a_perfect_estimate() -> None:
    found = method().measures(measure_names(3), clips(3), [clip.clean for clip in clips(3)])
    for row in found:
        assert row["ssl_distance"] == row["ssl_distance_1"] == pytest.approx(0.0, abs=1e-6)
        assert row["ssl_cosine"] == row["ssl_cosine_2"] == pytest.approx(1.0)
        assert row["shift_excess"] == pytest.approx(row["shift_floor"])
        assert row["shift_floor"] > 0
        assert row["speed_error"] > 0
        assert abs(row["shortcut_index"]) < 1


def test_measures_tell_a_worse_estimate_and_only_what_is_asked_for() -> None:
    chosen = clips(3)
    noisy = method().measures(("ssl_distance", "speed_error"), chosen, [clip.noisy for clip in chosen])
    clean = method().measures(("ssl_distance", "speed_error"), chosen, [clip.clean for clip in chosen])
    for worse, better in zip(noisy, clean, strict=True):
        assert set(worse) == {"ssl_distance", "speed_error"}
        assert worse["ssl_distance"] > better["ssl_distance"]
        assert worse["speed_error"] > better["speed_error"]


def test_clean_features_are_kept_from_round_to_round_and_not_of_test_clips() -> None:
    measuring = method(representation_pairs=1)
    measuring.measures(MEASURES, clips(2), [clip.noisy for clip in clips(2)])
    assert not measuring._reference._kept
    pairs = [(noise(1)[0] + voices(1)[0], voices(1)[0])] * 2
    first = measuring.validation_curves(pairs, START)
    kept = dict(measuring._reference._kept)
    assert len(kept) == 2  # the clip, and after some zeros
    assert measuring.validation_curves(pairs, START) == first
    assert measuring._reference._kept == kept


def test_one_clip_has_no_shortcut_index() -> None:
    (row,) = method().measures(MEASURES, clips(1), [clips(1)[0].clean])
    assert set(row) == {*MEASURES} - {"shortcut_index"}


def test_an_utterance_at_several_snrs_is_not_compared_with_itself() -> None:
    chosen, wanted = clips(3), ("shortcut_index",)
    again = [replace(clip, utterance=f"{clip.utterance}@+5dB", clean=np.float32(0.5) * clip.clean) for clip in chosen]
    alone = method().measures(wanted, chosen, [clip.clean for clip in chosen])
    both = [*chosen, *again]
    found = method().measures(wanted, both, [clip.clean for clip in both])
    for row, other, expected in zip(found, found[3:], alone, strict=False):
        assert row["shortcut_index"] == pytest.approx(expected["shortcut_index"], abs=1e-6)
        assert other["shortcut_index"] == pytest.approx(expected["shortcut_index"], abs=1e-6)
    twice = [chosen[0], again[0]]
    assert method().measures(wanted, twice, [clip.noisy for clip in twice]) == [{}, {}]


def test_an_estimate_that_is_no_number_costs_no_other_its_measures() -> None:
    chosen, wanted = clips(4), ("ssl_distance", "shortcut_index")
    estimates = [clip.noisy for clip in chosen]
    whole = method().measures(wanted, chosen[:3], estimates[:3])
    *others, broken = method().measures(wanted, chosen, [*estimates[:3], np.full_like(estimates[3], np.nan)])
    assert others == whole
    assert np.isnan(broken.pop("ssl_distance"))
    assert broken == {}


def test_what_is_measured_does_not_depend_on_the_compared_layers() -> None:
    chosen = clips(2)
    rows = [
        method(layers=layers).measures(MEASURES, chosen, [clip.noisy for clip in chosen])
        for layers in ([], [1], [1, 2])
    ]
    assert rows[0] == rows[1] == rows[2]
