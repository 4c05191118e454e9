"""Verdicts on anyone's table: a sweep's own to the last digit, every other shape, and what is refused."""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy import stats

from sweep.verdict import Judgement, judge
from sweep.verdict.judgement import conditions, tier_letters
from sweep.verdict.paired_scores import paired_scores
from sweep.verdict.result import JudgedGroup, records
from sweep.verdict.verdict import decide, holm, nominate
from tests.support import REPOSITORY
from tests.support.sweeps.result_rows import LABELS, SEEDS, result_rows, scores
from trainables.base.errors import UserError

CLEAR = (1.0, 1.2, 2.0, 1.5, 0.4)  # layer2 leads by half a dB
TIED = (1.0, 1.2, 2.0, 2.0, 0.4)  # layer2 and layer3
NAMES = {"seed": "seed", "unit": "utterance"}
OURS = {**NAMES, "speaker": "speaker", "group": "group", "noise_type": "noise_type", "metric": "si_sdr"}


def table(values: NDArray[np.float64], **columns: Any) -> pd.DataFrame:
    """Rows of (candidates, seeds, utterances) scores without a noisy input."""
    rows = result_rows(values, **columns)
    return rows[rows["candidate"] != "noisy"].drop(columns=["metric", "group"])


def only(found: Judgement) -> JudgedGroup:
    assert len(found.groups) == 1
    return found.groups[0]


# -- as in a sweep ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("means", [CLEAR, TIED])
@pytest.mark.parametrize("n_speakers", [4, 12])
@pytest.mark.parametrize("broken", [False, True])
def test_a_sweeps_rows_get_the_sweeps_verdict_to_the_last_digit(
    means: tuple[float, ...], n_speakers: int, broken: bool
) -> None:
    values, on_valid = scores(means, spread=0.3, n_utterances=240), scores(means, spread=0.3, seed=9)
    if broken:
        values[4, 1, :30] = np.nan  # a failed seed
        values[0, 0, 3] = np.nan  # a failed score
    rows, valid = result_rows(values, n_speakers=n_speakers), result_rows(on_valid, split="valid")
    leader = nominate(paired_scores(valid, "si_sdr", LABELS))
    assert leader is not None
    plain = [{"label": label, "config": {}, "baseline": False} for label in LABELS]
    sweep = holm(
        [decide(group={"group": "tera"}, rows=rows, metric="si_sdr", candidates=plain, leader=leader, seeds=SEEDS)]
    )[0]
    found = only(judge(rows, nominate=valid, **OURS))
    theirs = {key: value for key, value in sweep.items() if key not in ("gates", "notes")}
    assert {key: value for key, value in found.items() if key in theirs} == theirs
    assert found["notes"][: len(sweep["notes"])] == sweep["notes"]
    assert (found["chance"], found["seeds_paired"], found["chosen_from"]) == ("seeds and units", True, 2)


def test_the_order_of_rows_decides_nothing() -> None:
    rows = table(scores(TIED, spread=0.3))
    found, shuffled = (only(judge(each, **NAMES)) for each in (rows, rows.sample(frac=1, random_state=1)))
    assert shuffled["tiers"] == found["tiers"]
    assert (shuffled["leader"], shuffled["contenders"]) == (found["leader"], found["contenders"])
    assert shuffled["half_width"] == pytest.approx(found["half_width"], rel=1e-12)


def test_a_candidate_without_rows_of_a_seed_is_compared_on_the_others_and_may_win() -> None:
    rows = table(scores(CLEAR))
    fewer = rows[~(rows["candidate"].eq("layer2") & rows["seed"].eq(12))]
    found = only(judge(fewer, **NAMES))
    assert (found["verdict"], found["leader"]["label"]) == ("winner", "layer2")
    assert {row["label"]: row["n_seeds"] for row in found["candidates"]}["layer2"] == 2


# -- direction -------------------------------------------------------------------------------------------------


def test_lower_is_better_mirrors_the_verdict_and_keeps_the_metrics_sign() -> None:
    rows = table(scores(CLEAR, spread=0.3))
    rates = rows.assign(value=10 - rows["value"])
    higher, lower = (
        only(judge(rows, baseline="none", **NAMES)),
        only(judge(rates, baseline="none", lower=True, **NAMES)),
    )
    assert (higher["lower"], lower["lower"]) == (False, True)
    assert lower["leader"] == higher["leader"]
    assert lower["tiers"] == higher["tiers"]
    assert lower["score"] == pytest.approx(10 - higher["score"])  # type: ignore[operator]
    low, high = higher["interval"]  # type: ignore[misc]
    assert lower["interval"] == pytest.approx([10 - high, 10 - low])
    for mine, other in zip(lower["candidates"], higher["candidates"], strict=True):
        assert mine["behind_leader"] == pytest.approx(other["behind_leader"])
        assert mine["gain"] == pytest.approx(other["gain"])
    assert lower["gain"]["value"] > 0.9  # type: ignore[operator]
    ranked = [row["candidate"] for row in records(judge(rates, lower=True, **NAMES).to_dict())]
    assert ranked == ["layer2", "layer3", "layer1", "none", "random"]


# -- every other shape -----------------------------------------------------------------------------------------


def test_one_run_of_each_is_conditional_on_these_models() -> None:
    rows = table(scores(CLEAR, n_seeds=1, spread=0.3)).drop(columns="seed")
    found = only(judge(rows, unit="utterance"))
    assert (found["chance"], found["verdict"], found["chosen_from"]) == ("units", "winner", 5)
    assert conditions(found).startswith("Conditional on these models")
    assert found["seeds_needed"] == 1


def test_the_interval_of_a_chosen_leader_is_tukeys() -> None:
    values = scores(TIED, n_seeds=1, spread=0.3)
    found = only(judge(table(values).drop(columns="seed"), unit="utterance"))
    leader = LABELS.index(found["leader"]["label"])
    rival = found["candidates"][1 - leader if leader < 2 else 1]
    d = values[leader, 0] - values[LABELS.index(rival["label"]), 0]
    half = stats.studentized_range.isf(0.05, 5, 59) / 2**0.5 * d.std(ddof=1) / 60**0.5
    assert rival["behind_leader_interval"] == pytest.approx([d.mean() - half, d.mean() + half], rel=1e-4)


def test_values_without_utterances_are_compared_over_seeds() -> None:
    means = table(scores(CLEAR, spread=0.3)).groupby(["candidate", "seed"], as_index=False)["value"].mean()
    found = only(judge(means, seed="seed"))
    assert (found["chance"], found["seeds_paired"], found["leader"]["label"]) == ("seeds", True, "layer2")
    unnamed = only(judge(means.assign(seed=range(len(means))), seed="seed"))
    assert (unnamed["seeds_paired"], unnamed["leader"]["label"]) == (False, "layer2")


def test_one_value_of_each_is_a_tie_without_intervals() -> None:
    found = only(judge(pd.DataFrame({"candidate": ["a", "b"], "value": [1.0, 2.0]})))
    assert (found["verdict"], found["chance"], found["leader"]["label"]) == ("tie", "none", "b")
    assert (found["contenders"], found["resolvable"], found["seeds_needed"], found["units_needed"]) == (
        ["a"],
        None,
        None,
        None,
    )


def test_a_failed_score_is_counted_and_its_candidate_cannot_win() -> None:
    rows = table(scores(CLEAR, n_utterances=200))
    rows.loc[rows["candidate"].eq("layer2").idxmax(), "value"] = np.nan
    found = only(judge(rows, **NAMES))
    assert {row["label"]: row["failures"] for row in found["candidates"]}["layer2"] == 1
    assert (found["leader"]["label"], found["verdict"]) == ("layer3", "tie")
    assert found["contenders"] == ["layer2"]
    text = rows.assign(value=rows["value"].astype(str))  # "nan", as a table read as text has it
    assert only(judge(text, **NAMES)) == found


def test_a_system_that_failed_often_in_its_only_run_is_still_compared() -> None:
    values = scores(TIED, n_seeds=1)
    values[3, 0, :10] = np.nan
    found = only(judge(table(values).drop(columns="seed"), unit="utterance"))
    assert (found["leader"]["label"], found["contenders"], found["left_out"]) == ("layer2", ["layer3"], 10)


def test_a_gap_is_no_failure_and_its_unit_is_left_out() -> None:
    rows = table(scores(CLEAR))
    found = only(judge(rows.drop(index=rows[rows["candidate"].eq("layer2")].index[:1]), **NAMES))
    assert (found["verdict"], found["left_out"], found["population"]["utterances"]) == ("winner", 1, 59)
    assert {row["failures"] for row in found["candidates"]} == {0}


def test_a_system_scored_on_few_units_leaves_the_others_theirs() -> None:
    rows = table(scores(TIED, spread=0.3))
    few = rows[~rows["candidate"].eq("random") | rows["utterance"].lt("u0010")]
    found, without = only(judge(few, **NAMES)), only(judge(rows[rows["candidate"] != "random"], **NAMES))
    pair = [[row["behind_leader"] for row in each["candidates"] if row["label"] == "none"] for each in (found, without)]
    assert pair[0] == pytest.approx(pair[1])
    assert found["population"]["utterances"] == 60


def test_ties_in_all_cells_are_a_tie_and_equivalent() -> None:
    values = np.repeat(scores((1.0,)), 5, axis=0)
    found = only(judge(table(values), margin=0.1, **NAMES))
    assert (found["verdict"], found["tiers"]) == ("tie", [list(LABELS)])
    assert found["equivalent"] == found["contenders"]


@pytest.mark.parametrize("n_seeds", [1, 3])
def test_a_lead_that_is_the_same_everywhere_wins_nothing(n_seeds: int) -> None:
    """A corpus mean written into every row has no spread, and would be certain."""
    constant = np.broadcast_to(np.array(CLEAR)[:, None, None], (5, n_seeds, 60)).copy()
    found = only(judge(table(constant), **NAMES))
    assert (found["verdict"], found["winner_p"], found["leader"]["label"]) == ("tie", 1.0, "layer2")
    assert any("same everywhere" in note for note in found["notes"])
    assert len(found["tiers"]) == 1


def test_a_value_repeated_for_each_utterance_counts_as_one_a_run() -> None:
    runs = np.random.default_rng(3).standard_normal((5, 3, 1)) + np.array(CLEAR)[:, None, None]
    repeated = only(judge(table(np.broadcast_to(runs, (5, 3, 60)).copy()), **NAMES))
    means = only(judge(table(runs), seed="seed"))
    assert repeated["half_width"] == pytest.approx(means["half_width"])


def test_speakers_of_two_corpora_are_distinct_and_each_corpus_has_its_verdict() -> None:
    first, second = table(scores(CLEAR)), table(scores((1.0, 1.2, 1.4, 2.0, 0.4), seed=1))
    both = pd.concat([first.assign(corpus="a"), second.assign(corpus="b")], ignore_index=True)
    found = only(judge(both, speaker="speaker", corpus="corpus", **NAMES))
    assert (found["population"]["speakers"], found["population"]["utterances"]) == (8, 120)
    assert [(each["corpus"], each["leader"], each["verdict"]) for each in found["corpora"]] == [
        ("a", "layer2", "winner"),
        ("b", "layer3", "winner"),
    ]
    assert found["corpora"][0]["scores"]["layer2"] == pytest.approx(only(judge(first, **NAMES))["score"])


def test_each_group_has_its_own_verdict_and_all_are_claimed_together() -> None:
    rows = pd.concat([table(scores(CLEAR)).assign(g="x"), table(scores(TIED, spread=0.3)).assign(g="y")])
    found = judge(rows, group="g", **NAMES)
    assert [(each["group"], each["verdict"]) for each in found.groups] == [({"g": "x"}, "winner"), ({"g": "y"}, "tie")]
    assert found.groups[0]["holm"]["groups"] == 2


def test_what_would_be_needed_names_units_and_seeds() -> None:
    values = scores((1.0, 1.05), n_seeds=1, spread=0.3, seed=4)
    found = only(judge(table(values, labels=("a", "b")).drop(columns="seed"), unit="utterance", margin=0.06))
    assert (found["verdict"], found["seeds_needed"]) == ("tie", None)
    d = values[1, 0] - values[0, 0]
    units = np.arange(60, 5000)
    error = d.std(ddof=1) / units**0.5
    reached = (stats.t.isf(0.025, units - 1) + stats.t.ppf(0.8, units - 1)) * error <= max(abs(d.mean()), 0.06)
    assert found["units_needed"] == units[reached][0]


def test_tiers_are_those_of_tukeys_comparisons() -> None:
    found = only(judge(table(scores(TIED)), **NAMES))
    assert [sorted(tier) for tier in found["tiers"]] == [["layer2", "layer3"], ["layer1"], ["none"], ["random"]]
    letters = tier_letters(found)
    assert (letters["layer2"], letters["layer3"], letters["random"]) == ("a", "a", "d")


def test_a_leader_nominated_elsewhere_has_the_sharper_interval() -> None:
    rows, valid = table(scores(TIED, spread=0.3)), table(scores(TIED, spread=0.3, seed=5))
    named, chosen = only(judge(rows, nominate=valid, **NAMES)), only(judge(rows, **NAMES))
    assert named["half_width"] < chosen["half_width"]  # type: ignore[operator]
    assert (named["chosen_from"], chosen["chosen_from"]) == (2, 5)


# -- as an object ----------------------------------------------------------------------------------------------


def test_the_answer_is_plain_json_and_a_page_for_notebooks() -> None:
    rows = table(scores(TIED)).replace({"candidate": {"none": "<script>"}})
    found = judge(rows, **NAMES)
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False)) == found.to_dict()
    page = found._repr_html_()
    assert "<script>" not in page
    assert all(label in page for label in ("layer1", "layer2", "&lt;script&gt;"))
    assert "layer2" in str(found)


def test_importing_it_takes_no_torch() -> None:
    code = (
        "import sys; from sweep.verdict import judge; print(*{'torch', 'ray', 'mlflow', 'optuna'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


# -- what is refused -------------------------------------------------------------------------------------------


def without(column: str) -> Callable[[pd.DataFrame], Any]:
    return lambda rows: rows.drop(columns=column)


@pytest.mark.parametrize(
    ("change", "options", "said"),
    [
        (without("value"), {}, ["'value'", "candidate"]),
        (without("candidate"), {}, ["'candidate'"]),
        (lambda rows: rows, {"seed": "sead"}, ["'sead'", "seed"]),
        (lambda rows: rows, {"value": "speaker"}, ["row 0", "'s00'", "'speaker'"]),
        (lambda rows: rows[rows["candidate"] == "none"], {}, ["'none'", "two"]),
        (lambda rows: rows.iloc[:0], {}, ["no rows"]),
        (lambda rows: pd.concat([rows, rows.iloc[[7]]]), {}, ["none", "u0007", "7"]),
        (lambda rows: rows, {"unit": None}, ["unit", "none"]),
        (lambda rows: rows.assign(candidate=rows["candidate"].where(rows.index != 5)), {}, ["row 5", "candidate"]),
        (lambda rows: rows.assign(utterance=rows["candidate"] + rows["utterance"]), {}, ["'utterance'", "noneu0000"]),
        (lambda rows: rows.assign(value=np.nan), {}, ["failed"]),
        (lambda rows: rows.assign(metric=np.where(rows.index % 2, "a", "b")), {}, ["a", "b", "metric"]),
        (lambda rows: rows, {"alpha": 1.5}, ["alpha", "1.5"]),
        (lambda rows: rows, {"margin": -1.0}, ["margin", "-1"]),
        (lambda rows: rows, {"value": "candidate"}, ["two roles", "'candidate'"]),
        (lambda rows: rows, {"unit": "value"}, ["two roles", "'value'"]),
        (lambda rows: rows.assign(value=1j * rows["value"]), {}, ["'value'", "complex"]),
        (lambda rows: rows.assign(value=pd.Timestamp("2026-01-01")), {}, ["'value'", "datetime"]),
        (lambda rows: rows, {"baseline": "nome"}, ["'nome'", "none"]),
        (lambda rows: rows.to_dict(), {}, ["DataFrame", "dict"]),
    ],
)
def test_an_unusable_table_is_refused_with_place_and_remedy(
    change: Callable[[pd.DataFrame], Any], options: dict[str, Any], said: list[str]
) -> None:
    rows = table(scores(CLEAR)).reset_index(drop=True)
    with pytest.raises(UserError) as refused:
        judge(change(rows), **{**NAMES, **options})
    assert all(word in str(refused.value) for word in said), str(refused.value)


def test_the_scores_themselves_name_no_leader_beforehand() -> None:
    rows = table(scores(CLEAR))
    with pytest.raises(UserError, match="beforehand"):
        judge(rows, nominate=rows.copy(), **NAMES)


def test_scores_to_nominate_on_must_have_every_candidate() -> None:
    rows = table(scores(CLEAR))
    with pytest.raises(UserError, match="random"):
        judge(rows, nominate=rows[rows["candidate"] != "random"], **NAMES)
