"""Rates over all words, from known rows."""

from dataclasses import replace
from pathlib import Path
from typing import cast

import pandas as pd
import pytest

from sweep.plan.plan import Plan
from sweep.report.findings.corpus_rates import corpus_rates
from sweep.report.findings_cells import rate_cells
from sweep.verdict.result import Result
from tests.support.sweeps.small_sweep import make_plan
from trainables.metrics.catalogue import METRICS


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    made = make_plan(tmp_path)
    return replace(made, also=("wer",), seeds=(1001, 1002), groups=made.groups[:1])


def row(candidate: str, seed: int, utterance: str, value: float | None, weight: float | None, **more: str) -> dict:
    noisy = candidate == "noisy"
    job = "noisy" if noisy else f"tera/final/{candidate}/seed-{seed}"
    facts = {"group": "all" if noisy else "tera", "candidate": candidate, "seed": seed, "job": job}
    status = "ok" if value is not None else "too_short"
    return {
        **facts,
        "utterance": utterance,
        "metric": "wer",
        "value": value,
        "status": status,
        "weight": weight,
        **more,
    }


def test_every_word_counts_alike_on_what_all_scored(plan: Plan) -> None:
    rows = [
        *(row("noisy", -1, u, value, weight) for u, value, weight in (("a", 50.0, 2), ("b", 25.0, 8), ("c", 0.0, 5))),
        *(row("none", 1001, u, value, weight) for u, value, weight in (("a", 0.0, 2), ("b", 12.5, 8), ("c", 80.0, 5))),
        *(row("none", 1002, u, value, weight) for u, value, weight in (("a", 100.0, 2), ("b", 25.0, 8))),
        row("none", 1002, "c", None, None),  # so "c" counts for none of them
        row("none", 1001, "a", 3.0, None, metric="si_sdr"),
    ]
    found = {entry["candidate"]: entry["rates"] for entry in corpus_rates(plan, pd.DataFrame(rows))}
    # noisy: 1 + 2 errors of 10 words; none: 0 + 1 and 2 + 2 of 20.
    assert found == {"noisy": {"wer": pytest.approx(30.0)}, "none": {"wer": pytest.approx(25.0)}}


def test_without_weights_there_is_nothing_to_show(plan: Plan) -> None:
    rows = pd.DataFrame([row("none", 1001, "a", 1.0, None)]).drop(columns="weight")
    assert corpus_rates(plan, rows) == []
    assert list(rate_cells(cast(Result, {}))) == []


def test_the_table_names_them(plan: Plan) -> None:
    rows = [row("noisy", -1, "a", 50.0, 2), row("layer1", 1001, "a", 0.0, 2)]
    result = cast(Result, {"corpus_rates": corpus_rates(plan, pd.DataFrame(rows))})
    ((title, header, cells),) = rate_cells(result)
    assert "tera" in title
    assert header == ["candidate", METRICS["wer"].pooled]
    assert cells == [["noisy", "50.00"], ["layer1", "0.00"]]
