"""Notes and cautions of a dry run, repeated when the sweep starts: what was left out, what is unwise."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sweep.commands.main import run_command
from sweep.plan.job_key import job_key
from sweep.plan.plan import Plan
from sweep.settings.dry_run import cautions, corpus_line
from sweep.storage.kept_jobs import KEPT_JOBS, KeptReport, KeptReports
from sweep.storage.stage_store import kept_jobs
from sweep.study.lock import sweep_lock
from tests.support.audio.recordings import speech_and_noise, write_manifest, write_sound
from tests.support.methods.tiny_corpus import make_tiny_corpus
from tests.support.sweeps import typed_plan

ROWS = [
    *(
        (f"speech/{name}/{name}-0.wav", name, split)
        for name, split in zip(("ann", "bea", "cleo"), ("train", "valid", "test"), strict=True)
    ),
    *(
        (f"noise/{name}/{name}.wav", name, split)
        for name, split in zip(("fan", "hiss", "hum"), ("train", "valid", "test"), strict=True)
    ),
]
LEFT_OUT = "5 audio files that MANIFEST.csv does not list were left out"
RESAMPLED = "1 file resampled from 48000 to 16000 Hz"


@pytest.fixture
def recordings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPEECH_SWEEP_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    source = speech_and_noise(tmp_path / "recordings")
    write_sound(source / "speech/ann/ann-0.wav", rate=48_000)
    write_manifest(source, ROWS)
    return source


def command(corpus: Path) -> list[str]:
    return ["--space", "norm_layers", "--preset", "smoke", "--corpus", str(corpus)]


def test_a_dry_run_says_what_was_left_out_and_converted(recordings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command("run", [*command(recordings), "--dry-run"]) == 0
    report = capsys.readouterr().out
    assert LEFT_OUT in report
    assert RESAMPLED in report


def test_a_start_says_it_too_apart_from_the_result(
    recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The start ends at the lock, which another driver holds."""
    flags = [*command(recordings), "--name", "evening"]
    with sweep_lock(typed_plan.plan(tmp_path, *flags).plan):
        assert run_command("run", [*flags, "--json"]) == 2
    said = capsys.readouterr()
    assert said.err.splitlines()[:-1] == [f"note: {RESAMPLED}", f"note: {LEFT_OUT}"]
    assert "already being driven" in said.err.splitlines()[-1]
    assert said.out == ""


def plan(folder: Path, *flags: str, **changes: Any) -> Plan:
    return replace(typed_plan.plan(folder, *flags).plan, **changes)


def test_the_demo_needs_no_caution(tmp_path: Path) -> None:
    assert cautions(plan(tmp_path)) == []


@pytest.mark.parametrize(
    ("space", "settings", "idle"),
    [
        ("norm_layers", ["k_end=0.5"], None),  # of the normalized candidates
        ("norm_layers", ["adversary_strength=0.2"], "normalized_ssl"),  # of an adversary, which nothing has
        ("norm_rivals", ["adversary_strength=0.2"], None),
        ("separation_pretraining", ["noam_scale=0.4"], "separation"),
        ("separation_pretraining", ["noam_scale=0.4", "schedule=noam"], None),
        ("systems", ["causal=false"], None),
        ("systems", ["taps=31"], "waveform_se"),  # of full size
        ("systems", ["taps=31", "size=base"], None),
    ],
)
def test_a_field_without_effect_is_said(tmp_path: Path, space: str, settings: list[str], idle: str | None) -> None:
    found = cautions(plan(tmp_path, "--space", space, *(flag for each in settings for flag in ("--set", each))))
    field = settings[0].partition("=")[0]
    said = [each for each in found if field in each and "no effect" in each]
    assert len(said) == (idle is not None)
    assert all(f"for {idle}:" in each for each in said)


@pytest.mark.parametrize(
    ("space", "settings", "untuned"),
    [
        ("systems", ["lr=0.003"], "normal, byol, demucs, se_conformer, conv_tasnet"),
        ("systems", ["lr=0.003", "lr_head=0.003"], None),  # for all alike
        ("norm_layers", ["lr_head=0.003", "lr_body_ratio=1.0"], "none, random"),
        ("norm_layers", ["lr_head=0.003"], None),
    ],
)
def test_a_field_that_only_some_tune(tmp_path: Path, space: str, settings: list[str], untuned: str | None) -> None:
    found = cautions(plan(tmp_path, "--space", space, *(flag for each in settings for flag in ("--set", each))))
    said = {each for each in found if "the same tuning" in each}
    assert bool(said) == (untuned is not None)
    assert all(f"leaves {untuned} nothing" in each for each in said)


@pytest.mark.parametrize(("seeds", "says"), [("1", "every verdict will be a tie"), ("2", "so few")])
def test_fewer_seeds_than_the_floor(tmp_path: Path, seeds: str, says: str) -> None:
    (caution,) = cautions(plan(tmp_path, "--seeds", seeds))
    assert says in caution
    assert cautions(plan(tmp_path, "--seeds", seeds, "--preset", "smoke")) == []


def test_full_size_models_without_a_gpu(tmp_path: Path) -> None:
    (caution,) = cautions(plan(tmp_path, "--preset", "paper", "--corpus", "demo"))[:1]
    assert "full-size models will train on the CPU" in caution


def test_a_split_that_holds_hardly_a_clip(tmp_path: Path) -> None:
    splits = {"valid": {"speech_seconds": 300.0}, "test": {"speech_seconds": 3.0}}
    (caution,) = cautions(plan(tmp_path, corpus_summary={"splits": splits}))
    assert caution.startswith("test has 3 s of speech, too little for a verdict")


@pytest.mark.parametrize(("minutes", "warned"), [("7", True), ("4.9", False), ("all", False)])
def test_more_labelled_minutes_than_there_are(tmp_path: Path, minutes: str, warned: bool) -> None:
    splits = {"train": {"speech_seconds": 300.0}, "valid": {"speech_seconds": 300.0}, "test": {"speech_seconds": 300.0}}
    found = cautions(plan(tmp_path, "--labelled-minutes", minutes, corpus_summary={"splits": splits}))
    assert len(found) == warned
    assert all("--labelled-minutes 7 is more than there is: all 5 min" in caution for caution in found)


def test_a_corpus_in_a_line() -> None:
    splits = {
        "train": {"speakers": 2, "speech_seconds": 180.0, "noise_types": 4},
        "valid": {"speakers": 1, "seconds": 12.0},
    }
    assert corpus_line({"splits": splits}) == "train 2 speakers, 3 min, 4 noise types; valid 1 speakers, 12 s"


def test_jobs_of_earlier_sweeps_are_counted_and_cost_nothing_unless_they_are_not_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SPEECH_SWEEP_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    flags = ["--preset", "smoke", "--upstreams", "tera", "--corpus", make_tiny_corpus(tmp_path / "material").uri]

    def dry_run(*more: str) -> str:
        assert run_command("run", ["--space", "norm_layers", *flags, "--dry-run", *more]) == 0
        return capsys.readouterr().out

    before = dry_run()
    _keep_first_trials(typed_plan.plan(tmp_path, *flags).plan)
    after = dry_run()
    assert "reused" not in before
    assert "reused     at least 5 search and 0 final jobs" in after
    assert "search 0.0 min" in after
    assert "search 0.0 min" not in before
    assert _comparable(dry_run("--no-reuse")) == _comparable(before)
    assert list((tmp_path / "cache" / KEPT_JOBS).glob("*/reports"))
    assert not (tmp_path / "sweeps").exists()


def _keep_first_trials(plan: Plan) -> None:
    (group,) = plan.groups
    for job in plan.search_jobs(group.name):
        nuisance = plan.anchor(group, plan.candidate(group.name, job.candidate))
        reports = (KeptReport(plan.steps, 1.0, {"score": 1.0}),)
        key = job_key(plan.assignment(job, nuisance, attempt=1), plan.code)
        kept_jobs(plan.output).keep_reports(key, KeptReports("earlier", job.path, reports))


def _comparable(report: str) -> list[str]:
    """Without the sweep's name, which has the time in it."""
    return [line for line in report.splitlines() if "norm_layers-" not in line]
