"""From anyone's table of scores to paired arrays: columns checked, seeds matched, failed scores set apart from gaps.

A row is one score: of a candidate, and where they are known a seed, a unit (utterance) and its speaker. A row without
a finite value is a failed score, as in a sweep; a row that is not there is a gap: it is no failure, but only units
that all compared candidates have count.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sweep.verdict.paired_scores import FAILURE_LIMIT, NOISY, PairedScores
from trainables.base.errors import UserError

KEPT = 0.9  # of the units that two candidates share; one that would leave them fewer stays out of their pool
MOST_CELLS = 200_000_000  # of candidates x seeds x units: 1.6 GB
_EMPTY = {"", "na", "n/a", "nan", "none", "null", "-", "failed", "error"}  # a failed score, however it is spelled

Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Columns:
    """The columns of a table by name; None where it has none of that kind."""

    candidate: str
    value: str
    seed: str | None = None
    unit: str | None = None
    speaker: str | None = None
    group: str | None = None
    corpus: str | None = None
    noise_type: str | None = None

    def named(self) -> dict[str, str]:
        """role -> column, of those there are."""
        return {role: column for role, column in vars(self).items() if column is not None}


@dataclass(frozen=True)
class ScoreTable:
    """A checked table. Rows are (candidate, seed, unit) codes with a value, NaN where the score failed."""

    columns: Columns
    frame: pd.DataFrame
    values: NDArray[np.float64]
    unprocessed: NDArray[np.bool_]  # rows of a sweep's noisy input

    @property
    def groups(self) -> tuple[str, ...]:
        """In order of appearance; ("",) where there is no such column."""
        if self.columns.group is None:
            return ("",)
        return tuple(map(str, dict.fromkeys(self.frame[self.columns.group][~self.unprocessed].astype(str))))

    def paired(self, group: str, lower: bool) -> "Paired":
        """One group's scores as arrays."""
        return _paired(self, np.flatnonzero(self._rows_of(group)), lower)

    def by_corpus(self, group: str) -> dict[str, "ScoreTable"]:
        """One group's rows, each corpus by itself; empty unless there are two or more."""
        if self.columns.corpus is None:
            return {}
        mine, corpora = self._rows_of(group), self.frame[self.columns.corpus].astype(str)
        found = {name: np.flatnonzero(mine & (corpora == name).to_numpy()) for name in dict.fromkeys(corpora[mine])}
        return {str(name): self._only(rows) for name, rows in found.items()} if len(found) > 1 else {}

    def _rows_of(self, group: str) -> NDArray[np.bool_]:
        if self.columns.group is None:
            return np.ones(len(self.frame), dtype=bool)
        return (self.frame[self.columns.group].astype(str) == group).to_numpy(bool) | self.unprocessed

    def _only(self, rows: NDArray[np.int64]) -> "ScoreTable":
        columns = replace(self.columns, corpus=None)
        return ScoreTable(columns, self.frame.iloc[rows], self.values[rows], self.unprocessed[rows])


@dataclass(frozen=True)
class Paired:
    """One group's scores, and what they were like in the table."""

    scores: PairedScores
    seeds_paired: bool
    has_units: bool
    left_out: int  # units that lack a score of some candidate


def score_table(frame: Any, columns: Columns, metric: str | None) -> ScoreTable:
    """Check the columns and the values; raises UserError, which names column, row and remedy."""
    if not isinstance(frame, pd.DataFrame):
        raise UserError(f"scores must be a pandas DataFrame, one score a row, not {type(frame).__name__}")
    for role, column in columns.named().items():
        if column not in frame.columns:
            raise UserError(f"no column {column!r} for {role}: there are {', '.join(map(str, frame.columns))}")
    twice = [column for role, column in columns.named().items() if role not in ("candidate", "value")]
    if columns.candidate in (columns.value, *twice) or columns.value in twice:
        shown = ", ".join(f"{role} {column!r}" for role, column in columns.named().items())
        raise UserError(f"one column is named for two roles ({shown}): choose another")
    repeated = [column for column in frame.columns[frame.columns.duplicated()] if column in columns.named().values()]
    if repeated:
        raise UserError(f"two columns are named {repeated[0]!r}: rename one")
    frame = _of_metric(frame, columns, metric)
    if frame.empty:
        raise UserError("the table of scores has no rows")
    for role in ("candidate", "seed", "unit", "group", "corpus"):
        if (column := getattr(columns, role)) is None:
            continue
        lacking = np.flatnonzero(frame[column].isna().to_numpy() & _mandatory(frame, columns, role))
        if len(lacking):
            row = frame.index[lacking[0]]
            raise UserError(f"row {row} has no {role} (column {column!r}): fill it in or drop the row")
    values = _values(frame[columns.value])
    return ScoreTable(columns, frame, values, _unprocessed(frame, columns))


def _of_metric(frame: pd.DataFrame, columns: Columns, metric: str | None) -> pd.DataFrame:
    """The rows of one metric, where the table has a column `metric` that no other role takes."""
    if "metric" not in frame.columns or "metric" in columns.named().values():
        return frame
    found = list(dict.fromkeys(frame["metric"].astype(str)))
    if metric is None and len(found) > 1:
        raise UserError(f"scores of {len(found)} metrics are mixed ({', '.join(found)}): choose one with metric")
    if metric is None or (len(found) == 1 and metric not in found):
        return frame
    if metric not in found:
        raise UserError(f"no rows of metric {metric!r}: there are {', '.join(found)}")
    return frame[(frame["metric"].astype(str) == metric).to_numpy()]


def _mandatory(frame: pd.DataFrame, columns: Columns, role: str) -> NDArray[np.bool_]:
    """Rows that must have a value in this role: the noisy input belongs to no group."""
    return ~_unprocessed(frame, columns) if role in ("group", "corpus") else np.ones(len(frame), dtype=bool)


def _unprocessed(frame: pd.DataFrame, columns: Columns) -> NDArray[np.bool_]:
    """Rows of the noisy input as sweeps write them: candidate "noisy" with seed -1."""
    if columns.seed is None or columns.unit is None or not pd.api.types.is_integer_dtype(frame[columns.seed].dtype):
        return np.zeros(len(frame), dtype=bool)
    return (frame[columns.candidate].eq(NOISY) & frame[columns.seed].eq(-1)).to_numpy(bool)


def _values(column: pd.Series) -> NDArray[np.float64]:
    """As floats, NaN where a score failed; raises UserError for text that is no number."""
    if pd.api.types.is_bool_dtype(column.dtype):
        raise UserError(f"column {column.name!r} holds true and false, not scores: choose a numeric column")
    if getattr(column.dtype, "kind", "O") in "cmM":  # complex numbers, durations, dates
        raise UserError(f"column {column.name!r} holds {column.dtype}, not scores: choose a numeric column")
    if pd.api.types.is_numeric_dtype(column.dtype):
        values = column.to_numpy(float, na_value=np.nan)
    else:
        values = pd.to_numeric(column, errors="coerce").to_numpy(float, na_value=np.nan)
        lost = np.flatnonzero(np.isnan(values) & column.notna().to_numpy())
        wrong = [row for row in lost.tolist() if str(column.iloc[row]).strip().casefold() not in _EMPTY]
        if wrong:
            raise UserError(
                f"row {column.index[wrong[0]]}: {column.iloc[wrong[0]]!r} in column {column.name!r} is no number; "
                "choose the column of the scores, and leave failed ones empty"
            )
    return np.where(np.isfinite(values), values, np.nan)


# -- one group ---------------------------------------------------------------------------------------------


def _paired(table: ScoreTable, rows: NDArray[np.int64], lower: bool) -> Paired:
    columns, frame = table.columns, table.frame.iloc[rows]
    is_noisy, values = table.unprocessed[rows], table.values[rows]
    candidate, labels = pd.factorize(frame[columns.candidate].astype(str).where(~is_noisy))
    if len(labels) < 2:
        raise UserError(
            f"only one candidate, {labels[0]!r}, in column {columns.candidate!r}: a comparison needs two; choose the "
            "column that names the systems, or add the other system's scores"
            if len(labels)
            else f"no candidate in column {columns.candidate!r}"
        )
    unit, units = _units(frame, columns)
    seed, seeds, seeds_paired = _seeds(frame, columns, candidate, len(labels), has_units=len(units) > 1)
    shape = (len(labels), len(seeds), len(units))
    if int(np.prod(shape, dtype=np.int64)) > MOST_CELLS:
        raise UserError(
            f"{shape[0]} candidates x {shape[1]} seeds x {shape[2]} units are too many: give fewer, or a group column"
        )
    own = np.flatnonzero(~is_noisy)
    _refuse_duplicates(frame, columns, [candidate[own], seed[own], unit[own]], own)
    scores, present = np.full(shape, np.nan), np.zeros(shape, dtype=bool)
    cells = candidate[own], seed[own], unit[own]
    scores[cells] = -values[own] if lower else values[own]
    present[cells] = True
    facts = _facts(frame, columns, unit, units)
    noisy, found = None, len(units)
    if is_noisy.any():
        noisy = np.full(len(units), np.nan)
        noisy[unit[is_noisy]] = -values[is_noisy] if lower else values[is_noisy]
        kept = np.isfinite(noisy)
        facts, scores, present, noisy = facts[kept], scores[..., kept], present[..., kept], noisy[kept]
    arranged = arrange(tuple(map(str, labels)), tuple(seeds), facts, scores, present, seeds_paired, noisy=noisy)
    _refuse_strangers(frame, columns, arranged)
    return replace(arranged, scores=replace(arranged.scores, lower=lower, unscorable=found - len(facts)))


def arrange(
    labels: tuple[str, ...],
    seeds: tuple[int, ...],
    facts: pd.DataFrame,
    scores: NDArray[np.float64],
    present: NDArray[np.bool_],
    seeds_paired: bool,
    noisy: NDArray[np.float64] | None = None,
) -> Paired:
    """Which scores count. `scores` and `present` are (candidates, seeds, units); present but not finite is a failure.

    `facts` has a row for each unit, with its speaker and its noise type.
    """
    failed = present & ~np.isfinite(scores)
    trained = np.logical_or.reduce(present, axis=-1)
    has_units = scores.shape[-1] > 1
    few: NDArray[np.bool_] = failed.mean(axis=-1) <= FAILURE_LIMIT
    # With a single run of each there is no other seed to go by: its scored units count.
    finished = trained & (few | (has_units and not (trained.sum(axis=1) > 1).any()))
    paired = PairedScores(
        labels,
        seeds,
        facts,
        scores,
        noisy,
        finished,
        tuple(map(int, failed.sum(axis=(1, 2)))),
        given=trained,
        sparse=_sparse(labels, scores, finished),
    )
    everyone = np.logical_and.reduce((np.isfinite(scores) | ~finished[..., None]), axis=(0, 1))
    return Paired(paired, seeds_paired, has_units, int((~everyone).sum()))


def _refuse_strangers(frame: pd.DataFrame, columns: Columns, arranged: Paired) -> None:
    """Where no two candidates share a unit, their names are the likely reason."""
    scored = np.logical_or.reduce(np.isfinite(arranged.scores.scores), axis=1)
    of_candidates = [row for row in scored if row.any()]
    if not arranged.has_units or len(of_candidates) < 2 or (scored.sum(axis=0) > 1).any():
        return
    names = [arranged.scores.utterances.index[int(np.flatnonzero(row)[0])] for row in of_candidates[:2]]
    raise UserError(
        f"no two candidates share a unit (column {columns.unit or columns.speaker!r} has {names[0]!r} of one and "
        f"{names[1]!r} of another): make the names of the same utterance equal"
    )


def _units(frame: pd.DataFrame, columns: Columns) -> tuple[Codes, Sequence[str]]:
    """A code per row and the units' names, sorted; one of two speakers or corpora is two units."""
    if columns.unit is None and columns.speaker is None:
        return np.zeros(len(frame), dtype=np.int64), [""]
    found, names = pd.factorize(frame[columns.unit or columns.speaker].astype(str), sort=True)
    code, units = found.astype(np.int64), list(map(str, names))
    for column in (columns.speaker if columns.unit else None, columns.corpus):
        if column is None:
            continue
        owner, owners = pd.factorize(frame[column].fillna("").astype(str), sort=True)
        both, pairs = pd.factorize(code * len(owners) + owner, sort=True)
        if len(pairs) > len(units):
            of, by = np.divmod(np.asarray(pairs), len(owners))
            named = list(map(str, owners))
            code = both.astype(np.int64)
            units = [f"{units[unit]} ({named[name]})" for unit, name in zip(of.tolist(), by.tolist(), strict=True)]
    return code, units


def _facts(frame: pd.DataFrame, columns: Columns, unit: Codes, units: Sequence[str]) -> pd.DataFrame:
    """What is known of each unit, in the order of `units`."""
    first = np.zeros(len(units), dtype=np.int64)
    first[unit[::-1]] = np.arange(len(unit))[::-1]
    known = {
        name: "" if column is None else frame[column].iloc[first].fillna("").astype(str).to_numpy()
        for name, column in (("speaker", columns.speaker), ("noise_type", columns.noise_type))
    }
    if columns.speaker is not None and columns.corpus is not None:  # speaker 1 of one corpus is not that of another
        corpus = frame[columns.corpus].iloc[first].astype(str).to_numpy()
        known["speaker"] = np.array(
            [f"{place}/{speaker}" for place, speaker in zip(corpus, known["speaker"], strict=True)]
        )
    return pd.DataFrame(known, index=pd.Index(units, name="utterance"))


def _seeds(
    frame: pd.DataFrame, columns: Columns, candidate: Codes, n_candidates: int, has_units: bool
) -> tuple[Codes, list[int], bool]:
    """A code per row, the seeds' numbers, and whether seeds of one name are compared with each other.

    They are if every two candidates share at least two of them; without units, if all have the same. Else each
    candidate's own are numbered: its first, its second and so on, which have nothing in common with another's.
    """
    if columns.seed is None:
        return np.zeros(len(frame), dtype=np.int64), [0], False
    code, found = pd.factorize(frame[columns.seed], sort=True)
    names: list[Any] = list(found)
    own = candidate >= 0
    has = np.zeros((n_candidates, len(names)), dtype=bool)
    has[candidate[own], code[own]] = True
    if seeds_are_shared(has, has_units):
        used = np.flatnonzero(has.any(axis=0))
        place = np.zeros(len(names), dtype=np.int64)
        place[used] = np.arange(len(used))
        kept = [names[index] for index in used]
        numbers = [int(name) for name in kept] if all(_is_whole(name) for name in kept) else list(range(len(kept)))
        return place[code], numbers, True
    rank = np.cumsum(has, axis=1) - 1
    return np.where(own, rank[np.maximum(candidate, 0), code], 0), list(range(int(has.sum(axis=1).max()))), False


def seeds_are_shared(has: NDArray[np.bool_], has_units: bool) -> bool:
    """Whether seeds are compared by name, where `has` (candidates, named seeds) says who has which."""
    if not has_units:
        return bool(has.all()) and has.shape[1] > 1
    return bool((has.astype(int) @ has.T.astype(int) >= 2).all())


def _is_whole(name: Any) -> bool:
    return isinstance(name, int | np.integer) or (isinstance(name, float) and name.is_integer())


def _refuse_duplicates(frame: pd.DataFrame, columns: Columns, codes: Sequence[Codes], rows: NDArray[np.int64]) -> None:
    sizes = [int(code.max()) + 1 if len(code) else 1 for code in codes]
    cell = (codes[0] * sizes[1] + codes[1]) * sizes[2] + codes[2]
    again = np.flatnonzero(pd.Series(cell).duplicated().to_numpy())
    if not len(again):
        return
    second = int(again[0])
    first = int(np.flatnonzero(cell == cell[second])[0])
    named = {role: column for role, column in columns.named().items() if role in ("candidate", "seed", "unit")}
    row = frame.iloc[rows[second]]
    missing = [role for role in ("seed", "unit") if role not in named]
    remedy = f"name the column that tells them apart ({' or '.join(missing)})" if missing else "remove one of them"
    raise UserError(
        f"two scores of {', '.join(f'{role} {row[column]}' for role, column in named.items())} "
        f"(rows {frame.index[rows[first]]} and {frame.index[rows[second]]}): {remedy}"
    )


def _sparse(labels: Sequence[str], scores: NDArray[np.float64], finished: NDArray[np.bool_]) -> frozenset[str]:
    """Candidates whose gaps would leave the others less than `KEPT` of their units; the fullest come first."""
    scored = [np.isfinite(own[done]).all(axis=0) & done.any() for own, done in zip(scores, finished, strict=True)]
    order = sorted(range(len(labels)), key=lambda index: -int(scored[index].sum()))
    common, found = scored[order[0]], set()
    for index in order[1:]:
        if finished[index].any() and (common & scored[index]).sum() < KEPT * scored[order[0]].sum():
            found.add(labels[index])
        elif finished[index].any():
            common = common & scored[index]
    return frozenset(found)
