"""A sweep's result as one view: what `leaderboard.py` prints for programs and papers."""

from typing import Any

from sweep.report import cells as report_cells
from sweep.report.output_formats import View
from sweep.verdict.result import CandidateResult, GroupResult, Result, by_score, candidate_verdict, group_name


def result_tables(result: Result) -> View:
    """The leaderboard and every group's candidates, best first; a record per group and candidate, unrounded."""
    details = [
        (group_name(group["group"]), *report_cells.candidates(group, result["metric"]))
        for group in result["groups"]
    ]
    return View(
        title=result["sweep"],
        plain=result,
        records=records(result),
        tables=[(result["sweep"], *report_cells.leaderboard(result)), *details],
        lines=report_cells.footers(result),
    )


def records(result: Result) -> list[dict[str, Any]]:
    """One row per group and candidate, best first; unknown numbers are None."""
    return [
        _record(group, candidate, result["metric"])
        for group in result["groups"]
        for candidate in by_score(group["candidates"])
    ]


def _record(group: GroupResult, candidate: CandidateResult, metric: str) -> dict[str, Any]:
    low, high = candidate["interval"] or (None, None)
    gain_low, gain_high = candidate.get("gain_interval") or (None, None)
    return {
        "group": group_name(group["group"]),
        "candidate": candidate["label"],
        "verdict": candidate_verdict(group, candidate["label"]),
        "metric": metric,
        "score": candidate["score"],
        "low": low,
        "high": high,
        "gain": candidate.get("gain"),
        "gain_low": gain_low,
        "gain_high": gain_high,
        "seeds": candidate["n_seeds"],
        "utterances": candidate["n_utterances"],
        "failures": candidate["failures"],
        "p_best": candidate["p_best"],
        "unstable": candidate.get("unstable"),
    }
