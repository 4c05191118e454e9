"""Tables of scores joined into one, in the columns that `sweep.verdict.judge` reads."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from pandas.api.types import union_categoricals

from sweep.judging.columns import MOST_CANDIDATES, ROLES, Asked, Columns, as_spelled, columns_of, listed
from sweep.judging.directions import direction
from sweep.judging.file_table import FileTable, numbers, texts, with_equal_zeros
from sweep.judging.toolkit_texts import without_averages
from trainables.base.errors import UserError

_MOST_UNPAIRED = 0.5  # of the files' names; with more, they name different things
Label = tuple[str, str | None]  # candidate and seed, as a file's name says


@dataclass(frozen=True)
class Scores:
    """Rows of paired scores, and how they were read.

    `frame` has candidate, value, and those of group, seed, utterance, speaker that `has` names; all but value are
    categories of text, in order of their names. A score that is missing or not finite is NaN.
    """

    frame: pd.DataFrame
    has: tuple[str, ...]
    metric: str | None
    lower: bool
    said: str
    notes: tuple[str, ...] = ()
    ours: bool = False  # scored by us: what the catalogue says of the metric's scale holds


def joined(
    tables: Sequence[FileTable],
    labels: Sequence[Label],
    asked: Asked,
    lower: bool = False,
    higher: bool = False,
    speaker_from: str | None = None,
) -> Scores:
    """All tables as one. Raises `UserError`, naming file and row, for what cannot be paired without guessing."""
    first = columns_of(tables[0], asked, len(tables) > 1)
    if first.utterance:
        tables = with_equal_zeros(tables, first.utterance)
    parts: list[pd.DataFrame] = []
    kept: list[FileTable] = []
    metric = first.metric
    for table, label in zip(tables, labels, strict=True):
        columns = first if not parts else columns_of(table, asked, True)
        _refuse_other_columns(tables[0], first, table, columns)
        if columns.utterance:
            table = without_averages(table, columns.utterance)
        if columns.metric_column:
            table, metric = _of_one_metric(table, columns.metric_column, metric)
        kept.append(table)
        parts.append(_canonical(table, columns, label, len(tables) > 1))
    frame = parts[0] if len(parts) == 1 else _concatenated(parts)
    notes = [note for table in kept for note in table.notes]
    if "utterance" in frame and (renamed := _without_folders(frame)) is not None:
        frame["utterance"] = renamed
        notes.append("no two systems share a path: utterances are paired by their files' names, without folders")
    if speaker_from:
        frame["speaker"] = _speakers(frame, speaker_from)
    has = tuple(role for role in ("group", "seed", "utterance", "speaker") if role in frame)
    for role in ("candidate", *has):
        _refuse_nameless(kept, frame, role)
    _refuse_counts(tables, frame)
    _refuse_twice(kept, frame, has, first)
    if "group" in has:
        frame, lonely = _without_lonely(kept, frame)
        notes += [f"group {name} has one candidate only, which is compared with none: left out" for name in lonely]
    is_lower, known = direction(metric, lower, higher)
    said = _said(tables, first, metric, known, speaker_from, any(seed for _, seed in labels))
    unused = first.unused
    if unused:
        notes.append(f"not used: {listed(unused)}")
    return Scores(frame.reset_index(drop=True), has, metric, is_lower, said, tuple(dict.fromkeys(notes)))


def _canonical(table: FileTable, columns: Columns, label: Label, several_files: bool) -> pd.DataFrame:
    """The table in our columns; the index says the row in the file."""
    frame, found = table.frame, {}
    for role in ROLES:
        column = getattr(columns, role)
        if column is not None:
            found[role] = _sorted(texts(frame[column]))
    if columns.wide:
        return _long(table, columns, found)
    if columns.candidate is None:
        found["candidate"] = _constant(label[0], frame.index)
    if columns.seed is None and several_files and label[1]:
        found["seed"] = _constant(label[1], frame.index)
    values = numbers(table, columns.values[0])
    if "status" in columns.unused and (ok := texts(frame["status"]).eq("ok")).any():
        values = values.where(ok)  # as our own rows say it
    return pd.DataFrame(found, index=frame.index).assign(value=values.where(np.isfinite(values)))


def _long(table: FileTable, columns: Columns, found: dict[str, pd.Series]) -> pd.DataFrame:
    """A column for each candidate as rows. Without a column of utterances each row is one."""
    if not {"utterance", "seed"} & set(found):
        found["utterance"] = _sorted(texts(pd.Series(table.frame.index + table.first_row, index=table.frame.index)))
    labels = pd.Index(sorted(columns.values))
    index = np.tile(table.frame.index, len(labels))
    codes = np.repeat(np.arange(len(labels)), len(table.frame))
    values = np.concatenate([numbers(table, label).to_numpy() for label in labels])
    long = {
        role: pd.Categorical.from_codes(np.tile(series.cat.codes, len(labels)), series.cat.categories)
        for role, series in found.items()
    }
    long["candidate"] = pd.Categorical.from_codes(codes, labels.astype("str"))
    return pd.DataFrame(long, index=index).assign(value=np.where(np.isfinite(values), values, np.nan))


def _sorted(series: pd.Series) -> pd.Series:
    """With its categories in order of their names, and none without a row."""
    return series.cat.remove_unused_categories().cat.reorder_categories(sorted(set(series.dropna().unique())))


def _constant(text: str, index: pd.Index) -> pd.Series:
    return pd.Series(
        pd.Categorical.from_codes(np.zeros(len(index), "int8"), pd.Index([text], dtype="str")), index=index
    )


def _concatenated(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    found: dict[str, object] = {}
    for role in map(str, parts[0]):
        columns = [part[role] for part in parts]
        if role == "value":
            found[role] = np.concatenate([column.to_numpy() for column in columns])
        else:
            found[role] = union_categoricals(columns, sort_categories=True)
    keys = np.concatenate([part.index.to_numpy() for part in parts])
    file = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    return pd.DataFrame(found, index=pd.MultiIndex.from_arrays([file, keys]))


def _of_one_metric(table: FileTable, column: str, metric: str | None) -> tuple[FileTable, str]:
    names = texts(table.frame[column])
    held = sorted(set(names.dropna().unique()))
    if metric is None and len(held) > 1:
        raise UserError(f"{table.name}: scores of several metrics, {listed(held)}: choose one with --metric")
    metric = held[0] if metric is None and held else as_spelled(metric, held)
    if metric not in held:
        raise UserError(f"--metric {metric}: {table.name} has no scores of it; it has {listed(held)}")
    return replace(table, frame=table.frame[names.eq(str(metric)).to_numpy()]), str(metric)


def _refuse_other_columns(first: FileTable, columns: Columns, table: FileTable, others: Columns) -> None:
    for role in (*ROLES, "values", "metric_column"):
        here, there = getattr(columns, role), getattr(others, role)
        if here != there:
            shown = [", ".join(each) if isinstance(each, tuple) else each or "no column" for each in (here, there)]
            raise UserError(
                f"{table.name}: {role.removesuffix('s').replace('_', ' ')} is {shown[1]}, in {first.name} it is "
                f"{shown[0]}: give all files the same columns"
            )


def _without_folders(frame: pd.DataFrame) -> pd.Series | None:
    """Names of files as utterances, each system's in a folder of its own; None where that would not pair them."""
    names = pd.Index([re.split(r"[\\/]", name)[-1] for name in frame["utterance"].cat.categories], dtype="str")
    codes = frame["utterance"].cat.codes.to_numpy()
    if names.equals(frame["utterance"].cat.categories) or frame.groupby(codes)["candidate"].nunique().max() > 1:
        return None
    short, unique = pd.factorize(names, sort=True)
    found = pd.Categorical.from_codes(np.where(codes < 0, -1, short[codes]), pd.Index(unique, dtype="str"))
    keys = [name for name in ("candidate", "group", "seed", "speaker") if name in frame]
    candidates = frame.groupby(found.codes)["candidate"].nunique()
    if (candidates < 2).mean() > _MOST_UNPAIRED or frame[keys].assign(utterance=found.codes).duplicated().any():
        return None
    return pd.Series(found, index=frame.index)


def _without_lonely(tables: Sequence[FileTable], frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Without groups of one candidate, and their names."""
    counts = frame.groupby("group", observed=True)["candidate"].nunique()
    lonely = [str(name) for name in counts.index[counts < 2]]
    if not lonely:
        return frame, []
    if len(lonely) == len(counts):
        names = ", ".join(table.name for table in tables[:3])
        raise UserError(f"{names}: no group has two candidates ({listed(lonely)}): choose another with --group")
    kept = frame[~frame["group"].isin(lonely).to_numpy()]
    return kept.assign(**{role: kept[role].cat.remove_unused_categories() for role in ("group", "candidate")}), lonely


def _speakers(frame: pd.DataFrame, pattern: str) -> pd.Series:
    """The first group of `pattern` in each utterance's name."""
    if "utterance" not in frame:
        raise UserError("--speaker-from needs the utterances' names, and the scores have none")
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise UserError(f"--speaker-from {pattern!r}: not a regular expression ({error})") from error
    names = frame["utterance"].cat.categories
    found = [compiled.search(name) for name in names]
    unmatched = [name for name, match in zip(names, found, strict=True) if match is None]
    if unmatched:
        raise UserError(f"--speaker-from {pattern!r}: utterance {unmatched[0]!r} does not fit it")
    speakers = [match[1] if compiled.groups else match[0] for match in found if match]
    mapped = np.array(speakers, dtype=object)[frame["utterance"].cat.codes.to_numpy()]
    return pd.Series(pd.Categorical(mapped), index=frame.index)


def _at(tables: Sequence[FileTable], frame: pd.DataFrame, position: int) -> str:
    """The file and row of the frame's row at `position`."""
    key = frame.index[position]
    file, row = key if isinstance(key, tuple) else (0, key)
    return tables[file].at(int(row))


def _refuse_nameless(tables: Sequence[FileTable], frame: pd.DataFrame, role: str) -> None:
    missing = frame[role].cat.codes.to_numpy() < 0
    if missing.any():
        raise UserError(f"{_at(tables, frame, int(missing.argmax()))}: no {role}: fill the cell, or take the row out")


def _refuse_counts(tables: Sequence[FileTable], frame: pd.DataFrame) -> None:
    names = ", ".join(table.name for table in tables[:3])
    labels = list(frame["candidate"].cat.categories)
    if len(labels) < 2:
        raise UserError(f"{names}: one candidate only, {labels[0][:60]!r}: a verdict compares two or more")
    if len(labels) > MOST_CANDIDATES:
        raise UserError(
            f"{names}: {len(labels):,} candidates; at most {MOST_CANDIDATES} are compared: is it the right column?"
        )
    if not np.isfinite(frame["value"].to_numpy()).any():
        raise UserError(f"{names}: not one score is a number: see what scoring printed")


def _refuse_twice(tables: Sequence[FileTable], frame: pd.DataFrame, has: Sequence[str], columns: Columns) -> None:
    """Two scores of one candidate, seed and utterance: which one counts is not ours to guess."""
    keys = ["candidate", *has]  # two speakers of one sentence are two utterances
    code = np.zeros(len(frame), dtype="int64")
    for role in keys:
        code = code * (len(frame[role].cat.categories) + 1) + frame[role].cat.codes.to_numpy()
    twice = pd.Series(code).duplicated().to_numpy()
    if not twice.any():
        return
    second = int(twice.argmax())
    first = int((code == code[second]).argmax())
    named = ", ".join(f"{role} {frame[role].iloc[second]}" for role in keys)
    could = [str(name) for name in columns.unused if not columns.wide]
    remedy = f"if {listed(could, 4)} tells them apart, name it with --seed or --group" if could else "take one out"
    if not could and not {"seed", "utterance"} & set(has):
        remedy = "give a column of utterances or seeds, which tells them apart"
    where, before = _at(tables, frame, second), _at(tables, frame, first)
    raise UserError(f"{where}: a second score of {named} (the first: {before}): {remedy}")


def _said(
    tables: Sequence[FileTable],
    columns: Columns,
    metric: str | None,
    known: str,
    speaker_from: str | None,
    seeds_from_names: bool,
) -> str:
    """What was read as what, on one line."""
    several = len(tables) > 1
    seed = columns.seed or ("the files' names" if several and seeds_from_names else None)
    speaker = f"the utterance's name ({speaker_from})" if speaker_from else columns.speaker
    utterance = columns.utterance
    if columns.wide:
        candidate = f"columns {listed(columns.values, 4)}"
        utterance = utterance or (None if columns.seed else "row")
    else:
        candidate = columns.candidate or "the files' names"
    found = {
        "candidate": candidate,
        "seed": seed,
        "utterance": utterance,
        "speaker": speaker,
        "group": columns.group,
        "metric": f"{metric or 'not named'} ({known})",
        "value": None if columns.wide else columns.values[0],
    }
    always = ("seed", "speaker")
    shown = {role: name for role, name in found.items() if name is not None or role in always}
    words = (f"{role}={'none' if name is None else name or '(unnamed)'}" for role, name in shown.items())
    return f"read: {', '.join(words)}"
