"""What a part of the benchmark finds: comparisons with a peer, facts and curves; as JSON, and as tables.

A ratio above 1 always means that ours is better: less time, more per second. Each round measures ours and the peer, one
after the other, and has a ratio of its own; shown are their median, lowest and highest.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One quantity, ours and a peer's, round by round; `theirs` is empty where the peer is missing.

    Attributes:
        why: where the difference comes from, in a line.
    """

    what: str
    unit: str
    peer: str
    ours: tuple[float, ...]
    theirs: tuple[float, ...] = ()
    more_is_better: bool = False
    why: str = ""

    @property
    def ratios(self) -> tuple[float, ...]:
        """How many times better ours is, in each round."""
        pairs = zip(self.ours, self.theirs, strict=False)
        return tuple(ours / theirs if self.more_is_better else theirs / ours for ours, theirs in pairs)

    def cells(self) -> list[str]:
        """What, ours, theirs, ratio and rounds, for a table."""
        ratios = self.ratios
        return [
            f"{self.what} ({self.unit})",
            _number(median(self.ours)),
            f"{_number(median(self.theirs))} ({self.peer})" if self.theirs else f"({self.peer} is missing)",
            _with_range(ratios) if ratios else "-",
            str(len(ratios) or len(self.ours)),
        ]


@dataclass(frozen=True, kw_only=True)
class Fact:
    """Something that is no ratio: a count of lost trials, a leader."""

    what: str
    peer: str
    ours: str
    theirs: str = ""
    why: str = ""

    def cells(self) -> list[str]:
        return [self.what, self.ours, f"{self.theirs} ({self.peer})" if self.theirs else "", "", ""]


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A cost that grows, or does not: points (x, y), both above 0."""

    what: str
    x: str
    y: str
    points: tuple[tuple[float, float], ...]
    why: str = ""

    def cells(self) -> list[str]:
        found = ", ".join(f"{_number(x)}: {_number(y)}" for x, y in self.points)
        return [f"{self.what}, {self.y} by {self.x}", found, "", "", ""]


Finding = Comparison | Fact | Curve
_KINDS: dict[str, type[Finding]] = {kind.__name__.lower(): kind for kind in (Comparison, Fact, Curve)}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a part ended.

    Attributes:
        status: "done"; "incomplete", where a peer is missing; "failed" or "too slow".
        missing: peers that could not be found or installed, each with what to do.
        error: the end of what it printed, where it failed.
        code: of the sources that were measured; `machine`: see harness/machine.py.
    """

    part: str
    title: str
    status: str
    seconds: float
    findings: tuple[Finding, ...] = ()
    missing: tuple[str, ...] = ()
    error: str = ""
    code: str = ""
    small: bool = False
    device: str = "cpu"
    machine: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        found = [{"kind": type(each).__name__.lower(), **asdict(each)} for each in self.findings]
        for plain, each in zip(found, self.findings, strict=True):
            if isinstance(each, Comparison):
                plain["ratios"] = each.ratios
        return {**asdict(self), "findings": found}

    @staticmethod
    def from_json(plain: dict[str, Any]) -> "Outcome":
        findings = tuple(finding_from_json(each) for each in plain["findings"])
        return Outcome(**{**plain, "findings": findings, "missing": tuple(plain["missing"])})


def finding_from_json(plain: dict[str, Any]) -> Finding:
    """The finding of `Outcome.to_json`."""
    values = {name: value for name, value in plain.items() if name not in ("kind", "ratios")}
    for name in ("ours", "theirs", "points"):
        if isinstance(values.get(name), list):
            values[name] = tuple(tuple(each) if isinstance(each, list) else each for each in values[name])
    return _KINDS[plain["kind"]](**values)


HEADER = ["what", "ours", "peer", "ratio (lowest to highest)", "rounds"]


def markdown(outcomes: Iterable[Outcome]) -> str:
    """One table a part, each finding's reason below it."""
    return "\n".join(line for outcome in outcomes for line in _part(outcome))


def _part(outcome: Outcome) -> list[str]:
    lines = [f"### {outcome.part}: {outcome.title}", "", f"{outcome.status}, {outcome.seconds:.0f} s", ""]
    lines += [f"- {each}" for each in outcome.missing]
    if outcome.error:
        lines += ["```", outcome.error, "```", ""]
    if outcome.findings:
        lines += _table(HEADER, [each.cells() for each in outcome.findings])
        reasons: dict[str, str] = {}
        for each in outcome.findings:
            if each.why:
                reasons.setdefault(each.why, each.what)
        lines += ["", *(f"- {what}: {why}." for why, what in reasons.items())]
    return [*lines, ""]


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    cells = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(cell.replace("|", "/") for cell in row) + " |" for row in cells]


def _with_range(values: Sequence[float]) -> str:
    shown = f"{median(values):.2f}x"
    return shown if len(values) == 1 else f"{shown} ({min(values):.2f} to {max(values):.2f})"


def _number(value: float) -> str:
    """Three digits that count."""
    if value == 0 or 0.01 <= abs(value) < 1000:
        return f"{value:.3g}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.2e}"
