"""`sweep/leaderboard.py` prints the stored answer, whole, in every form."""

import csv
import io
import json
from pathlib import Path

import pytest

from sweep.commands.main import run_command
from sweep.plan.plan import Plan
from tests.support.sweeps.finished_sweep import finished_sweep
from tests.support.sweeps.small_sweep import make_plan
from trainables.base.storage.storage import Storage


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SPEECH_SWEEP_OUTPUT", raising=False)
    return finished_sweep(tmp_path / "sweeps")


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run_command("leaderboard", ["evening", *arguments]) == 0
    return capsys.readouterr().out


def test_json_is_the_stored_result_untouched(plan: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    stored = json.loads(Storage(plan.output).read("result.json"))
    assert json.loads(printed(capsys, "--format", "json")) == stored


def test_csv_has_a_row_per_candidate_best_first_unrounded(plan: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    rows = list(csv.DictReader(io.StringIO(printed(capsys, "--format", "csv"))))
    tera = [row for row in rows if row["group"] == "tera"]
    assert [row["candidate"] for row in tera] == ["layer2", "layer3", "layer1", "none", "random"]
    assert [row["verdict"] for row in tera] == ["winner", *["behind"] * 4]
    stored = json.loads(Storage(plan.output).read("result.json"))["groups"][0]
    assert float(tera[0]["score"]) == stored["score"]
    assert [float(tera[0]["low"]), float(tera[0]["high"])] == stored["interval"]


@pytest.mark.parametrize("form", ["table", "markdown"])
def test_tables_name_groups_candidates_and_verdicts(plan: Plan, form: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, "--format", form)
    for word in ("tera", "wav2vec2", "layer2", "none", "winner"):
        assert word in out


def test_another_metric_keeps_the_leader_and_says_what_decided(plan: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    result = json.loads(printed(capsys, "--metric", "wb_pesq", "--format", "json"))
    assert (result["metric"], result["decided_by"]) == ("wb_pesq", "si_sdr")
    for group in result["groups"]:
        assert group["leader"]["label"] == "layer2"
        assert group["score"] == pytest.approx(1.1 + (1.9 + 0.45) / 10, abs=0.005)
        assert "decided by si_sdr" in group["notes"][-1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evening", "--metric", "stoi"], "was not scored with it; it has si_sdr, wb_pesq"),
        (["evening", "--metric", "loudness"], "unknown metric 'loudness'"),
        (["morning"], "evening"),
    ],
)
def test_bad_input_is_one_line(
    plan: Plan, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command("leaderboard", arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert captured.err.count("\n") == 1


def test_a_sweep_without_a_result_points_to_its_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = make_plan(tmp_path / "noon", name="noon")
    Storage(plan.output).write("plan.json", json.dumps(plan.to_json()).encode())
    assert run_command("leaderboard", ["noon", "--output", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "has no result yet: see python sweep/status.py noon" in error


@pytest.mark.parametrize(
    "content", [b"{}", b"[]", b"null", b'{"metric": "si_sdr"}', b'{"metric": "si_sdr", "groups": [{}]}']
)
def test_a_damaged_result_is_named_with_the_way_to_another(
    plan: Plan, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    Storage(plan.output).write("result.json", content)
    for flags in ([], ["--metric", "wb_pesq"]):
        assert run_command("leaderboard", ["evening", *flags]) == 2
        error = capsys.readouterr().err
        assert (
            f"{plan.output}/result.json is damaged: delete it and run python sweep/run.py --resume evening\n" in error
        )


@pytest.mark.parametrize("content", [b"", b"rows", b"PAR1" + bytes(40) + b"PAR1"])
@pytest.mark.parametrize("flags", [["--by", "snr"], ["--metric", "wb_pesq"]])
def test_damaged_scores_are_named_with_the_way_to_others(
    plan: Plan, content: bytes, flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Storage(plan.output).write("results/rows-test.parquet", content)
    assert run_command("leaderboard", ["evening", *flags]) == 2
    error = capsys.readouterr().err
    assert f"error: {plan.output}/results/rows-test.parquet is damaged: delete it and result.json" in error
    assert "python sweep/run.py --resume evening, which writes both again" in error
    assert error.count("\n") == 1
