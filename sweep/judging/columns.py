"""Which column of a score table is what: as named by flags, else guessed by name and said, never guessed in silence.

Where two columns could be meant, `UserError` names both and the flag that chooses.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from sweep.judging.directions import is_metric
from sweep.judging.file_table import FileTable, is_numeric, numbers
from trainables.base.errors import UserError

ROLES = ("candidate", "seed", "utterance", "speaker", "group")
_NAMES = {
    "candidate": ("candidate", "system", "model", "method", "algorithm", "approach", "enhancer", "separator", "team"),
    "seed": ("seed", "random_seed", "rng_seed", "run", "run_id", "repeat", "replicate", "rep", "trial"),
    "utterance": (
        *("utterance", "utterance_id", "utt", "utt_id", "uttid", "uttname", "snt_id", "sentence_id", "key", "id"),
        *("file", "filename", "file_name", "file_id", "file_path", "filepath", "wav", "wav_path", "path", "audio"),
        *("mixture_id", "mix_id", "segment", "clip", "clip_id", "sample", "sample_id", "item", "recording"),
        *("unnamed_0", "index", ""),
    ),
    "speaker": ("speaker", "speaker_id", "spk", "spk_id", "spkid", "talker"),
    "group": ("group", "dataset", "corpus", "test_set", "testset"),
}
# Facts of an utterance: numbers, but never scores unless a flag says so.
_FACTS = {
    *("duration", "dur", "length", "len", "seconds", "secs", "start", "end", "offset", "time", "samples"),
    *("num_samples", "n_samples", "frames", "num_frames", "sample_rate", "samplerate", "fs", "sr", "channels", "words"),
    *("num_words", "n_words", "chars", "num_chars", "tokens", "year", "age", "step", "epoch", "wall_time", "timestamp"),
}
_METRIC = ("metric", "metric_name", "measure")
_VALUE = ("value", "score", "result", "val")
MOST_CANDIDATES = 100
_FEWEST_NUMBERED = 3  # rows from which distinct whole numbers are no coincidence


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the flags say of the columns; None where they say nothing. `metric` is a column or a metric's name."""

    candidate: str | None = None
    seed: str | None = None
    utterance: str | None = None
    speaker: str | None = None
    group: str | None = None
    metric: str | None = None
    value: str | None = None
    wide: bool = False


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Columns by role, None where there is none.

    `values` holds the scores: one column, or with `wide` one for each candidate. `metric` is the scores' name, with
    `metric_column` the rows of it are those that have it there.
    """

    candidate: str | None
    seed: str | None
    utterance: str | None
    speaker: str | None
    group: str | None
    metric: str | None
    metric_column: str | None
    values: tuple[str, ...]
    wide: bool
    unused: tuple[str, ...]

    def used(self) -> Iterator[str]:
        roles = (self.candidate, self.seed, self.utterance, self.speaker, self.group, self.metric_column)
        yield from (column for column in (*roles, *self.values) if column is not None)


def columns_of(table: FileTable, asked: Asked, several_files: bool) -> Columns:
    """The columns by role. Raises `UserError` where a name is unknown or several columns could be meant."""
    names = [str(name) for name in table.frame.columns]
    _refuse_unknown(table, names, asked)
    taken: dict[str, str | None] = {role: getattr(asked, role) for role in ROLES}
    chosen = {column for column in (*taken.values(), asked.value) if column}
    for role in ROLES:
        if taken[role] is None:
            taken[role] = _by_name(table, role, [name for name in names if name not in chosen])
            chosen |= {column} if (column := taken[role]) else set()
    if several_files and not asked.candidate and (column := taken["candidate"]) and table.frame[column].nunique() < 2:
        taken["candidate"] = None  # the same in every row: the files tell the systems apart
    free = [name for name in names if name not in taken.values()]
    asked = replace(asked, metric=_as_spelled(asked.metric, free))
    metric_column = _the_one(free, _METRIC)
    named = {asked.metric, asked.value}
    numeric = [name for name in free if name in named or (name != metric_column and _holds_scores(table, name))]
    if asked.wide or _is_wide(table, taken["candidate"], numeric, asked, several_files, metric_column):
        values, metric, metric_column = tuple(numeric), asked.metric, None
        wide = True
        numbering = _numbering(table, values)
        values = tuple(name for name in values if name not in numbering)
        taken["utterance"] = taken["utterance"] or next(iter(numbering), None)
        _require_candidates(table, values)
    else:
        wide = False
        value, metric = _scores(table, numeric, metric_column, asked)
        metric_column = metric_column if value != metric else None
        values = (value,)
    others = [name for name in free if name not in (*values, metric_column, taken["utterance"])]
    labels = [name for name in others if name not in numeric and not _is_fact(name)]
    if not wide and taken["candidate"] is None and not several_files:
        taken["candidate"] = _guessed(table, "candidate", labels)
        labels = [name for name in labels if name != taken["candidate"]]
    if taken["utterance"] is None and labels and not (wide and len(labels) > 1):
        taken["utterance"] = _utterance(table, labels, taken)
    used = {*taken.values(), *values, metric_column}
    return Columns(
        **taken,
        metric=metric,
        metric_column=metric_column,
        values=values,
        wide=wide,
        unused=tuple(name for name in names if name not in used),
    )


def role_of(role: str) -> tuple[str, ...]:
    """The usual names of a role's column."""
    return _NAMES[role]


def plain(name: str) -> str:
    """ "Utt-ID " is utt_id."""
    return re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()).strip("_")


def _holds_scores(table: FileTable, name: str) -> bool:
    """Numbers, or what is named as scores: a text in it is a mistake in a row, which is named later."""
    if _is_fact(name) or plain(name) in _NAMES["utterance"]:
        return False
    return is_numeric(table.frame[name]) or is_metric(name) or plain(name) in _VALUE


def _is_fact(name: str) -> bool:
    """Of an utterance, or the number of a row as pandas writes it."""
    return plain(name) in _FACTS or bool(re.fullmatch(r"unnamed_\d+|", plain(name)))


def _refuse_unknown(table: FileTable, names: Sequence[str], asked: Asked) -> None:
    for role in (*ROLES, "value"):
        column = getattr(asked, role)
        if column is not None and column not in names:
            raise UserError(f"--{role} {column}: {table.name} has no such column; it has {listed(names)}")
    if asked.value and not is_numeric(table.frame[asked.value]):
        numbers(table, asked.value)
        raise UserError(f"--value {asked.value}: {table.name} has no numbers in this column")


def listed(names: Sequence[str], most: int = 12) -> str:
    shown = ", ".join(repr(name) if not name.strip() else name[:40] for name in names[:most])
    return f"{shown} and {len(names) - most:,} more" if len(names) > most else shown


def _the_one(names: Sequence[str], known: Sequence[str]) -> str | None:
    """The column with the earliest of the `known` names."""
    by_name = {plain(name): name for name in reversed(names)}
    return next((by_name[name] for name in known if name in by_name), None)


def _by_name(table: FileTable, role: str, names: Sequence[str]) -> str | None:
    found = [name for name in names if plain(name) in _NAMES[role]]
    if role == "utterance" or len(found) < 2:
        return _the_one(found, _NAMES[role])
    if [plain(name) for name in found].count(role) == 1:
        return _the_one(found, (role,))
    raise UserError(f"{table.name}: {listed(found)} could each be the {role}: choose with --{role}")


def _is_wide(
    table: FileTable,
    candidate: str | None,
    numeric: Sequence[str],
    asked: Asked,
    several_files: bool,
    metric_column: str | None,
) -> bool:
    """Whether every column of numbers is a system."""
    if candidate or several_files or metric_column or asked.value or asked.metric in numeric or len(numeric) < 2:
        return False
    metrics = [name for name in numeric if is_metric(name) or plain(name) in _VALUE]
    if metrics and len(metrics) < len(numeric):
        others = [name for name in numeric if name not in metrics]
        raise UserError(
            f"{table.name}: are {listed(numeric)} systems or metrics? {listed(metrics)} reads like a metric and "
            f"{listed(others)} does not: --wide if each is a system, else --candidate COL and --value COL"
        )
    return not metrics


def _numbering(table: FileTable, columns: Sequence[str]) -> list[str]:
    """Columns that number the rows, whatever they are called: distinct whole numbers, where others have fractions."""
    whole = {}
    for name in columns:
        values = numbers(table, name) if is_numeric(table.frame[name]) else None
        whole[name] = values is not None and bool((values % 1 == 0).all())
    if all(whole.values()) or len(table.frame) < _FEWEST_NUMBERED:
        return []
    return [name for name in columns if whole[name] and table.frame[name].is_unique]


def _as_spelled(metric: str | None, names: Sequence[str]) -> str | None:
    """--metric pesq is the column PESQ where there is no other."""
    alike = [name for name in names if metric is not None and name.casefold() == metric.casefold()]
    return alike[0] if metric not in alike and len(alike) == 1 else metric


def _require_candidates(table: FileTable, columns: Sequence[str]) -> None:
    if len(columns) < 2:
        held = f"only {listed(columns)}" if columns else "none"
        raise UserError(
            f"{table.name}: a table with a column for each system needs two columns of numbers, it has {held}"
        )
    if len(columns) > MOST_CANDIDATES:
        raise UserError(f"{table.name}: {len(columns):,} columns of numbers; at most {MOST_CANDIDATES} systems compare")


def _scores(
    table: FileTable, numeric: Sequence[str], metric_column: str | None, asked: Asked
) -> tuple[str, str | None]:
    """(column of the scores, name of their metric)."""
    if asked.value:
        return asked.value, asked.metric or (None if metric_column else _as_metric(asked.value))
    if asked.metric in numeric:
        return str(asked.metric), str(asked.metric)
    generic = [name for name in numeric if plain(name) in _VALUE]
    if metric_column and len(generic) == 1:
        return generic[0], asked.metric
    if not numeric:
        raise UserError(f"{table.name}: no column of numbers among {listed([str(name) for name in table.frame])}")
    if len(numeric) > 1:
        wanted = f"--metric {asked.metric}: no such column" if asked.metric else "several columns of numbers"
        raise UserError(
            f"{table.name}: {wanted}; it has {listed(numeric)}: choose the scores with --metric or --value, and the "
            "seed, if one of them is, with --seed; --wide if each is a system"
        )
    only = numeric[0]
    if asked.metric and not metric_column and plain(only) not in _VALUE:
        raise UserError(f"--metric {asked.metric}: {table.name} has only {only}: leave it out, or give --value {only}")
    return only, asked.metric or (None if metric_column else _as_metric(only))


def _as_metric(column: str) -> str | None:
    return None if plain(column) in _VALUE else column


def _guessed(table: FileTable, role: str, labels: Sequence[str]) -> str:
    """The only column of labels it can be."""
    if len(labels) == 1 and table.frame[labels[0]].nunique() <= MOST_CANDIDATES:
        return labels[0]
    if labels:
        counted = [f"{name} ({table.frame[name].nunique():,} values)" for name in labels]
        raise UserError(f"{table.name}: which column names the {role}? {listed(counted)}: choose with --{role}")
    raise UserError(
        f"{table.name}: one candidate only: no column names systems; give one file for each system, or --wide if the "
        "columns of numbers are systems"
    )


def _utterance(table: FileTable, labels: Sequence[str], taken: dict[str, str | None]) -> str | None:
    """The column of labels that tells a candidate's rows apart; None where its seeds do."""
    keys = [column for role in ("candidate", "seed", "group") if (column := taken[role])]
    if taken["seed"] and not table.frame.duplicated(keys).any():
        return None
    if len(labels) > 1:
        counted = [f"{name} ({table.frame[name].nunique():,} values)" for name in labels]
        raise UserError(f"{table.name}: which column names the utterance? {listed(counted)}: choose with --utterance")
    return labels[0]
