"""The paper's tables, ranked by the code that ranks a sweep's candidates."""

import csv
import io
import json

import pytest

from search_spaces import find_space
from sweep.commands.main import run_command
from sweep.report.published import published_rows
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


def test_every_row_names_a_space_that_trains_its_system() -> None:
    found = {
        (group["group"]["upstream"], row["label"]): (row["space"], row["trained_as"])
        for tables in (("1",), ("2",), ("1", "2"))
        for group in published_result("wb_pesq", tables=tables)["groups"]
        for row in group["candidates"]
    }
    assert len(found) == 20
    assert found["tera", "layer1"] == ("norm_layers", "tera layer1")
    assert found["mockingjay", "random"] == ("norm_layers", "mockingjay random")
    assert found["tera", "random"] == ("norm_layers", "tera random")  # the same figure of the paper
    assert found["demucs", "demucs"] == ("systems", "demucs")
    assert found["se-conformer", "se_conformer"] == ("systems", "se_conformer")
    assert all(space for space, _ in found.values())


NO_COUNTERPART = {  # sweep/report/published/README.md says what they are here
    "feature_normalization": {"wav2vec2.0-normed"},
    "contrastive_se": {"Noisy"},
    "separation": {"(a)", "(b)", "(c)", "(d)", "(g)", "(j)", "(k)", "WSJ0-2mix Conv-TasNet PT-FT SE"},
}


@pytest.mark.parametrize("paper", NO_COUNTERPART)
def test_every_published_system_has_a_counterpart_or_a_line_that_says_what_it_is(paper: str) -> None:
    ours = {row["system"] for row in published_rows("counterparts") if row["paper"] == paper}
    missing = {row["system"] for row in published_rows(paper)} - ours
    assert {each[:3] if each.startswith("(") else each for each in missing} == NO_COUNTERPART[paper]


@pytest.mark.parametrize("row", published_rows("counterparts"), ids=lambda row: f"{row['space']}: {row['system']}")
def test_every_counterpart_is_a_figure_and_a_candidate_at_paper_scale(row: dict[str, str]) -> None:
    assert (row["table"], row["system"]) in {(each["table"], each["system"]) for each in published_rows(row["paper"])}
    space = find_space(row["space"])
    preset = space.presets["paper"].for_group(row["group"])
    group = {space.group_by: row["group"]} if space.group_by else {}
    assert row["group"] in (space.groups or ("all",))
    assert row["candidate"] in {candidate.label for candidate in space.candidates(group, preset)}


def test_csv_is_ranked_within_each_group(capsys: pytest.CaptureFixture[str]) -> None:
    rows = list(csv.DictReader(io.StringIO(printed(capsys, "--format", "csv"))))
    tera = [float(row["score"]) for row in rows if row["group"] == "tera"]
    assert tera == sorted(tera, reverse=True)


def test_what_the_paper_does_not_give_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command("leaderboard", ["--published", "--metric", "si_sdr"]) == 2
    assert "the paper gives wb_pesq" in capsys.readouterr().err
