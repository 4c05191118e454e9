"""The answer on anyone's scores: the verdict on each group, what it holds for, and how a notebook shows it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from sweep.verdict.result import (
    CandidateResult,
    CorpusVerdict,
    Interval,
    JudgedGroup,
    by_score,
    candidate_verdict,
    group_name,
)

_CELL = "padding:2px 10px;text-align:left"


@dataclass(frozen=True)
class Judgement:
    """The verdict on every group of a table of scores.

    Scores are in the metric's own sign; leads and gains are positive where they are an improvement (`result.py`).
    `notes` hold for the whole table; each group has its own.
    """

    metric: str
    lower: bool
    alpha: float
    groups: list[JudgedGroup]
    notes: list[str]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON: unknown values are None, never NaN. `sweep.verdict.result.records` makes rows of it."""
        return dict(vars(self))

    def __str__(self) -> str:
        return "\n\n".join(line for group in self.groups for line in _as_text(group, self.alpha))

    def _repr_html_(self) -> str:
        """For notebooks: a table for each group under the sentences that say what it holds for."""
        notes = "".join(f"<p>{escape(note)}</p>" for note in self.notes)
        return "".join(_as_html(group, self.metric, self.alpha) for group in self.groups) + notes


def headline(group: JudgedGroup) -> str:
    """The verdict in one sentence."""
    leader, name = group["leader"]["label"], group_name(group["group"])
    place = "" if name == "all" else f"{name}: "
    if group["verdict"] == "winner":
        return f"{place}{leader} wins"
    if not group["contenders"]:
        return f"{place}tie; {leader} leads, but cannot win"
    return f"{place}tie; {leader} leads and is not separated from {listed(group['contenders'])}"


def listed(labels: Sequence[str], most: int = 6) -> str:
    """ "a, b and c", with the number of those beyond `most`."""
    shown = [*labels[:most], *([f"{len(labels) - most} more"] if len(labels) > most else [])]
    if len(shown) < 2:
        return "".join(shown)
    return f"{', '.join(shown[:-1])} and {shown[-1]}"


def conditions(group: JudgedGroup) -> str:
    """What the intervals account for, and what they are conditional on: the first line of every table."""
    unit, population = group["population"]["unit"], group["population"]
    units = _utterances(group)
    if unit == "speaker":
        within = f" ({units})" if population["utterances"] > population["speakers"] else ""
        units = f"{population['speakers']} speakers{within}"
    sources = {
        "seeds and units": f"Intervals over seeds and {units}.",
        "units": f"Conditional on these models, one run of each: another training may rank them otherwise. "
        f"Intervals over {units}.",
        "seeds": "Conditional on this test set: one value a run. Intervals over seeds.",
        "none": "One value of each candidate: nothing can be said about chance.",
    }
    text = sources[group["chance"]]
    if group["chance"] in ("seeds and units", "seeds") and not group["seeds_paired"]:
        text += " Seeds are not shared, so runs are compared unpaired."
    if population["conditional_on_speakers"] and population["speakers"] > 1:
        text += " Conditional on these speakers."
    if group["corpora"]:
        text += f" Conditional on these {len(group['corpora'])} corpora."
    if group["chosen_from"] > 2:
        text += (
            f" The leader was chosen by these very scores: its intervals are Tukey's, for all pairs of "
            f"{group['chosen_from']} at once."
        )
    return text


def _utterances(group: JudgedGroup) -> str:
    numbers = {row["n_utterances"] for row in group["candidates"] if row["n_utterances"]}
    shown = [f"{number:,}" for number in sorted({min(numbers), max(numbers)})] if len(numbers) > 1 else []
    return f"{' to '.join(shown) or format(group['population']['utterances'], ',')} utterances"


def tier_letters(group: JudgedGroup) -> dict[str, str]:
    """Label -> the letters of its tiers: candidates that share one are not separable; "a" is the best tier."""
    letters: dict[str, str] = {}
    for number, tier in enumerate(group["tiers"]):
        for label in tier:
            letters[label] = letters.get(label, "") + _letter(number)
    return letters


def _letter(number: int) -> str:
    return chr(ord("a") + number) if number < 26 else f"({number + 1})"


def _rows(group: JudgedGroup, alpha: float) -> Iterator[list[str]]:
    letters = tier_letters(group)
    for row in by_score(group["candidates"], group.get("lower", False)):
        yield [
            row["label"],
            _estimate(row["score"], row["interval"]),
            _estimate(row["behind_leader"], row["behind_leader_interval"]),
            letters.get(row["label"], ""),
            _runs(row),
            candidate_verdict(group, row["label"]),
        ]


def _header(metric: str, lower: bool) -> list[str]:
    return ["candidate", f"{metric}{' (lower is better)' if lower else ''}", "behind the leader", "tier", "runs", ""]


def _runs(row: CandidateResult) -> str:
    failed = f", {row['failures']} failed scores" if row["failures"] else ""
    return f"{row['n_seeds']}{failed}"


def _estimate(value: float | None, interval: Interval | None) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" + (f" [{interval[0]:.4g}, {interval[1]:.4g}]" if interval else "")


def _as_text(group: JudgedGroup, alpha: float) -> Iterator[str]:
    yield f"{headline(group)}\n{conditions(group)}"
    rows = [_header(group["metric"], group.get("lower", False)), *_rows(group, alpha)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    padded = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    yield "\n".join(padded)
    if notes := [*map(_in_corpus, group["corpora"]), *group["notes"]]:
        yield "\n".join(notes)


def _in_corpus(found: CorpusVerdict) -> str:
    if found["verdict"] == "winner":
        return f"in {found['corpus']}: {found['leader']} wins"
    return f"in {found['corpus']}: tie; {found['leader']} leads, with {listed(found['contenders']) or 'no contender'}"


def _as_html(group: JudgedGroup, metric: str, alpha: float) -> str:
    def line(cells: list[str], tag: str) -> str:
        return "<tr>" + "".join(f'<{tag} style="{_CELL}">{escape(cell)}</{tag}>' for cell in cells) + "</tr>"

    table = line(_header(metric, group.get("lower", False)), "th")
    table += "".join(line(row, "td") for row in _rows(group, alpha))
    notes = "".join(f"<li>{escape(note)}</li>" for note in [*map(_in_corpus, group["corpora"]), *group["notes"]])
    return f"<p><b>{escape(headline(group))}</b><br>{escape(conditions(group))}</p><table>{table}</table>" + (
        f"<ul>{notes}</ul>" if notes else ""
    )
