"""The Scorer: one row per utterance and metric, a status where there is no number."""

import math
import multiprocessing
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from random import Random
from typing import Any

import numpy as np
import pesq
import pystoi
import pytest

from tests.support.audio.signals import RATE, noisy, speech_like
from trainables.base.errors import UserError
from trainables.metrics.catalogue import EVERYDAY, INGREDIENTS, METRICS
from trainables.metrics.scorer import Scorer, Utterance, _measure, mean_of_ok

CLEAN = speech_like(1.5)
NOISY = noisy(CLEAN, 5.0)


def score_one(reference: np.ndarray, estimate: np.ndarray, metrics: Sequence[str] | None = None) -> dict[str, dict]:
    rows = Scorer(metrics).score(["clip"], [reference], [estimate])
    return {row["metric"]: row for row in rows}


def statuses(rows: dict[str, dict]) -> set[str]:
    return {row["status"] for row in rows.values()}


# What a row says


def test_improvements_need_a_mixture_of_voices() -> None:
    with pytest.raises(UserError, match="metric 'si_sdri' is of separated mixtures"):
        Scorer(["si_sdri"])


def test_one_row_per_utterance_and_metric_in_the_order_given() -> None:
    metrics = ("segsnr", "si_sdr")
    rows = Scorer(metrics).score(["b", "a"], [CLEAN, CLEAN], [NOISY, CLEAN])
    named = [(row["utterance"], row["metric"]) for row in rows]
    assert named == [("b", "segsnr"), ("b", "si_sdr"), ("a", "segsnr"), ("a", "si_sdr")]
    assert list(rows[0]) == ["utterance", "metric", "value", "status", "gain", "polarity", "lag"]


def test_values_are_plain_floats_and_every_metric_is_scored() -> None:
    rows = score_one(CLEAN, NOISY)
    assert list(rows) == list(EVERYDAY)
    assert statuses(rows) == {"ok"}
    assert {type(row["value"]) for row in rows.values()} == {float}
    assert [type(rows["stoi"][name]) for name in ("gain", "polarity", "lag")] == [float, int, int]


def test_pesq_and_stoi_are_the_libraries_own_numbers() -> None:
    rows = score_one(CLEAN, NOISY)
    assert rows["wb_pesq"]["value"] == pesq.pesq(RATE, CLEAN, NOISY, "wb")
    assert rows["stoi"]["value"] == pystoi.stoi(CLEAN, NOISY, RATE, extended=False)


def test_the_reference_comes_first() -> None:
    swapped = score_one(NOISY, CLEAN, ("wb_pesq", "stoi"))
    rows = score_one(CLEAN, NOISY, ("wb_pesq", "stoi"))
    assert all(rows[name]["value"] != swapped[name]["value"] for name in rows)


def test_an_identical_estimate_gets_the_best_of_everything() -> None:
    rows = score_one(CLEAN, CLEAN)
    assert rows["wb_pesq"]["value"] == pytest.approx(4.644, abs=5e-4)
    assert rows["stoi"]["value"] == pytest.approx(1.0, abs=1e-6)
    assert (rows["csig"]["value"], rows["cbak"]["value"], rows["covl"]["value"]) == (5.0, 5.0, 5.0)
    assert rows["si_sdr"]["value"] > 90


def test_a_wrong_gain_shows_in_raw_scores_and_is_named_by_the_fitted_ones() -> None:
    good, loud = score_one(CLEAN, NOISY), score_one(CLEAN, -2.6 * NOISY)
    assert loud["segsnr"]["value"] < -4.0
    assert loud["cbak"]["value"] < good["cbak"]["value"] - 0.2
    for name in ("segsnr_fitted", "cbak_fitted", "si_sdr"):
        assert loud[name]["value"] == pytest.approx(good[name]["value"], abs=5e-3)
    assert loud["si_sdr"]["gain"] == pytest.approx(-2.6 * good["si_sdr"]["gain"], rel=1e-5)
    assert (loud["si_sdr"]["polarity"], loud["si_sdr"]["lag"]) == (-1, 0)


# Failure is a status, never a number


@pytest.mark.parametrize(
    ("reference", "estimate", "status"),
    [
        (np.zeros_like(CLEAN), NOISY, "silent_reference"),
        (np.full_like(CLEAN, 0.3), NOISY, "silent_reference"),
        (CLEAN, np.zeros_like(CLEAN), "no_utterance"),
        (CLEAN, np.full_like(CLEAN, -0.2), "no_utterance"),
        (CLEAN, 1e-6 * NOISY, "no_utterance"),
        (CLEAN, np.where(np.arange(len(CLEAN)) == 7, np.nan, NOISY), "non_finite"),
        (CLEAN, np.where(np.arange(len(CLEAN)) == 7, np.inf, NOISY), "non_finite"),
        (np.full_like(CLEAN, np.nan), NOISY, "non_finite"),
        (CLEAN[:0], NOISY[:0], "silent_reference"),
    ],
)
def test_an_unusable_pair_fails_in_every_metric(reference: np.ndarray, estimate: np.ndarray, status: str) -> None:
    rows = score_one(reference, estimate)
    assert list(rows) == list(EVERYDAY)
    assert statuses(rows) == {status}
    for row in rows.values():
        assert [row[name] for name in ("value", "gain", "polarity", "lag")] == [None] * 4


def test_a_short_clip_fails_only_where_it_is_too_short() -> None:
    samples = slice(800, 800 + round(0.2 * RATE))
    rows = score_one(CLEAN[samples], NOISY[samples])
    too_short = {name for name, row in rows.items() if row["status"] == "too_short"}
    assert too_short == {"wb_pesq", "stoi", "csig", "cbak", "covl", "cbak_fitted"}
    assert {rows[name]["status"] for name in ("si_sdr", "segsnr", "segsnr_fitted")} == {"ok"}


@pytest.mark.parametrize("rate", [8000, 16000])
@pytest.mark.parametrize("seconds", [0.0, 1e-4, 2e-4, 3e-4, 0.001, 0.01, 0.0255, 0.0257, 0.0374, 0.1, 0.25])
def test_no_length_makes_a_metric_fail(seconds: float, rate: int) -> None:
    """A number or a status of ours, whatever the length; as a direct call or by the Scorer."""
    names = [
        name
        for name, info in METRICS.items()
        if info.function and not (info.ingredients or info.packages or info.model)
    ]
    names = [name for name in names if METRICS[name].sample_rate in (None, rate)]
    samples = round(seconds * rate)
    rng = np.random.default_rng(samples)
    reference = 0.1 * rng.standard_normal(samples).astype(np.float32)
    estimate = reference + 0.03 * rng.standard_normal(samples).astype(np.float32)
    rows = Scorer(names, rate).score(["clip"], [reference], [estimate])
    assert {row["status"] for row in rows} <= {"ok", "too_short", "silent_reference", "no_utterance"}
    utterance = Utterance("clip", reference, estimate)
    outcomes = {name: _measure(name, utterance, rate, "") for name in (*names, *INGREDIENTS)}
    assert {outcome.status for outcome in outcomes.values()} <= {"ok", "too_short"}


@pytest.mark.parametrize(("samples", "status"), [(409, "too_short"), (511, "too_short"), (512, "ok")])
def test_sdr_of_less_than_its_filter_is_no_perfect_score(samples: int, status: str) -> None:
    (row,) = Scorer(["sdr"]).score(["clip"], [CLEAN[800 : 800 + samples]], [NOISY[800 : 800 + samples]])
    assert row["status"] == status
    assert (row["value"] is None) == (status != "ok")


def test_stoi_of_a_mostly_silent_reference_is_no_tiny_number(recwarn: pytest.WarningsRecorder) -> None:
    sparse = np.zeros_like(CLEAN)
    sparse[:3200] = CLEAN[:3200]
    row = score_one(sparse, noisy(sparse, 5.0), ("stoi",))["stoi"]
    assert (row["value"], row["status"]) == (None, "too_short")
    assert not recwarn.list


def test_pesq_without_speech_takes_its_composites_with_it_and_nothing_else() -> None:
    burst = np.zeros_like(CLEAN)
    burst[12000:12400] = CLEAN[12000:12400]  # 25 ms of sound is no utterance
    rows = score_one(burst, noisy(burst, 5.0))
    failed = {name for name, row in rows.items() if row["status"] == "no_utterance"}
    assert failed == {"wb_pesq", "csig", "cbak", "covl", "cbak_fitted"}


def test_a_crash_in_a_library_is_a_status(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_arguments: Any, **_options: Any) -> None:
        raise ZeroDivisionError("deep inside")

    monkeypatch.setattr(pystoi, "stoi", crash)
    rows = score_one(CLEAN, NOISY, ("stoi", "si_sdr"))
    assert (rows["stoi"]["value"], rows["stoi"]["status"]) == (None, "error: ZeroDivisionError: deep inside")
    assert rows["si_sdr"]["status"] == "ok"


def test_a_library_that_returns_nan_is_non_finite(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pystoi, "stoi", lambda *_arguments, **_options: math.nan)
    row = score_one(CLEAN, NOISY, ("stoi",))["stoi"]
    assert (row["value"], row["status"]) == (None, "non_finite")


# What callers get wrong


def test_unknown_metrics_are_refused_before_any_work() -> None:
    with pytest.raises(UserError, match="unknown metric 'pesq'"):
        Scorer(["pesq"])


def test_pesq_needs_16_khz() -> None:
    with pytest.raises(UserError, match="metric 'csig' needs audio at 16000 Hz, this is at 8000 Hz"):
        Scorer(["si_sdr", "csig"], sample_rate=8000)
    assert Scorer(["si_sdr", "stoi"], sample_rate=8000).metrics == ("si_sdr", "stoi")


@pytest.mark.parametrize("estimate", [NOISY[:-1], NOISY[None], np.zeros(len(CLEAN), dtype=np.int16)])
def test_a_pair_that_is_no_pair_is_named(estimate: np.ndarray) -> None:
    with pytest.raises(ValueError, match="utterance 'p232_001'"):
        Scorer(["si_sdr"]).score(["p232_001"], [CLEAN], [estimate])


def test_a_missing_estimate_is_an_error() -> None:
    with pytest.raises(ValueError, match="shorter"):
        Scorer(["si_sdr"]).score(["a", "b"], [CLEAN, CLEAN], [NOISY])


# Order, processes and cost


def test_the_order_of_utterances_changes_no_row() -> None:
    ids = [f"u{n}" for n in range(5)]
    clips = {name: speech_like(0.6, seed=n) for n, name in enumerate(ids)}
    estimates = {name: noisy(clips[name], 5.0 * n) for n, name in enumerate(ids)}

    def rows_of(order: list[str]) -> list[dict]:
        return Scorer().score(order, [clips[i] for i in order], [estimates[i] for i in order])

    shuffled = Random(3).sample(ids, k=len(ids))
    expected = {(row["utterance"], row["metric"]): row for row in rows_of(ids)}
    assert {(row["utterance"], row["metric"]): row for row in rows_of(shuffled)} == expected


def test_a_process_pool_gives_the_same_rows() -> None:
    metrics, pair = ("si_sdr", "segsnr"), (["a", "b"], [CLEAN, CLEAN], [NOISY, CLEAN])
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        pooled = Scorer(metrics, map_fn=pool.map).score(*pair)
    assert pooled == Scorer(metrics).score(*pair)


def test_pesq_runs_once_for_all_that_need_it(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    measured = pesq.pesq

    def counted(*arguments: Any) -> Any:
        calls.append(arguments)
        return measured(*arguments)

    monkeypatch.setattr(pesq, "pesq", counted)
    score_one(CLEAN, NOISY)
    assert len(calls) == 1


def test_si_sdr_alone_loads_no_other_metric_library() -> None:
    code = (
        "import sys, numpy as np\n"
        "from trainables.metrics.scorer import Scorer\n"
        "wave = np.sin(np.arange(8000.0))\n"
        "Scorer(['si_sdr']).score(['a'], [wave], [wave])\n"
        "print(sorted({'torch', 'pesq', 'pystoi'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# In-trial means


def test_mean_of_ok_counts_what_it_leaves_out() -> None:
    rows = Scorer(["si_sdr"]).score(["a", "b", "c"], [CLEAN, CLEAN, CLEAN], [NOISY, np.zeros_like(CLEAN), 0.5 * NOISY])
    mean, n_ok, n_failed = mean_of_ok(rows, "si_sdr")
    assert (n_ok, n_failed) == (2, 1)
    assert mean == pytest.approx((rows[0]["value"] + rows[2]["value"]) / 2)


def test_mean_of_ok_of_nothing_is_none() -> None:
    rows = Scorer(["si_sdr"]).score(["a"], [CLEAN], [np.zeros_like(CLEAN)])
    assert mean_of_ok(rows, "si_sdr") == (None, 0, 1)
    assert mean_of_ok([], "si_sdr") == (None, 0, 0)
