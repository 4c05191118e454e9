"""What a listening page plays: the right versions of one moment, at one level, with their own scores."""

import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from sweep.core.jobs import Job
from sweep.plan.plan import Plan
from sweep.report.listening.clips import ListeningClip, listening_clips, shown_candidates
from sweep.storage.checkpoints import StoredCheckpoints
from sweep.verdict.result import GroupResult
from tests.support.sweeps.finished_sweep import finished_sweep, rows_on_test
from tests.support.sweeps.kept_clips import keep_clips
from trainables.audio.examples.mixing import EvaluationClip
from trainables.base.storage.storage import Storage
from trainables.inference import NOISY, write_estimates
from trainables.listening import LISTENING_FILE, write_clips


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    plan = finished_sweep(tmp_path)
    keep_clips(plan)
    return plan


def group_of(plan: Plan, upstream: str = "tera") -> GroupResult:
    groups = json.loads(Storage(plan.output).read("result.json"))["groups"]
    return next(group for group in groups if group["group"] == {"upstream": upstream})


def heard(plan: Plan, **changes: Any) -> tuple[list[ListeningClip], int | None]:
    rows = rows_on_test(plan)
    group = cast(GroupResult, {**group_of(plan), **changes})
    return listening_clips(plan, group, rows, StoredCheckpoints(Storage(plan.output)))


def level(samples: NDArray[np.float32], clean: NDArray[np.float32]) -> float:
    """Amplitude of the clean speech in the samples."""
    return float(abs(samples @ clean) / (clean @ clean))


def test_noisy_clean_the_baseline_the_leader_and_the_next_best_layers(plan: Plan) -> None:
    clips, seed = heard(plan)
    assert seed == plan.seeds[0]
    assert len(clips) == 4
    labels = [version.label for version in clips[0].versions]
    assert labels == ["noisy", "clean", "none", "layer2", "layer3", "layer1"]
    standings = {version.label: version.standing for version in clips[0].versions}
    assert (standings["none"], standings["layer2"], standings["noisy"]) == ("baseline", "winner", "")


def test_a_baseline_that_leads_is_heard_once(plan: Plan) -> None:
    group = group_of(plan) | {"leader": {"label": "none"}}
    assert shown_candidates(group) == ["none", "layer2", "layer3"]


def test_all_versions_of_a_clip_speak_equally_loud_and_none_clips(plan: Plan) -> None:
    clips, _ = heard(plan)
    for clip in clips:
        audio = {version.label: version.audio for version in clip.versions}
        assert max(np.abs(samples).max() for samples in audio.values()) == pytest.approx(0.9, abs=1e-4)
        for label in ("noisy", "none", "layer2", "layer3"):
            assert level(audio[label], audio["clean"]) == pytest.approx(1, abs=0.05)


def test_scores_are_of_that_clip_and_seed(plan: Plan) -> None:
    clips, seed = heard(plan)
    assert seed is not None
    rows = rows_on_test(plan)
    mine = rows[rows.candidate.eq("layer2") & rows.seed.eq(seed) & rows.group.eq("tera") & rows.utterance.eq("u01")]
    (version,) = [version for version in clips[1].versions if version.label == "layer2"]
    assert version.scores == dict(zip(mine.metric, mine.value, strict=True))
    assert list(version.scores) == ["si_sdr", "wb_pesq"]


def test_the_next_seed_is_heard_where_one_failed(plan: Plan) -> None:
    storage = Storage(plan.output)
    storage.delete_prefix(f"jobs/{Job('tera', 'final', 'layer2', plan.seeds[0]).path}")
    assert heard(plan)[1] == plan.seeds[1]


def test_nothing_is_heard_where_nothing_was_kept(tmp_path: Path) -> None:
    assert heard(finished_sweep(tmp_path)) == ([], None)


@pytest.mark.parametrize("output", [np.zeros(800), np.full(800, np.nan), np.ones(800)])
def test_a_silent_or_broken_output_stays_playable(plan: Plan, output: np.ndarray) -> None:
    storage = StoredCheckpoints(Storage(plan.output))
    rng = np.random.default_rng(0)
    clean = rng.standard_normal(800).astype(np.float32)
    clip = EvaluationClip("u00", "s0", "hum", 0.0, 2 * clean, clean)
    storage.write_result(NOISY, LISTENING_FILE, write_clips([clip]))
    for label in ("none", "layer1", "layer2", "layer3"):
        job = Job("tera", "final", label, plan.seeds[0]).path
        storage.write_result(job, LISTENING_FILE, write_estimates([(clip, output.astype(np.float32))]))
    ((only,), _) = heard(plan)
    for version in only.versions:
        assert np.isfinite(version.audio).all()
        assert np.abs(version.audio).max() <= 0.9 + 1e-6


def test_each_voice_of_a_mixture_is_a_clip_with_the_outputs_assigned_to_it(plan: Plan) -> None:
    rng = np.random.default_rng(1)
    voices = rng.standard_normal((2, 800)).astype(np.float32)
    clip = EvaluationClip("u00", "a+b", "voices", 2.5, voices.sum(axis=0), voices)
    storage = StoredCheckpoints(Storage(plan.output))
    storage.write_result(NOISY, LISTENING_FILE, write_clips([clip]))
    for label in ("none", "layer1", "layer2", "layer3"):
        job = Job("tera", "final", label, plan.seeds[0]).path
        storage.write_result(job, LISTENING_FILE, write_estimates([(clip, -3 * voices[::-1])]))
    clips, _ = heard(plan)
    assert [each.title for each in clips] == ["voices, 2.5 dB, voice 1", "voices, 2.5 dB, voice 2"]
    for each, voice in zip(clips, voices, strict=True):
        audio = {version.label: version.audio for version in each.versions}
        for label in ("clean", "layer2"):
            assert abs(np.corrcoef(audio[label], voice)[0, 1]) == pytest.approx(1, abs=1e-5)
