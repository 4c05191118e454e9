"""Winners, honest ties, and why a leader may be denied."""

import json
from collections.abc import Collection, Sequence
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy import stats

from search_spaces.space import Candidate
from sweep.verdict.gates import interpretable
from sweep.verdict.paired_scores import paired_scores
from sweep.verdict.result import CandidateResult, GroupResult
from sweep.verdict.verdict import decide, holm, nominate
from tests.support.sweeps.result_rows import LABELS, SEEDS, candidates, noisy_scores, result_rows, scores

T = TypeVar("T")

CLEAR = (1.0, 1.2, 2.0, 1.5, 0.4)  # layer2 leads by half a dB
TIED = (1.0, 1.2, 2.0, 2.0, 0.4)  # layer2 and layer3


def verdict(
    values: NDArray[np.float64],
    leader: str = "layer2",
    rows: pd.DataFrame | None = None,
    labels: Sequence[str] = LABELS,
    **options: Any,
) -> GroupResult:
    rows = result_rows(values, labels) if rows is None else rows
    options = {"seeds": SEEDS[: values.shape[1]], **options}
    return decide(
        group={"upstream": "tera"},
        rows=rows,
        metric="si_sdr",
        candidates=candidates(labels),
        leader=leader,
        **options,
    )


def known(value: T | None) -> T:
    assert value is not None
    return value


def row_of(found: GroupResult, label: str) -> CandidateResult:
    return next(row for row in found["candidates"] if row["label"] == label)


def test_a_clear_lead_wins() -> None:
    found = verdict(scores(CLEAR))
    assert found["verdict"] == "winner"
    assert found["winner"] == found["leader"] == {"label": "layer2", "norm_layers": [2]}
    assert found["contenders"] == []
    assert found["score"] == pytest.approx(2.0, abs=0.05)
    assert found["interval"][0] < found["score"] < found["interval"][1]
    assert found["seeds_needed"] == 3
    assert found["beats_baseline"] is True
    assert found["gain"]["value"] == pytest.approx(1.0, abs=0.05)
    assert found["gain"]["p"] < 0.001


def test_a_tie_names_its_contenders_and_what_it_would_take() -> None:
    found = verdict(scores(TIED, spread=0.2))
    assert found["verdict"] == "tie"
    assert found["winner"] is None
    assert found["leader"]["label"] == "layer2"
    assert found["contenders"] == ["layer3"]
    assert known(found["resolvable"]) > known(found["half_width"]) > 0


def test_equivalent_needs_the_whole_interval_inside_the_margin() -> None:
    narrow, wide = verdict(scores(TIED, spread=0.05)), verdict(scores(TIED, spread=2.0))
    assert narrow["equivalent"] == ["layer3"]
    assert narrow["margin"] == 0.1  # dB, the metric's own
    assert wide["equivalent"] == []
    assert verdict(scores(TIED, spread=0.05), margin=1e-6)["equivalent"] == []


def test_the_entry_has_every_promised_key_and_is_plain_json() -> None:
    found = verdict(scores(TIED))
    promised = {
        "group",
        "leader",
        "winner",
        "verdict",
        "contenders",
        "equivalent",
        "resolvable",
        "seeds_needed",
    }
    promised |= {
        "beats_baseline",
        "interpretable",
        "gates",
        "score",
        "interval",
        "gain",
        "candidates",
        "seeds",
    }
    assert promised <= set(found)
    rows = {"label", "config", "n_seeds", "n_utterances", "failures", "score", "interval", "p_best"}
    assert all(rows <= set(row) for row in found["candidates"])
    assert [row["label"] for row in found["candidates"]] == list(LABELS)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_a_better_test_score_is_shown_and_never_promoted() -> None:
    found = verdict(scores(CLEAR), leader="layer3")
    assert found["leader"]["label"] == "layer3"
    assert found["verdict"] == "tie"
    assert found["contenders"] == ["layer2"]
    assert any("layer2" in note and "not promoted" in note for note in found["notes"])


def test_a_baseline_may_win() -> None:
    found = verdict(scores((2.0, 1.2, 1.0, 1.5, 0.4)), leader="none")
    assert found["verdict"] == "winner"
    assert found["beats_baseline"] is False
    assert found["gain"] == {"value": 0.0, "interval": None, "p": None}


def test_the_gain_interval_is_dunnetts() -> None:
    """Wider than the plain interval by just what the multivariate t asks for all four rivals at once."""
    found = verdict(scores(CLEAR))
    low, high = known(found["gain"]["interval"])
    plain_low, plain_high = known(row_of(found, "none")["behind_leader_interval"])
    ratio = (high - low) / (plain_high - plain_low)
    df = known(found["variance"])["df"]
    correlation = (np.eye(4) + 1) / 2
    bound = np.full(4, ratio * stats.t.isf(0.025, df))
    inside = stats.multivariate_t.cdf(bound, shape=correlation, df=df, lower_limit=-bound, random_state=0)
    assert inside == pytest.approx(0.95, abs=1e-3)


def test_identical_candidates_tie_without_a_crash() -> None:
    values = np.repeat(scores((1.0,)), len(LABELS), axis=0)
    found = verdict(values)
    assert found["verdict"] == "tie"
    assert found["contenders"] == ["none", "layer1", "layer3", "random"]
    assert found["equivalent"] == found["contenders"]


@pytest.mark.parametrize(("n_seeds", "n_utterances"), [(1, 60), (3, 1), (1, 1)])
def test_one_seed_or_one_utterance_is_a_tie_with_a_plain_note(n_seeds: int, n_utterances: int) -> None:
    found = verdict(scores(CLEAR, n_seeds, n_utterances))
    assert found["verdict"] == "tie"
    assert found["interval"] is None
    assert found["gain"]["interval"] is None
    assert found["seeds_needed"] is None
    assert any("no interval can be had" in note for note in found["notes"])


def test_two_seeds_are_enough_to_decide() -> None:
    assert verdict(scores(CLEAR, n_seeds=2))["verdict"] == "winner"


def test_a_leader_with_a_failed_seed_cannot_win() -> None:
    found = verdict(scores(CLEAR), failed_jobs=[("layer2", 12)])
    assert found["verdict"] == "tie"
    assert found["winner_p"] == 1.0
    assert row_of(found, "layer2")["failed_seeds"] == 1
    assert any("failed seed" in note for note in found["notes"])


def test_a_leader_that_fails_where_the_noisy_input_scores_cannot_win() -> None:
    values = scores(CLEAR, n_utterances=200)
    values[2, 0, 5] = np.nan
    found = verdict(values)
    assert found["verdict"] == "tie"
    assert row_of(found, "layer2")["failures"] == 1
    assert row_of(found, "layer2")["n_utterances"] == 199


def test_a_rival_with_a_failed_seed_is_still_compared() -> None:
    far = verdict(scores(CLEAR), failed_jobs=[("layer3", 12)])
    near = verdict(scores(TIED), failed_jobs=[("layer3", 12)])
    assert far["verdict"] == "winner"
    assert near["contenders"] == ["layer3"]
    assert row_of(near, "layer3")["n_seeds"] == 2


def test_a_rival_that_never_trained_does_not_stand_in_the_way() -> None:
    found = verdict(scores(CLEAR), failed_jobs=[("random", seed) for seed in SEEDS])
    assert found["verdict"] == "winner"
    row = found["candidates"][-1]
    assert (row["n_seeds"], row["score"], row["p_best"]) == (0, None, None)
    assert any("random" in note and "not compared" in note for note in found["notes"])


def test_every_job_failed_is_a_tie_not_a_crash() -> None:
    failed = [(label, seed) for label in LABELS for seed in SEEDS]
    found = verdict(scores(CLEAR), failed_jobs=failed)
    assert (found["verdict"], found["score"]) == ("tie", None)


def test_seeds_needed_grows_as_the_lead_shrinks_and_may_be_out_of_reach() -> None:
    values = scores((0.0, 0.0, 0.0, 0.0, 0.0), spread=0.01)
    lucky = np.random.default_rng(1).standard_normal((5, 3, 1))
    wide, narrow = (verdict(values + 0.3 * lucky, margin=margin)["seeds_needed"] for margin in (0.5, 0.3))
    assert 3 < known(wide) < known(narrow)
    per_utterance = scores((0,) * 5) + np.random.default_rng(2).standard_normal((5, 1, 60))
    assert verdict(per_utterance)["seeds_needed"] is None


def test_the_noisy_input_is_scored_and_gained_over() -> None:
    found = verdict(scores(CLEAR))["noisy"]
    assert found["score"] == pytest.approx(noisy_scores(60).mean())
    assert found["gain"] == pytest.approx(2.0, abs=0.05)
    assert known(found["interval"])[0] > 1.9


def test_few_speakers_are_said_to_be_these_speakers() -> None:
    values = scores(CLEAR)
    few = verdict(values, rows=result_rows(values, n_speakers=4))["population"]
    many = verdict(values, rows=result_rows(values, n_speakers=12))["population"]
    assert (few["unit"], few["conditional_on_speakers"]) == ("utterance", True)
    assert (many["unit"], many["conditional_on_speakers"]) == ("speaker", False)
    assert (many["speakers"], many["utterances"]) == (12, 60)
    assert many["noise_types"] == ["noise0", "noise1", "noise2"]


def test_each_noise_type_has_its_own_leader() -> None:
    values = scores(CLEAR)
    values[1, :, 0::3] += 5.0  # layer1 is best in noise0
    found = verdict(values)["by_noise_type"]
    assert (found["same_leader"], found["of"]) == (2, 3)
    assert [row["leader"] for row in found["types"]] == ["layer1", "layer2", "layer2"]


def test_probabilities_of_being_best_sum_to_one_and_favour_the_leader() -> None:
    found = verdict(scores(TIED))
    chances = {row["label"]: known(row["p_best"]) for row in found["candidates"]}
    assert sum(chances.values()) == pytest.approx(1)
    assert chances["layer2"] + chances["layer3"] > 0.999


def test_without_gates_nothing_is_called_interpretable() -> None:
    assert verdict(scores(CLEAR))["interpretable"] is False
    gates = interpretable(
        {"pretrained": [[2.0, 2.1], [2.1, 2.0]], "random": [[1.0, 1.1], [1.1, 1.0]]},
        [{"site": 1, "value": 0.4, "interval": [0.3, 0.5]}],
    )
    found = verdict(scores(CLEAR), gates=gates)
    assert found["interpretable"] is True
    assert found["gates"]["transfer_gap"]["value"] == pytest.approx(1.0)
    assert found["gates"]["mismatch"] == [{"site": 1, "value": 0.4, "interval": [0.3, 0.5]}]


def test_a_stricter_alpha_widens_every_interval() -> None:
    loose, strict = verdict(scores(TIED)), verdict(scores(TIED), alpha=0.01)
    assert known(strict["half_width"]) > known(loose["half_width"])
    assert known(strict["resolvable"]) > known(loose["resolvable"])


def test_verdicts_are_the_same_to_the_bit_in_any_row_order() -> None:
    values = scores(TIED)
    shuffled = result_rows(values).sample(frac=1, random_state=3)
    assert verdict(values, rows=shuffled) == verdict(values)


def test_space_candidates_are_understood_as_they_are() -> None:
    objects = [Candidate(label=c["label"], config=c["config"], baseline=c["baseline"]) for c in candidates()]
    rows = result_rows(scores(CLEAR))
    found = decide(group={}, rows=rows, metric="si_sdr", candidates=objects, leader="layer2", seeds=SEEDS)
    assert found == {**verdict(scores(CLEAR)), "group": {}}


def test_holm_asks_more_of_each_group_when_there_are_many() -> None:
    strong = verdict(scores(CLEAR))
    weak: GroupResult = {**strong, "winner_p": 0.03}
    corrected = holm([weak, weak, strong])
    assert [found["holm"]["verdict"] for found in corrected] == ["tie", "tie", "winner"]
    assert corrected[0]["verdict"] == "winner"  # the group's own verdict is unchanged
    assert corrected[2]["holm"]["p"] == pytest.approx(3 * strong["winner_p"])
    assert holm([weak])[0]["holm"]["verdict"] == "winner"


def nominated(
    rows: pd.DataFrame, labels: Sequence[str] = LABELS, failed_jobs: Collection[tuple[str, int]] = ()
) -> str | None:
    return nominate(paired_scores(rows, "si_sdr", labels, failed_jobs=failed_jobs))


def test_the_best_on_valid_is_nominated() -> None:
    assert nominated(result_rows(scores(CLEAR), split="valid")) == "layer2"


def test_equal_candidates_are_nominated_in_order() -> None:
    values = np.repeat(scores((1.0,)), len(LABELS), axis=0)
    rows = result_rows(values, split="valid", n_speakers=12)
    assert nominated(rows) == "none"
    assert nominated(rows, LABELS[::-1]) == "random"


def test_a_candidate_that_cannot_win_is_not_nominated_while_another_can() -> None:
    rows = result_rows(scores(CLEAR), split="valid")
    assert nominated(rows, failed_jobs=[("layer2", 11)]) == "layer3"
    assert nominated(rows, failed_jobs=[(label, 11) for label in LABELS]) == "layer2"


def test_without_any_score_there_is_no_candidate_to_nominate() -> None:
    assert nominated(result_rows(scores(CLEAR), split="valid", metric="stoi")) is None
