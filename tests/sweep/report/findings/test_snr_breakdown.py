"""Test scores SNR by SNR, with the paper's rows."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pandas as pd
import pytest

from sweep.plan.plan import Plan
from sweep.report.findings.metric_means import scores_of
from sweep.report.findings.snr_breakdown import snr_breakdown
from sweep.report.findings_cells import snr_cells
from sweep.report.published import published_scores
from sweep.verdict.result import Result, SnrScores
from tests.support.sweeps.contrastive_sweep import make_plan
from tests.support.sweeps.separation_sweep import make_plan as make_separation_plan
from tests.support.sweeps.small_sweep import make_plan as make_norm_plan

SNRS = (-7.5, -2.5, 2.5, 7.5)
CLIPS = 30  # one failure among them at each SNR is below 1 %
MEAN_OF_CLIPS = 0.1 * (CLIPS - 1) / 2
LABELS = ("noisy", "normal", "byol_full")


def value(label: str, seed: int, snr_db: float, number: int) -> float:
    return snr_db + {"noisy": 0.0, "normal": 2.0, "byol_full": 3.0}[label] + 0.1 * number + 0.01 * (seed % 10)


def row(label: str, seed: int, snr_db: float, number: int, metric: str = "si_sdr") -> dict[str, Any]:
    return {
        "group": "all",
        "candidate": label,
        "seed": seed,
        "split": "test",
        "speaker": f"s{number}",
        "noise_type": "hum",
        "utterance": f"u{number}@{snr_db:+g}dB",
        "snr_db": snr_db,
        "metric": metric,
        "value": value(label, seed, snr_db, number),
        "status": "ok",
    }


def breakdown_of(plan: Plan, rows: Sequence[dict[str, Any]]) -> list[SnrScores]:
    leaders = {"all": "byol_full", "convtasnet": "se"}
    return snr_breakdown(plan, scores_of(plan, pd.DataFrame(rows)), leaders)


@pytest.fixture
def rows() -> list[dict[str, Any]]:
    return [
        row(label, seed, snr_db, number)
        for label in LABELS
        for seed in ((-1,) if label == "noisy" else (1001, 1002))
        for snr_db in SNRS
        for number in range(CLIPS)
    ]


def entry(breakdown: Sequence[SnrScores], label: str) -> SnrScores:
    (found,) = [e for e in breakdown if e["candidate"] == label and e["metric"] == "si_sdr"]
    return found


def test_a_cell_is_the_mean_over_seeds_and_utterances(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    found = entry(breakdown_of(make_plan(tmp_path), rows), "byol_full")
    assert found["scores"]["-7.5"] == pytest.approx(-7.5 + 3.0 + MEAN_OF_CLIPS + 0.015)
    assert found["mean"] == pytest.approx(3.0 + MEAN_OF_CLIPS + 0.015)
    assert (found["utterances"], found["left_out"]) == (4 * CLIPS, 0)


def test_an_utterance_that_fails_for_one_is_left_out_for_all(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    failed = next(r for r in rows if r["candidate"] == "normal" and r["utterance"] == "u2@-7.5dB")
    failed |= {"value": None, "status": "no_utterance"}
    breakdown = breakdown_of(make_plan(tmp_path), rows)
    for label in LABELS:
        assert entry(breakdown, label)["left_out"] == 1
    kept = (CLIPS * MEAN_OF_CLIPS - 0.2) / (CLIPS - 1)
    assert entry(breakdown, "noisy")["scores"]["-7.5"] == pytest.approx(-7.5 + kept + 0.09)


def test_the_papers_rows_follow_without_a_group(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    breakdown = breakdown_of(make_plan(tmp_path), rows)
    published = entry(breakdown, "BYOL round (published)")
    assert published["published"]
    assert published["scores"] == {"-7.5": 3.396, "-2.5": 7.772, "2.5": 11.615, "7.5": 14.728}
    assert published["mean"] == 9.378


def test_without_listed_snrs_there_are_means_and_the_published_ones(tmp_path: Path) -> None:
    rows = [
        row("noisy", seed, level, number, metric="si_sdri")
        | {"group": "convtasnet", "candidate": label, "value": score + 0.1 * level}
        for label, seed, score in (("noisy", -1, 0.0), ("scratch", 1001, 1.0), ("se", 1001, 2.0))
        for number, level in enumerate((-5.0, 0.0, 3.0))
    ]
    result = cast(Result, {"by_snr": breakdown_of(make_separation_plan(tmp_path), rows), "metric": "si_sdri"})
    title, header, cells = next(iter(snr_cells(result)))
    assert (title, header) == ("SI-SDRi (dB), convtasnet", ["candidate", "mean"])
    assert cells[:3] == [["noisy", "-0.07"], ["scratch", "0.93"], ["se", "1.93"]]
    assert ["Libri2Mix Conv-TasNet PT-FT SE (published)", "14.10"] in cells


def test_a_plan_without_listed_snrs_or_a_paper_has_no_breakdown(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    assert breakdown_of(make_norm_plan(tmp_path), rows) == []


def test_the_table_has_a_column_per_snr_in_order(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    result = cast(Result, {"by_snr": breakdown_of(make_plan(tmp_path), rows), "metric": "si_sdr"})
    ((title, header, cells), *_) = snr_cells(result)
    assert title == "SI-SDR (dB) by SNR, all"
    assert header == ["candidate", "-7.5 dB", "-2.5 dB", "2.5 dB", "7.5 dB", "mean"]
    assert cells[0] == ["noisy", "-5.96", "-0.96", "4.04", "9.04", "1.54"]


# -- what is published ------------------------------------------------------------------------------------


def test_every_table_of_the_report_is_there() -> None:
    scores = published_scores("contrastive_se")
    counts = {table: sum(score.table == table for score in scores) for table in "2345"}
    assert counts == {"2": 21, "3": 28, "4": 28, "5": 28}


@pytest.mark.parametrize("metric", ["si_sdr", "nb_pesq", "stoi"])
def test_table_2_is_the_mean_of_the_others(metric: str) -> None:
    """SI-SNR of Table 2 is the mean of Table 5 over SNRs; so for the other two."""
    scores = [score for score in published_scores("contrastive_se") if score.metric == metric]
    for system in {score.system for score in scores}:
        mine = [score for score in scores if score.system == system]
        mean = sum(score.value for score in mine if score.snr_db is not None) / 4
        (overall,) = [score.value for score in mine if score.snr_db is None]
        assert mean == pytest.approx(overall, abs=0.0011)


def test_the_published_mixtures_are_at_their_nominal_snr() -> None:
    noisy = [s for s in published_scores("contrastive_se") if s.system == "Noisy" and s.table == "5"]
    assert all(score.snr_db is not None and abs(score.value - score.snr_db) < 0.01 for score in noisy)
