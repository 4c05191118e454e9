"""The verdicts as tables and sentences, for the terminal, Markdown, LaTeX, CSV and JSON.

Numbers are rounded here: to two digits of the smallest interval, since nothing is known of the metric's scale.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import floor, log10
from typing import cast

from sweep.report.cells import NOT_KNOWN, Row
from sweep.report.output_formats import Table, View
from sweep.verdict.judgement import conditions, headline, listed, tier_letters
from sweep.verdict.result import (
    CandidateResult,
    Interval,
    JudgedGroup,
    Result,
    by_score,
    candidate_verdict,
    group_name,
    records,
)
from trainables.metrics.catalogue import METRICS

_MOST_DIGITS = 12  # decimals


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Verdicts, one per group, and how the scores were read."""

    title: str
    metric: str | None
    said: str
    groups: Sequence[JudgedGroup]
    notes: Sequence[str] = ()
    nominated_on: str | None = None  # the file or split on which the leader was named beforehand
    ours: bool = False  # scored by us: the metric has our title, and with it our unit

    @property
    def metric_title(self) -> str:
        title = METRICS[self.metric].title if self.ours and self.metric else self.metric or "score"
        return f"{title} (lower is better)" if any(group.get("lower") for group in self.groups) else title


def judged_view(judged: Judged) -> View:
    """Ready for every one of `output_formats.FORMATS`; a record is a group's candidate, unrounded."""
    tables = [table_of(judged, group) for group in judged.groups]
    lines = [line for group in judged.groups for line in sentences(judged, group)]
    plain = {
        "read": judged.said,
        "metric": judged.metric,
        "nominated_on": judged.nominated_on,
        "notes": [*judged.notes],
        "groups": [*judged.groups],
    }
    result = cast(Result, {"metric": judged.metric, "groups": [*judged.groups]})
    return View(
        title=judged.title,
        plain=plain,
        records=records(result),
        tables=tables,
        lines=[*dict.fromkeys([*lines, *judged.notes, judged.said])],
    )


def table_of(judged: Judged, group: JudgedGroup) -> Table:
    """A row per candidate, best first; columns that say nothing are left out."""
    digits, letters = _digits(group), tier_letters(group)
    ranked = by_score(group["candidates"], group.get("lower", False))
    columns: dict[str, list[str]] = {
        "candidate": [row["label"] for row in ranked],
        judged.metric_title: [_estimate(row["score"], row["interval"], digits) for row in ranked],
        "leader's lead": [
            _estimate(row["behind_leader"], row["behind_leader_interval"], digits, signed=True) for row in ranked
        ],
        f"gain over {group['baseline']}": [_gain(group, row, digits) for row in ranked],
        "seeds": [str(row["n_seeds"]) for row in ranked],
        "utterances": [f"{row['n_utterances']:,}" for row in ranked],
        "tier": [letters.get(row["label"], "") for row in ranked],
        "failures": [str(row["failures"]) for row in ranked],
        "": [_standing(group, row) for row in ranked],
    }
    for name, plain in {"failures": {"0"}, "seeds": {"1"}, "tier": {""}}.items():
        if set(columns[name]) <= plain:
            del columns[name]
    if len(set(columns["utterances"])) == 1:  # the line below has their number
        del columns["utterances"]
    gained = f"gain over {group['baseline']}"
    if set(columns[gained]) == {NOT_KNOWN}:
        del columns[gained]
    header: Row = [*columns]
    return headline(group), header, [list(row) for row in zip(*columns.values(), strict=True)]


def selection(judged: Judged, group: JudgedGroup) -> list[str]:
    """How the leader was chosen, where that matters."""
    if judged.nominated_on:
        return [f"{group['leader']['label']} was named the leader on {judged.nominated_on}, before these scores."]
    if group["chosen_from"] > 2:
        return ["A leader named on other data (--nominate VALID) needs no such correction: its intervals are narrower."]
    return []


def needed(group: JudgedGroup) -> Iterator[str]:
    """What the data could show, and what a winner would take."""
    detectable = None if group["resolvable"] is None else _rounded(group["resolvable"], _digits(group))
    if detectable is not None and not float(detectable):
        return  # all differences are the same: nothing measures chance
    if detectable is not None:
        yield f"Detectable: a true difference of {detectable}, with 80 % power."
    if not group["contenders"]:
        return
    unit = f"{group['population']['unit']}s"
    more = [
        f"{number:,} {what}"
        for what, number in (("seeds", group["seeds_needed"]), (unit, group.get("units_needed")))
        if number
    ]
    if more:
        yield f"To decide: {' or '.join(more)} in all, other things equal."
    elif detectable is not None:
        yield f"To decide: neither more seeds nor more {unit} alone would do; it takes more of both."


def sentences(judged: Judged, group: JudgedGroup) -> Iterator[str]:
    """The table in words, the condition of the verdict first."""
    name = "" if len(judged.groups) < 2 else f"{group_name(group['group'])}: "
    digits = _digits(group)
    yield name + conditions(group)
    yield from (name + line for line in selection(judged, group))
    yield from (name + line for line in needed(group))
    if group["equivalent"]:
        to = f"{group['leader']['label']} within ±{group['margin']:g}"
        yield f"{name}Equivalent to {to}: {listed(group['equivalent'])}."
    if group["noisy"]["score"] is not None:
        yield f"{name}Unprocessed input: {_rounded(group['noisy']['score'], digits)}."
    yield from (f"{name}{note[:1].upper()}{note[1:]}{'' if note.endswith('?') else '.'}" for note in group["notes"])
    if group["holm"].get("groups", 1) > 1 and group["holm"].get("verdict") != group["verdict"]:
        yield f"{name}Claimed together with the other groups (Holm), this is a tie."


def _standing(group: JudgedGroup, row: CandidateResult) -> str:
    words: list[str] = [candidate_verdict(group, row["label"])]
    words += ["equivalent"] if row["label"] in group["equivalent"] else []
    words += ["unstable"] if row["unstable"] else []
    words += [f"failed seeds: {row['failed_seeds']}"] if row["failed_seeds"] else []
    return ", ".join(words)


def _gain(group: JudgedGroup, row: CandidateResult, digits: int) -> str:
    if row["label"] == group["baseline"]:
        return NOT_KNOWN
    return _estimate(row["gain"], row["gain_interval"], digits, signed=True)


def _estimate(value: float | None, interval: Interval | None, digits: int, signed: bool = False) -> str:
    if value is None:
        return NOT_KNOWN
    shown = f"{round(value, digits) + 0.0:{'+' if signed else ''}.{digits}f}"
    return shown if interval is None else f"{shown} ± {(interval[1] - interval[0]) / 2:.{digits}f}"


def _rounded(value: float, digits: int) -> str:
    return f"{value:.{digits}f}"


def _digits(group: JudgedGroup) -> int:
    """Decimals that show two digits of the smallest half-width; of scores without intervals, four digits."""
    rows = group["candidates"]
    widths = [high - low for row in rows for low, high in [row["behind_leader_interval"] or row["interval"] or (0, 0)]]
    halves = [width / 2 for width in widths if width > 0]
    scores = [abs(row["score"]) for row in rows if row["score"]]
    if halves:
        return min(max(1 - floor(log10(min(halves))), 0), _MOST_DIGITS)
    return min(max(3 - floor(log10(max(scores))), 0), _MOST_DIGITS) if scores else 2
