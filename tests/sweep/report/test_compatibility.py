"""A published figure is compatible, below or above only where the sweep was run as the paper's systems were."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

from search_spaces import find_space
from sweep.commands.main import run_command
from sweep.plan.plan import Plan
from sweep.report.compatibility import compatibility, metric_of, reasons_against
from sweep.report.published.counterparts import counterparts, differences
from sweep.verdict.result import Result
from sweep.verdict.verdict import decide
from tests.support.sweeps.finished_sweep import finished_sweep
from tests.support.sweeps.small_sweep import make_plan
from tests.support.sweeps.typed_plan import plan as typed
from trainables.base.errors import UserError
from trainables.job.assignment import DataSettings

TESTSET = [f"testset/p232_{number:03d}" for number in range(400)] + [f"testset/p257_{n:03d}" for n in range(424)]
PUBLISHED = {"random": 2.3872, "none": 2.9909, "layer1": 3.0729, "layer2": 3.0318, "layer3": 3.0028}  # tera, WB-PESQ
SHIFTS = {"random": 0.0, "none": 0.01, "layer1": -0.4, "layer2": 0.4, "layer3": 0.0}  # ours minus theirs


def paper_plan(folder: Path, **changes: Any) -> Plan:
    settings: dict[str, Any] = {
        "preset": "paper",
        "metric": "wb_pesq",
        "steps": find_space("norm_layers").presets["paper"].steps,
        "method_config": {"size": "base"},
        "corpus_source": "voicebank",
    }
    return make_plan(folder, **(settings | changes))


def rows_on_voicebank(plan: Plan) -> pd.DataFrame:
    """WB-PESQ of tera's finalists: the paper's figures plus SHIFTS, with seeds that differ by 0.02."""
    rng = np.random.default_rng(0)
    hard = 0.3 * rng.standard_normal(len(TESTSET))
    hard -= hard.mean()
    frames = []
    for label in ("noisy", *PUBLISHED):
        for seed in (-1,) if label == "noisy" else plan.seeds:
            level = 1.97 if label == "noisy" else PUBLISHED[label] + SHIFTS[label]
            offset = 0.02 * (seed - plan.seeds[1]) if label != "noisy" else 0.0
            frames.append(
                pd.DataFrame(
                    {
                        "group": "tera",
                        "candidate": label,
                        "seed": seed,
                        "split": "test",
                        "utterance": TESTSET,
                        "speaker": [name[8:12] for name in TESTSET],
                        "noise_type": "cafe",
                        "snr_db": 2.5,
                        "metric": "wb_pesq",
                        "value": level + offset + hard + 0.05 * rng.standard_normal(len(TESTSET)),
                        "status": "ok",
                    }
                )
            )
    return pd.concat(frames, ignore_index=True)


def result_on(plan: Plan, rows: pd.DataFrame) -> Result:
    group = decide(
        group={"upstream": "tera"},
        rows=rows,
        metric="wb_pesq",
        candidates=plan.group_plan("tera").candidates,
        leader="layer2",
        seeds=plan.seeds,
    )
    return cast(Result, {"metric": "wb_pesq", "groups": [group]})


@pytest.fixture(scope="module")
def entries(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    plan = paper_plan(tmp_path_factory.mktemp("paper"))
    rows = rows_on_voicebank(plan)
    found = compatibility(result_on(plan, rows), plan, rows, metric_of(plan))
    return {entry["candidate"]: entry for entry in found}


def test_words_say_where_ours_is(entries: dict[str, dict[str, Any]]) -> None:
    assert {label: entry["verdict"] for label, entry in entries.items()} == {
        "random": "compatible",
        "none": "compatible",
        "layer1": "below",
        "layer2": "above",
        "layer3": "compatible",
    }
    assert {label: entry["published"] for label, entry in entries.items()} == PUBLISHED


def test_the_interval_of_one_more_run_is_wider_than_that_of_the_mean(entries: dict[str, dict[str, Any]]) -> None:
    for entry in entries.values():
        (low, high), (run_low, run_high) = entry["interval"], entry["prediction_interval"]
        assert run_low < low < entry["score"] < high < run_high
        assert run_low + run_high == pytest.approx(2 * entry["score"])
        # With seeds that differ by 0.02 and means of 824 utterances: t(2) 0.02 sqrt(4/3) and a little for utterances.
        assert run_high - entry["score"] == pytest.approx(4.303 * 0.02 * np.sqrt(4 / 3), rel=0.15)
        assert (entry["seeds"], entry["units"], entry["unit"]) == (3, 824, "utterance")


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"preset": "demo", "steps": 100, "method_config": {"size": "tiny"}}, "tiny"),
        ({"steps": 1000}, "1000 steps"),
        ({"fixed": {"k0": 0.0}}, "k0"),
        ({"data": DataSettings(labelled_minutes=10)}, "10 labelled minutes"),
    ],
)
def test_another_setting_has_no_word(tmp_path: Path, changes: dict[str, Any], word: str) -> None:
    plan = paper_plan(tmp_path, **changes)
    (reason,) = differences(plan, "VoiceBank-DEMAND", TESTSET)
    assert word in reason
    rows = rows_on_voicebank(plan)
    found = compatibility(result_on(plan, rows), plan, rows, "wb_pesq")
    assert {entry["verdict"] for entry in found} == {"not comparable"}


def test_a_test_set_is_known_by_its_utterances_not_its_name(tmp_path: Path) -> None:
    plan = paper_plan(tmp_path)
    assert differences(plan, "VoiceBank-DEMAND", TESTSET) == []
    assert differences(plan, "VoiceBank-DEMAND", TESTSET[:-1]) == ["the test set is not VoiceBank-DEMAND's"]
    assert differences(plan, "VoiceBank-DEMAND", [*TESTSET[:-1], "testset/p226_001"]) != []
    wsj0 = [f"01to030v_0.76421_20ga{number:03d}m_-0.76421" for number in range(3000)]
    libri = [f"61-70968-{number:04d}_8455-210777-0012" for number in range(3000)]
    for ids, name, other in ((wsj0, "WSJ0-2mix", "Libri2Mix"), (libri, "Libri2Mix", "WSJ0-2mix")):
        assert differences(plan, name, ids) == []
        assert differences(plan, other, ids) != []


@pytest.mark.parametrize(
    ("space", "number"), [("norm_layers", 50), ("norm_controls", 0), ("contrastive_schedule", 0), ("norm_joint", 0)]
)
def test_figures_belong_to_candidates_that_repeat_them(tmp_path: Path, space: str, number: int) -> None:
    # make_plan has the groups and candidates of norm_layers, which are none of the other spaces' papers.
    plan = make_plan(tmp_path, space=space)
    found = counterparts(plan)
    assert len(found) == number
    assert len({(each.group, each.candidate, each.metric, each.corpus) for each in found}) == number


def test_a_metric_that_the_paper_lacks_is_refused(tmp_path: Path) -> None:
    plan = make_plan(tmp_path)
    assert metric_of(plan) == "wb_pesq"  # the sweep is decided by SI-SDR, which the paper has not
    assert metric_of(plan, "stoi") == "stoi"
    with pytest.raises(UserError, match="the paper gives wb_pesq, stoi"):
        metric_of(plan, "si_sdr")
    with pytest.raises(UserError, match="no published figures"):
        metric_of(make_plan(tmp_path, space="norm_controls"))


@pytest.mark.parametrize("form", ["table", "markdown", "csv", "json", "latex"])
def test_the_command_gives_no_word_for_the_demo(tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str) -> None:
    finished_sweep(tmp_path)
    assert run_command("leaderboard", ["evening", "--output", str(tmp_path), "--published", "--format", form]) == 0
    text = capsys.readouterr().out
    if form == "json":
        words = {entry["verdict"] for entry in json.loads(text)["figures"]}
    elif form == "csv":
        words = {row["verdict"] for row in csv.DictReader(io.StringIO(text))}
    else:
        assert "no number of runs" in " ".join(text.replace("% ", "").split())
        words = {word for word in ("compatible", "not comparable") if word in text}
    assert words == {"not comparable"}


def test_systems_on_one_budget_are_set_against_their_papers_and_never_comparable(tmp_path: Path) -> None:
    made = typed(tmp_path, "--space", "systems", "--preset", "paper", "--corpus", "demo").plan
    found = {(each.candidate, each.system): each.value for each in counterparts(made) if each.metric == "wb_pesq"}
    assert found == {
        ("none", "TERA-pretrained"): 2.9909,
        ("normed", "TERA-normed"): 3.0729,
        ("demucs", "DEMUCS"): 3.07,
        ("se_conformer", "SE-Conformer"): 3.13,
    }
    reasons = differences(replace(made, corpus_source="voicebank"), "VoiceBank-DEMAND", TESTSET)
    assert len(reasons) == 1
    assert "budget" in reasons[0]


def test_a_system_with_another_recipe_than_its_papers_is_never_comparable(tmp_path: Path) -> None:
    flags = ("--space", "separation_pretraining", "--models", "dptnet,sandglasset")
    found = {each.system: each for each in counterparts(typed(tmp_path, *flags).plan)}
    reasons = {system: reasons_against(each, []) for system, each in found.items()}
    assert [system for system in reasons if reasons[system]] == ["(l) WSJ0-2mix Sandglasset, original paper, 4 s"]
    assert reasons_against(found["(h) WSJ0-2mix DPTNet, batch 4, 4 s"], ["seen"]) == ["seen"]
