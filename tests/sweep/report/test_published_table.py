"""The paper's tables, ranked by the code that ranks a sweep's candidates."""

import csv
import io
import json

import pytest

from sweep.commands.main import run_command
from sweep.report.published_table import NOT_STATED, published_result


def leaders(metric: str) -> dict[str, str]:
    groups = published_result(metric)["groups"]
    return {group["group"]["upstream"]: group["leader"]["label"] for group in groups}


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run_command("leaderboard", ["--published", *arguments]) == 0
    return capsys.readouterr().out


def test_by_wb_pesq_tera_leads_with_layer_1_and_wav2vec2_with_layer_2() -> None:
    found = leaders("wb_pesq")
    assert (found["tera"], found["wav2vec2"]) == ("layer1", "layer2")


def test_table_2_alone_says_the_same_and_holds_layers_only() -> None:
    groups = {group["group"]["upstream"]: group for group in published_result("wb_pesq", tables=("2",))["groups"]}
    assert {name: group["leader"]["label"] for name, group in groups.items()} == {
        "tera": "layer1",
        "wav2vec2": "layer2",
    }
    layers = {name: sorted(row["label"] for row in group["candidates"]) for name, group in groups.items()}
    assert layers["tera"] == ["layer1", "layer2", "layer3", "none"]
    assert layers["wav2vec2"] == ["layer1", "layer2", "layer3", "layer4", "none"]


def test_by_stoi_they_do_not() -> None:
    found = leaders("stoi")
    assert found["tera"] != "layer1"
    assert found["wav2vec2"] != "layer2"


def test_every_row_of_both_tables_is_there() -> None:
    groups = {group["group"]["upstream"]: group for group in published_result("wb_pesq")["groups"]}
    assert set(groups) == {"mockingjay", "tera", "wav2vec2", "wavlm", "hubert", "demucs", "se-conformer"}
    scores = {row["label"]: row["score"] for row in groups["wav2vec2"]["candidates"]}
    assert scores == {
        "random": 2.6646,
        "none": 2.7223,
        "layer1": 2.7692,
        "layer2": 2.7861,
        "layer3": 2.3002,
        "layer4": 2.6417,
    }
    assert {row["label"] for row in groups["mockingjay"]["candidates"]} == {"random", "none", "layer1"}


@pytest.mark.parametrize("form", ["table", "markdown", "csv", "json"])
def test_every_form_says_that_n_is_not_stated(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, "--format", form, "--metric", "cbak")
    assert NOT_STATED in text
    assert "3.4208" in text


def test_no_interval_and_no_winner_is_claimed(capsys: pytest.CaptureFixture[str]) -> None:
    result = json.loads(printed(capsys, "--format", "json"))
    assert all(group["winner"] is None and group["interval"] is None for group in result["groups"])


def test_csv_is_ranked_within_each_group(capsys: pytest.CaptureFixture[str]) -> None:
    rows = list(csv.DictReader(io.StringIO(printed(capsys, "--format", "csv"))))
    tera = [float(row["score"]) for row in rows if row["group"] == "tera"]
    assert tera == sorted(tera, reverse=True)


def test_what_the_paper_does_not_give_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command("leaderboard", ["--published", "--metric", "si_sdr"]) == 2
    assert "the paper gives wb_pesq" in capsys.readouterr().err
