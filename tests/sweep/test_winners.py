"""A group's winner from storage to sound: by a sweep's name, by an MLflow run, by the command."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sweep.commands import enhance as enhance_command
from sweep.commands.main import run_command
from sweep.core.jobs import Job
from sweep.plan.plan import Plan
from sweep.storage.checkpoints import StoredCheckpoints
from sweep.storage.stage_store import stage_store
from sweep.stored.reading import read_rows, stored_sweep
from sweep.tracking.mlflow_view import MlflowView
from sweep.winners import find_winner, load_winner
from tests.support.sweeps.finished_sweep import finished_sweep
from tests.support.sweeps.trained_sweep import FINALISTS, GROUP, LEADER, nuisance_of
from trainables.audio.corpus.corpus import Corpus
from trainables.base.cache import cache_folder
from trainables.base.errors import UserError
from trainables.base.paths import shown
from trainables.base.storage.storage import Storage
from trainables.enhancer import level_gain
from trainables.inference import infer_split
from trainables.job.assignment import Assignment
from trainables.job.stages import Stage


def recording(rate: int = 16000, seconds: float = 1.0, channels: int | None = None) -> np.ndarray:
    shape = int(rate * seconds) if channels is None else (int(rate * seconds), channels)
    return 0.1 * np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def assignment_of(plan: Plan, job: Job) -> Assignment:
    return plan.assignment(job, nuisance_of(plan, job), attempt=1)


def test_the_winner_is_the_leaders_best_seed_on_valid(trained: Plan) -> None:
    rows = read_rows(*stored_sweep("trained"), "valid").query(f"candidate == '{LEADER}'")
    best = rows.groupby("seed")["value"].mean().idxmax()
    assert load_winner("trained").job == f"{GROUP}/final/{LEADER}/seed-{best}"


def test_it_gives_the_bits_that_the_sweep_scored_at_the_recordings_level(trained: Plan) -> None:
    plan, storage, job = find_winner("trained")
    enhance = load_winner("trained", group=GROUP)
    stored = StoredCheckpoints(storage)
    assignment = assignment_of(plan, job)
    corpus = Corpus.open(plan.corpus_uri)
    for clip, estimate in infer_split(assignment, corpus, stored, stage_store(plan.output), "valid"):
        gain = np.float32(level_gain(clip.noisy, estimate))
        np.testing.assert_array_equal(enhance(clip.noisy, 16000), gain * estimate)


def test_stages_the_cache_has_lost_are_computed_again(trained: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    before = load_winner("trained")(recording(), 16000)
    _, _, job = find_winner("trained")
    stage = Stage.from_json(assignment_of(trained, job).stages[0])
    Storage(cache_folder()).delete_prefix("stages")
    np.testing.assert_array_equal(load_winner("trained")(recording(), 16000), before)
    assert f"{stage.name}: no longer stored, computed again" in capsys.readouterr().err


@pytest.mark.parametrize("rate", [8000, 44100])
def test_other_rates_and_channels_come_back_as_they_were(trained: Plan, rate: int) -> None:
    enhance = load_winner("trained")
    audio = recording(rate, seconds=0.7, channels=3)
    enhanced = enhance(audio, rate)
    assert (enhanced.shape, enhanced.dtype) == (audio.shape, np.float32)
    np.testing.assert_array_equal(enhanced[:, 1], enhance(audio[:, 1], rate))


def test_the_level_stays_the_recordings(trained: Plan) -> None:
    enhance = load_winner("trained")
    quiet, loud = (enhance(level * recording(), 16000) for level in (0.01, 1.0))
    np.testing.assert_allclose(100 * quiet, loud, atol=1e-3 * np.abs(loud).max())


@pytest.mark.parametrize("audio", [np.zeros(0), np.zeros((2, 2, 2)), np.array([0.1, np.nan]), np.ones(9, np.int16)])
def test_audio_that_is_none_is_refused(trained: Plan, audio: np.ndarray) -> None:
    with pytest.raises(UserError):
        load_winner("trained")(audio, 16000)


# -- which model ----------------------------------------------------------------------------------------


@pytest.fixture
def runs(trained: Plan) -> dict[str, str]:
    """MLflow run ids of the sweep, a candidate and a finalist, by job tag."""
    view = MlflowView(trained.tracking_uri, "speech-sweep/norm_layers", trained.name, None)
    tags = [
        trained.name,
        f"{trained.name}/candidates/{GROUP}/random",
        f"{trained.name}/{FINALISTS[1].path}",
    ]
    view.apply([{"kind": "start", "run": tag, "name": tag, "time": 1, "params": {}, "tags": {}} for tag in tags])
    return dict(view._runs)


def test_a_run_of_mlflow_means_what_it_is(trained: Plan, runs: dict[str, str]) -> None:
    assert find_winner(runs["trained"])[2] == find_winner("trained")[2]
    assert find_winner(runs[f"trained/candidates/{GROUP}/random"])[2] == FINALISTS[2]
    assert find_winner(runs[f"trained/{FINALISTS[1].path}"])[2] == FINALISTS[1]
    with pytest.raises(UserError, match="leave --group tera out"):
        find_winner(runs[f"trained/{FINALISTS[1].path}"], "tera")


def test_a_run_of_another_sweep_of_that_name_is_not_taken_for_this_ones(trained: Plan) -> None:
    view = MlflowView(trained.tracking_uri, "speech-sweep/norm_layers", trained.name, None, identity="f" * 32)
    view.apply([{"kind": "start", "run": trained.name, "name": "x", "time": 1, "params": {}, "tags": {}}])
    with pytest.raises(UserError, match=f"a sweep named {trained.name!r} that is not in"):
        find_winner(view._runs[trained.name])


def test_several_groups_ask_which(tmp_path: Path) -> None:
    finished_sweep(tmp_path)
    with pytest.raises(UserError, match="a leader for each of tera, wav2vec2: give --group"):
        find_winner("evening", output=str(tmp_path))
    with pytest.raises(UserError, match="--group hubert: sweep 'evening' has tera, wav2vec2"):
        find_winner("evening", "hubert", str(tmp_path))


def test_an_unknown_name_says_which_there_are(trained: Plan) -> None:
    with pytest.raises(UserError, match="trained"):
        find_winner("0" * 32)


def test_a_model_that_was_not_kept_says_so(tmp_path: Path) -> None:
    plan = finished_sweep(tmp_path)
    storage = Storage(plan.output)
    storage.write("results/rows-valid.parquet", storage.read("results/rows-test.parquet"))
    with pytest.raises(UserError, match="no checkpoint at its last step"):
        load_winner("evening", "tera", str(tmp_path))


# -- the command ----------------------------------------------------------------------------------------


def test_the_command_writes_what_the_loader_gives(
    trained: Plan, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = tmp_path / "in.wav", tmp_path / "out.wav"
    soundfile.write(source, recording(22050, channels=2), 22050, subtype="FLOAT")
    assert run_command("enhance", ["trained", str(source), str(target)]) == 0
    written, rate = soundfile.read(target, dtype="float32")
    assert rate == 22050
    np.testing.assert_array_equal(written, load_winner("trained")(recording(22050, channels=2), 22050))
    assert f"by {GROUP}/final/{LEADER}" in capsys.readouterr().out


def test_separation_writes_a_file_a_voice(tmp_path: Path) -> None:
    voices = np.stack([recording(), -30 * recording()])
    parts = enhance_command._parts(tmp_path / "out.wav", sources=2)
    assert parts == [tmp_path / "out-1.wav", tmp_path / "out-2.wav"]
    peaks = enhance_command._write(parts, voices, 16000)
    assert list(peaks.values()) == [np.abs(voice).max() for voice in voices]
    assert sorted(tmp_path.iterdir()) == parts
    for path, voice in zip(parts, voices, strict=True):
        np.testing.assert_array_equal(soundfile.read(path, dtype="float32")[0], voice)


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        ("in.wav", "out.mp3", "the output is a .wav file"),
        ("in.wav", "nowhere/out.wav", "there is no folder"),
        ("in.wav", "in.wav", "that is the recording itself"),
        ("in.wav", "same.wav", "that is the recording itself"),
        ("in.wav", "folder.wav", "is a folder"),
        ("~nobody-at-all/in.wav", "out.wav", "knows no home folder"),
        ("gone.wav", "out.wav", "gone.wav: cannot be opened (No such file or directory)"),
        (".", "out.wav", ".: cannot be opened (Is a directory)"),
        ("x" * 300, "out.wav", "cannot be opened (File name too long)"),
        ("nan.wav", "out.wav", "nan.wav: holds values that are not finite numbers"),
    ],
)
def test_bad_files_are_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    source: str,
    target: str,
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    soundfile.write("in.wav", recording(), 16000)
    Path("same.wav").symlink_to("in.wav")
    Path("folder.wav").mkdir()
    soundfile.write("nan.wav", np.full(16000, np.nan), 16000, subtype="FLOAT")
    assert run_command("enhance", ["trained", source, target]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("name", [os.fsdecode(b"zo\xeb"), "a\nb", "a b#1?%20", "日本"])
def test_files_may_have_any_name(
    trained: Plan, tmp_path: Path, name: str, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """What is printed is one line of UTF-8."""
    folder = tmp_path / name
    folder.mkdir()
    source, target = folder / f"{name}.wav", folder / f"{name}-out.wav"
    soundfile.write(os.fsencode(source), recording(), 16000)
    assert run_command("enhance", ["trained", str(source), str(target)]) == 0
    said = capsysbinary.readouterr().out.decode("utf-8")
    assert said.count("\n") == 1
    assert f"{shown(name)}-out.wav" in said
    assert soundfile.info(os.fsencode(target)).frames == 16000
    assert sorted(folder.iterdir()) == sorted([source, target])


def test_a_voice_never_replaces_the_recording(tmp_path: Path) -> None:
    source = tmp_path / "out-2.wav"
    soundfile.write(source, recording(), 16000)
    with pytest.raises(UserError, match=r"out-2\.wav: that is the recording itself"):
        enhance_command._refuse_input(source, enhance_command._parts(tmp_path / "out.wav", sources=2))


def test_a_peak_above_full_scale_is_kept_and_mentioned(
    trained: Plan, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    soundfile.write(tmp_path / "in.wav", 30 * recording(), 16000, subtype="FLOAT")
    assert run_command("enhance", ["trained", str(tmp_path / "in.wav"), str(tmp_path / "out.wav")]) == 0
    written, _ = soundfile.read(tmp_path / "out.wav")
    assert np.abs(written).max() > 1
    assert f"peaks at {np.abs(written).max():.2f} of full scale" in capsys.readouterr().out
