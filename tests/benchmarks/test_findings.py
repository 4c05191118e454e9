"""Ratios, their spread, and findings as JSON and as a table."""

import json

from benchmarks.harness.findings import Comparison, Curve, Fact, Outcome, markdown


def test_a_ratio_above_one_means_that_ours_is_better() -> None:
    faster = Comparison(what="step", unit="s", peer="p", ours=(1.0, 2.0, 4.0), theirs=(3.0, 4.0, 4.0))
    assert faster.ratios == (3.0, 2.0, 1.0)
    more = Comparison(what="rate", unit="1/s", peer="p", ours=(6.0,), theirs=(3.0,), more_is_better=True)
    assert more.ratios == (2.0,)


def test_a_table_has_the_median_ratio_and_its_range() -> None:
    found = Comparison(what="step", unit="s", peer="p", ours=(1.0, 2.0, 4.0), theirs=(3.0, 4.0, 4.0))
    assert found.cells() == ["step (s)", "2", "4 (p)", "2.00x (1.00 to 3.00)", "3"]


def test_without_a_peer_there_is_no_ratio() -> None:
    found = Comparison(what="step", unit="s", peer="p", ours=(1.0, 3.0))
    assert found.ratios == ()
    assert found.cells() == ["step (s)", "2", "(p is missing)", "-", "2"]


def test_an_outcome_survives_json() -> None:
    findings = (
        Comparison(what="step", unit="s", peer="p", ours=(1.0,), theirs=(3.0,), why="because"),
        Fact(what="lost", peer="p", ours="0", theirs="1"),
        Curve(what="cost", x="trials", y="ms", points=((1.0, 2.0), (10.0, 3.0))),
    )
    outcome = Outcome(part="a-b", title="t", status="done", seconds=1.5, findings=findings, missing=("x",))
    plain = json.loads(json.dumps(outcome.to_json()))
    assert plain["findings"][0]["ratios"] == [3.0]
    assert Outcome.from_json(plain) == outcome


def test_the_page_has_every_part_the_failed_ones_included() -> None:
    good = Comparison(what="step", unit="s", peer="p", ours=(1.0,), theirs=(0.5,), why="p does less")
    outcomes = [
        Outcome(part="a-one", title="one", status="done", seconds=3.0, findings=(good,)),
        Outcome(part="b-two", title="two", status="failed", seconds=1.0, error="ValueError: no"),
    ]
    text = markdown(outcomes)
    assert "| step (s) | 1 | 0.5 (p) | 0.50x | 1 |" in text
    assert "- step: p does less." in text
    assert "ValueError: no" in text
    assert text.index("a-one") < text.index("b-two")
