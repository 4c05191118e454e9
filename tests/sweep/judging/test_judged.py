"""`judge` from file to verdict: our own sweeps' to the last digit, and never by the order or shape of a table."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweep.commands.main import run_command
from sweep.judging.columns import Asked
from sweep.judging.directions import direction
from sweep.judging.file_table import FileTable
from sweep.judging.judged import Question, judged_scores
from sweep.judging.view import Judged, needed, table_of
from sweep.plan.plan import Plan
from sweep.verdict.judgement import headline
from sweep.verdict.paired_scores import group_rows
from sweep.verdict.verdict import decide, holm
from tests.support import REPOSITORY
from tests.support.sweeps.finished_sweep import finished_sweep, result_of, rows_on_test
from tests.support.sweeps.small_sweep import make_plan
from trainables.base.errors import UserError


def long_table(
    systems: int = 3, seeds: int = 3, utterances: int = 20, gain: float = 0.3, key: int = 0, speakers: int = 0
) -> pd.DataFrame:
    """Scores whose last system is the best by `gain`."""
    rng = np.random.default_rng(key)
    hard = rng.normal(0, 0.5, utterances)
    rows = [
        {
            "system": f"s{system}",
            "seed": seed,
            "utt": f"u{utterance:03d}",
            **({"speaker": f"p{utterance % speakers}"} if speakers else {}),
            "pesq": 2 + (gain if system == systems - 1 else 0) + hard[utterance] + 0.1 * float(rng.normal()),
        }
        for system in range(systems)
        for seed in range(seeds)
        for utterance in range(utterances)
    ]
    return pd.DataFrame(rows)


def of_frame(frame: pd.DataFrame, **more: Any) -> Judged:
    """As read from a file."""
    asked = more.pop("asked", Asked())
    typed = frame.apply(lambda column: column.astype("category") if column.dtype == "str" else column)
    return judged_scores(
        [FileTable("scores", typed.reset_index(drop=True))], [("", None)], Question(asked=asked, **more)
    )


def judged_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert run_command("judge", [*arguments, "--format", "json"]) == 0
    return dict(json.loads(capsys.readouterr().out))


# -- our own sweeps ----------------------------------------------------------------------------------------

_OURS = {"group", "gates", "interpretable", "candidates", "leader", "winner", "chance", "seeds_paired", "chosen_from"}
_OURS |= {"units_needed", "tiers", "left_out", "population", "by_noise_type", "lower"}


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A finished sweep in ./sweeps, and its stored result; the noisy input is scored once, for all groups."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SPEECH_SWEEP_OUTPUT", raising=False)
    plan = finished_sweep(tmp_path / "sweeps")
    rows = rows_of(plan)
    rows.to_parquet(tmp_path / "sweeps/evening/results/rows-test.parquet")
    result = {**result_of(plan, rows_on_test(plan)), "groups": decided(plan, rows)}
    (tmp_path / "sweeps/evening/result.json").write_text(json.dumps(result))
    return result


def rows_of(plan: Plan) -> pd.DataFrame:
    rows = rows_on_test(plan)
    return rows[rows["candidate"].ne("noisy") | rows["group"].eq("tera")]


def on_valid(rows: pd.DataFrame, path: Path) -> str:
    """Rows of valid, of which each score is a little higher, so that the same candidates lead there."""
    rows.assign(split="valid", value=rows["value"] + 0.25).to_parquet(path)
    return str(path)


def decided(plan: Plan, rows: pd.DataFrame) -> list[dict[str, Any]]:
    """As the driver decides."""
    found = holm(
        [
            decide(
                group=group.group,
                rows=group_rows(rows, group.name),
                metric=plan.metric,
                candidates=group.candidates,
                leader="layer2",
                seeds=plan.seeds,
                margin=plan.margin,
                alpha=plan.alpha_per_look,
            )
            for group in plan.groups
        ]
    )
    return [dict(group) for group in found]


@pytest.mark.parametrize("name", ["evening", "sweeps/evening", "sweeps/evening/"])
def test_a_sweep_by_its_name_has_its_own_verdicts(
    sweep: dict[str, Any], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = judged_json(capsys, name)["groups"]
    for group, stored in zip(found, sweep["groups"], strict=True):
        assert {key: group[key] for key in stored} == stored


def test_a_sweeps_rows_in_a_file_have_its_verdicts_to_the_last_digit(
    sweep: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "sweeps/evening/results/rows-test.parquet"
    valid = on_valid(pd.read_parquet(rows), Path("rows-valid.parquet"))
    asked = ("--metric", "si_sdr", "--nominate", valid, "--apart", "random")  # as its space says
    found = judged_json(capsys, rows, *asked)["groups"]
    assert [group["group"]["group"] for group in found] == ["tera", "wav2vec2"]
    for group, stored in zip(found, sweep["groups"], strict=True):
        assert group["leader"]["label"] == stored["leader"]["label"]
        assert group["chosen_from"] == 2
        for key in stored.keys() - _OURS:
            assert group[key] == stored[key], key
        for candidate, expected in zip(group["candidates"], stored["candidates"], strict=True):
            for key in expected.keys() - {"config", "baseline"}:
                assert candidate[key] == expected[key], key


def test_rows_of_a_whole_sweep_with_failures_and_ten_speakers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where a job has failed, cells failed and speakers are the unit, the driver's decision is still the same."""
    plan = make_plan(tmp_path / "evening")
    rows = rows_of(plan)
    rows["speaker"] = "s" + rows["utterance"].str[1:]
    failed = rows["candidate"].eq("layer3") & rows["utterance"].eq("u03") & rows["seed"].eq(1002)
    rows.loc[failed, "status"] = "no_utterance"
    rows.loc[failed, "value"] = None
    file = str(tmp_path / "rows.parquet")
    rows.to_parquet(file)
    valid = on_valid(rows, tmp_path / "rows-valid.parquet")
    found = judged_json(capsys, file, "--metric", "si_sdr", "--nominate", valid, "--apart", "random")
    for group, expected in zip(found["groups"], decided(plan, rows), strict=True):
        assert expected["population"]["unit"] == group["population"]["unit"] == "speaker"
        for key in expected.keys() - _OURS:
            assert group[key] == expected[key], key


def test_a_sweeps_rows_of_several_metrics_need_a_choice(
    sweep: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command("judge", ["sweeps/evening/results/rows-test.parquet"]) == 2
    assert "si_sdr, wb_pesq" in capsys.readouterr().err


# -- the same scores, another table --------------------------------------------------------------------------


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    """A small table, some of its cells failed or missing, with ties."""
    frame = long_table(
        systems=draw(st.integers(2, 4)),
        seeds=draw(st.integers(1, 3)),
        utterances=draw(st.integers(2, 14)),
        key=draw(st.integers(0, 99)),
        gain=draw(st.sampled_from([0.0, 0.05, 0.5])),
        speakers=draw(st.sampled_from([0, 2, 12])),
    )
    if draw(st.booleans()):
        frame["pesq"] = frame["pesq"].round(1)
    failed = draw(st.lists(st.integers(0, len(frame) - 1), max_size=2))
    frame.loc[failed, "pesq"] = np.nan
    return frame


def answers(judged: Judged) -> list[dict[str, Any]]:
    return [{key: value for key, value in group.items() if key != "metric"} for group in judged.groups]


@settings(max_examples=40, deadline=None)
@given(frame=tables(), data=st.data())
def test_rows_and_columns_in_any_order_give_the_same_verdict(frame: pd.DataFrame, data: st.DataObject) -> None:
    shuffled = frame.iloc[data.draw(st.permutations(range(len(frame))))]
    shuffled = shuffled[data.draw(st.permutations(list(frame)))]
    try:
        expected = answers(of_frame(frame))
    except UserError as error:
        with pytest.raises(UserError, match=str(error)[:20]):
            of_frame(shuffled)
        return
    assert answers(of_frame(shuffled)) == expected


@settings(max_examples=40, deadline=None)
@given(frame=tables(), data=st.data())
def test_long_and_wide_tables_give_the_same_verdict(frame: pd.DataFrame, data: st.DataObject) -> None:
    keys = [column for column in frame if column not in ("system", "pesq")]
    wide = frame.pivot(index=keys, columns="system", values="pesq").reset_index()
    systems = data.draw(st.permutations(sorted(frame["system"].unique())))
    wide = wide[[*keys, *systems]]
    assert answers(of_frame(wide, asked=Asked(metric="pesq"))) == answers(of_frame(frame))


def test_a_file_for_each_system_and_seed_gives_the_same_verdict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = long_table()
    frame.to_csv(tmp_path / "all.csv", index=False)
    names = []
    for (system, seed), part in frame.groupby(["system", "seed"]):
        names.append(str(tmp_path / f"{system}_seed{seed}.csv"))
        part[["utt", "pesq"]].to_csv(names[-1], index=False)
    together, apart = judged_json(capsys, str(tmp_path / "all.csv")), judged_json(capsys, *reversed(names))
    assert together["groups"] == apart["groups"]
    assert together["groups"][0]["winner"]["label"] == "s2"


def test_seeds_are_numbers_so_that_ten_comes_after_two(tmp_path: Path) -> None:
    frame = long_table(seeds=3)
    frame["seed"] = frame["seed"].map({0: 1, 1: 2, 2: 10})
    (group,) = of_frame(frame).groups
    assert group["seeds"] == [1, 2, 10]


# -- directions, groups, nominations -------------------------------------------------------------------------


def test_where_less_is_better_the_lowest_leads(tmp_path: Path) -> None:
    frame = long_table().rename(columns={"pesq": "wer"})
    judged = of_frame(frame)
    (group,) = judged.groups
    assert group["leader"]["label"] != "s2"
    assert "lower is better" in judged.said
    turned = of_frame(frame.assign(wer=-frame["wer"]).rename(columns={"wer": "value"}))
    assert turned.groups[0]["leader"] == group["leader"]
    assert [row["behind_leader"] for row in turned.groups[0]["candidates"]] == pytest.approx(
        [row["behind_leader"] for row in group["candidates"]], nan_ok=True
    )
    asked = of_frame(frame.rename(columns={"wer": "distance"}), higher=True)
    assert asked.groups[0]["leader"]["label"] == "s2"
    with pytest.raises(UserError, match="--lower: of si_sdr, higher is better"):
        of_frame(frame.rename(columns={"wer": "si_sdr"}), lower=True)


@pytest.mark.parametrize(
    ("name", "lower"),
    [
        *(
            (name, True)
            for name in ("WER", "espnet_wer", "cer", "PER", "lsd", "MCD", "f0_rmse", "val_loss", "dtw_distance")
        ),
        ("pesq_per_utterance", False),
        *((name, False) for name in ("PESQ", "si-snr_i", "SI-SDR", "DNSMOS.OVRL", "stoi", "utmos", "torch_squim_pesq")),
    ],
)
def test_the_directions_of_metrics_are_known_by_name(name: str, lower: bool) -> None:
    assert direction(name, False, False) == (lower, "lower is better" if lower else "higher is better")


def test_an_unknown_metrics_direction_is_an_assumption_and_a_contradiction_is_asked() -> None:
    assert direction("warmth", False, False)[0] is False
    assert "assumed" in direction("warmth", False, False)[1]
    assert direction("warmth", True, False)[0] is True
    with pytest.raises(UserError, match="--lower or --higher"):
        direction("wer_improvement", False, False)


def test_known_metrics_bring_their_margin_and_keep_their_name() -> None:
    (group,) = of_frame(long_table()).groups
    assert (group["metric"], group["margin"]) == ("pesq", 0.03)
    (asked,) = of_frame(long_table(), margin=0.5).groups
    assert asked["margin"] == 0.5
    assert set(asked["equivalent"]) == {"s0", "s1"}


@pytest.mark.parametrize("metric", ["wer", "WER", "cer", "lsd"])
def test_a_metric_that_comes_in_several_scales_brings_no_margin_and_no_unit(metric: str) -> None:
    frame = long_table().rename(columns={"pesq": metric})
    frame[metric] /= 100  # a rate as a fraction: ours is in %
    judged = of_frame(frame)
    assert (judged.groups[0]["margin"], judged.groups[0]["equivalent"]) == (0.0, [])
    assert any("no margin" in note for note in judged.notes)
    assert judged.metric_title == f"{metric} (lower is better)"
    (asked,) = of_frame(frame, margin=0.5).groups
    assert len(asked["equivalent"]) == 2


def test_runs_without_utterances_are_compared_by_seed() -> None:
    frame = long_table().groupby(["system", "seed"])["pesq"].mean().reset_index()
    (group,) = of_frame(frame).groups
    assert group["chance"] == "seeds"
    assert group["leader"]["label"] == "s2"


def test_what_it_takes_is_not_said_of_a_leader_that_is_behind_one_that_failed() -> None:
    frame = long_table(seeds=1)
    frame.loc[frame["system"].eq("s2") & (frame["utt"] < "u008"), "pesq"] = np.nan
    (group,) = of_frame(frame).groups
    assert "s2" in group["contenders"]
    assert not any("To decide" in line for line in needed(group))


def test_tiny_scores_have_the_verdict_of_large_ones() -> None:
    frame = long_table()
    (large,) = of_frame(frame).groups
    judged = of_frame(frame.assign(pesq=frame["pesq"] * 1e-9))
    (tiny,) = judged.groups
    assert (tiny["verdict"], tiny["leader"], tiny["contenders"]) == (
        large["verdict"],
        large["leader"],
        large["contenders"],
    )
    assert "0.000 " not in "".join(cell for row in table_of(judged, tiny)[2] for cell in row)


def test_where_nothing_varies_or_the_leader_failed_more_scores_are_not_asked_for() -> None:
    frame = long_table(seeds=1)
    same = frame.assign(pesq=frame.groupby("utt")["pesq"].transform("mean"))
    judged = of_frame(same)
    assert judged.groups[0]["verdict"] == "tie"
    assert [*needed(judged.groups[0])] == []
    apart = long_table(seeds=1, gain=5.0)
    apart.loc[apart["system"].str[1:] == apart["utt"].str[-1], "pesq"] = np.nan  # one of each at least
    (failed,) = of_frame(apart).groups
    assert (failed["leader"]["label"], failed["verdict"], failed["contenders"]) == ("s2", "tie", [])
    assert not any("To decide" in line for line in needed(failed))
    assert "none" not in headline(failed)


def test_each_group_has_its_verdict_and_all_together_are_corrected() -> None:
    frame = pd.concat([long_table(key=key).assign(dataset=name) for key, name in enumerate(("noise", "babble"))])
    judged = of_frame(frame)
    assert [group["group"] for group in judged.groups] == [{"group": "babble"}, {"group": "noise"}]
    assert [group["holm"]["groups"] for group in judged.groups] == [2, 2]


def test_a_leader_named_on_other_data_stays_and_has_narrower_intervals(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    long_table(key=1).to_csv(tmp_path / "valid.csv", index=False)
    long_table(key=2).to_csv(tmp_path / "test.csv", index=False)
    alone = judged_json(capsys, str(tmp_path / "test.csv"))["groups"][0]
    named = judged_json(capsys, str(tmp_path / "test.csv"), "--nominate", str(tmp_path / "valid.csv"))["groups"][0]
    assert (alone["chosen_from"], named["chosen_from"]) == (3, 2)
    assert named["leader"]["label"] == alone["leader"]["label"] == "s2"
    assert named["half_width"] < alone["half_width"]


def test_speakers_from_the_utterances_names_become_the_unit() -> None:
    frame = long_table(utterances=36)
    frame["utt"] = [f"p{int(name[1:]) % 12:02d}_{name}" for name in frame["utt"]]
    plain, by_speaker = of_frame(frame), of_frame(frame, speaker_from="^(p[0-9]+)_")
    assert plain.groups[0]["population"]["unit"] == "utterance"
    assert by_speaker.groups[0]["population"]["unit"] == "speaker"
    assert by_speaker.groups[0]["population"]["speakers"] == 12
    assert any("no speakers" in note for note in plain.notes)
    again = of_frame(frame.assign(spk=frame["utt"].str[:3]))
    assert answers(again) == answers(by_speaker)
    kept = of_frame(frame, speaker_from="^(p[0-9]+)_", unit="utterance")
    assert kept.groups[0]["half_width"] == plain.groups[0]["half_width"]


def test_systems_scored_on_different_utterances_are_compared_by_their_speakers_means() -> None:
    frame = long_table(seeds=1, utterances=240, speakers=12, gain=0.5)
    number = frame["utt"].str[1:].astype(int)
    apart = frame[(number // 12 % 3).eq(frame["system"].str[1:].astype(int))]
    with pytest.raises(UserError, match="--unit speaker"):
        of_frame(apart)
    few = of_frame(frame[(number // 12 % 3).eq(frame["system"].str[1:].astype(int)) | number.lt(36)])
    assert any("--unit speaker" in note for note in few.notes)
    (group,) = of_frame(apart, unit="speaker").groups
    assert (group["population"]["unit"], group["population"]["speakers"]) == ("speaker", 12)
    assert group["population"]["utterances"] == 240
    by_hand = apart.groupby(["system", "speaker"])["pesq"].mean().unstack("system")
    leads = {row["label"]: row["behind_leader"] for row in group["candidates"]}
    leader = group["leader"]["label"]
    for other in {"s0", "s1", "s2"} - {leader}:
        assert leads[other] == pytest.approx(float((by_hand[leader] - by_hand[other]).mean()))


def test_where_all_were_scored_on_the_same_the_speakers_means_change_nothing() -> None:
    frame = long_table(utterances=24, speakers=12)
    (plain,), (means,) = of_frame(frame).groups, of_frame(frame, unit="speaker").groups
    assert means["half_width"] == pytest.approx(plain["half_width"])
    assert means["leader"] == plain["leader"]
    frame.loc[0, "pesq"] = np.nan
    (failed,) = of_frame(frame, unit="speaker").groups
    assert {row["label"]: row["failures"] for row in failed["candidates"]} == {"s0": 1, "s1": 0, "s2": 0}


# -- outputs -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["table", "markdown", "latex", "csv", "json"])
def test_every_format_names_systems_and_verdict(form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    long_table().to_csv(tmp_path / "scores.csv", index=False)
    assert run_command("judge", [str(tmp_path / "scores.csv"), "--format", form, "--baseline", "s0"]) == 0
    said = capsys.readouterr()
    for words in ("s0", "s1", "s2", "winner", "pesq"):
        assert words in said.out
    assert "candidate=system, seed=seed, utterance=utt" in said.out + said.err
    if form == "csv":
        rows = list(csv.DictReader(io.StringIO(said.out)))
        assert rows[0]["candidate"] == "s2"
        assert float(rows[0]["gain"]) == pytest.approx(0.3, abs=0.1)


def test_the_page_stands_alone_and_escapes_what_it_shows(tmp_path: Path) -> None:
    frame = long_table()
    frame["system"] = frame["system"].replace({"s2": "<script>alert(1)</script> & co $x_", "s1": "\u6a21\u578b"})
    frame.to_csv(tmp_path / "scores.csv", index=False)
    page = tmp_path / "page.html"
    assert run_command("judge", [str(tmp_path / "scores.csv"), "--html", str(page)]) == 0
    text = page.read_text()
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    assert "http" not in text.replace("http://www.w3.org", "")
    assert text.count("data:image/svg+xml;base64,") == 2
    assert "width=device-width" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "which scores?"),
        (["none.csv"], "none.csv: no such file"),
        (["runs/none"], "runs/none: no such file"),
        (["https://example.org/scores.csv"], "download"),
        (["../"], "../"),
        (["./."], "a folder"),
        (["scores.csv", "--alpha", "1"], "--alpha"),
        (["scores.csv", "--alpha", "x"], "--alpha 'x'"),
        (["scores.csv", "--margin", "-1"], "--margin"),
        (["scores.csv", "--margin", "nan"], "--margin"),
        (["scores.csv", "--mlflow", "x"], "--experiment"),
        (["scores.csv", "--mlflow", "x", "--experiment", "y"], "instead of files"),
        (["--mlflow", "none", "--experiment", "y", "--metric", "pesq"], "--mlflow none"),
        (["--mlflow", "none", "--experiment", "y"], "--metric"),
        (["scores.csv", "--baseline", "s9"], "s0, s1, s2"),
        (["scores.csv", "--unit", "speaker"], "--speaker"),
        (["scores.csv", "--speaker-from", "("], "regular expression"),
        (["scores.csv", "--speaker-from", "^(x+)_"], "u000"),
        (["scores.csv", "--nominate", "none.csv"], "none.csv"),
        (["scores.csv", "--nominate", "other.csv"], "--nominate other.csv"),
        (["scores.csv", "--html", "no/such/folder/page.html"], "--html"),
        (["scores.csv", "--nominate", "scores.csv"], "beforehand"),
        (["scores.csv", "--html", "./scores.csv"], "--html ./scores.csv"),
        (["scores.csv", "scores.csv"], "twice"),
        (["."], "."),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    long_table().to_csv("scores.csv", index=False)
    long_table().drop(columns="seed").drop_duplicates(["system", "utt"]).to_csv("other.csv", index=False)
    before = sorted(Path().iterdir())
    assert run_command("judge", arguments) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert said in printed.err
    assert sorted(Path().iterdir()) == before


def test_the_example_of_the_docs_prints_what_they_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (REPOSITORY / "docs" / "judge.md").read_text()
    table, shown = (page.split(f"```{kind}\n")[1].split("```")[0] for kind in ("csv", "markdown"))
    monkeypatch.chdir(tmp_path)
    Path("scores.csv").write_text(table)
    line = next(line for line in page.splitlines() if "--format markdown` prints" in line)
    assert run_command("judge", line.split("`")[1].split()[2:]) == 0
    assert capsys.readouterr().out == shown


@pytest.mark.slow
def test_a_million_rows_take_half_a_gibibyte(tmp_path: Path) -> None:
    utterances = np.arange(20_000)
    rng = np.random.default_rng(0)
    pd.concat(
        pd.DataFrame({"system": f"s{system}", "seed": seed, "utt": utterances, "pesq": rng.normal(2, 0.3, 20_000)})
        for system in range(10)
        for seed in range(5)
    ).assign(speaker=lambda frame: frame["utt"] % 30).to_csv(tmp_path / "scores.csv", index=False)
    script = (
        "import resource, sys; from sweep.commands.main import run_command; s = run_command('judge', sys.argv[1:])\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, s)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "scores.csv"), "--format", "csv"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    kibibytes, status = done.stdout.splitlines()[-1].split()
    assert status == "0"
    assert int(kibibytes) < 500 * 1024
