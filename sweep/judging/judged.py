"""From tables of scores, or a sweep, to verdicts: how the files are read and `sweep.verdict.judge` is asked."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import pandas as pd

from sweep.judging.columns import Asked
from sweep.judging.directions import catalogued
from sweep.judging.file_table import FileTable
from sweep.judging.own_rows import are_own, own_scores
from sweep.judging.scores import Label, Scores, joined
from sweep.judging.sources import labels, read_source
from sweep.judging.view import Judged
from sweep.verdict.judging import judge, known_margin
from sweep.verdict.result import JudgedGroup
from sweep.verdict.verdict import holm
from trainables.base.errors import UserError
from trainables.metrics.catalogue import METRICS


@dataclass(frozen=True, kw_only=True)
class Question:
    """What the flags say, the files aside."""

    asked: Asked
    speaker_from: str | None = None
    lower: bool = False
    higher: bool = False
    baseline: str | None = None
    apart: tuple[str, ...] = ()
    margin: float | None = None
    alpha: float = 0.05
    unit: str | None = None


def judged_scores(
    tables: Sequence[FileTable], names: Sequence[Label], question: Question, nominate: Sequence[str] = ()
) -> Judged:
    """The verdicts on scores; the files of `nominate`, read in the same way, name the leaders."""
    scores = _scores(tables, names, question)
    valid = _scores([read_source(name) for name in nominate], labels(nominate), question) if nominate else None
    if valid is not None and (valid.has, valid.metric) != (scores.has, scores.metric):
        raise UserError(
            f"--nominate {nominate[0]}: it is not read as the scores are ({valid.said}): give it their columns"
        )
    has, by_speaker = set(scores.has), question.unit == "speaker"
    if by_speaker and "speaker" not in has:
        raise UserError("--unit speaker: no column names the speakers: give --speaker COL or --speaker-from REGEX")
    if question.unit == "utterance":
        has.discard("speaker")
    if not by_speaker and {"speaker", "utterance"} <= has and _none_shared(scores.frame):
        of_speaker = "" if _none_shared(scores.frame.assign(speaker="")) else " of the same speaker"
        raise UserError(
            f"{', '.join(table.name for table in tables[:3])}: no two candidates were scored on the same utterance"
            f"{of_speaker}: give it the same name for both, or compare each speaker's mean by --unit speaker"
        )
    frame, valid_frame = (
        _speaker_means(each.frame, has) if by_speaker else each.frame for each in (scores, valid or scores)
    )
    found = judge(
        frame,
        seed="seed" if "seed" in has else None,
        unit="utterance" if "utterance" in has and not by_speaker else None,
        speaker="speaker" if "speaker" in has else None,
        group="group" if "group" in has else None,
        noise_type="noise_type" if "noise_type" in has else None,
        metric=scores.metric,
        lower=scores.lower,
        nominate=None if valid is None else valid_frame,
        margin=question.margin or _margin(scores),
        alpha=question.alpha,
        baseline=question.baseline,
        apart=question.apart,
    )
    notes = [*found.notes]
    if by_speaker:
        for group in found.groups:
            group["population"]["utterances"] = _utterances(scores, group["group"].get("group"))
        notes.append("units are the speakers' means, over what utterances each system has of them")
    elif "speaker" in has and any(group["left_out"] > group["population"]["utterances"] for group in found.groups):
        notes.append("the systems were scored on different utterances: --unit speaker compares each speaker's mean")
    elif "utterance" in has and "speaker" not in has and question.unit is None:
        notes.append("no speakers were named: utterances of one speaker are alike, which makes intervals too narrow")
    return Judged(
        title=", ".join(dict.fromkeys(table.name for table in tables[:3])) + (", ..." if len(tables) > 3 else ""),
        metric=scores.metric,
        said=scores.said,
        groups=cast(list[JudgedGroup], holm(found.groups)),
        notes=[*notes, *scores.notes],
        nominated_on=", ".join(nominate) or None,
        ours=scores.ours,
    )


def _margin(scores: Scores) -> float | None:
    """The catalogue's, where it holds on the scores' scale."""
    if scores.ours and scores.metric:
        return METRICS[scores.metric].margin
    return known_margin(catalogued(scores.metric or "")) or None


def _speaker_means(frame: pd.DataFrame, has: Collection[str]) -> pd.DataFrame:
    """A row per candidate, seed and speaker; a failed score fails its speaker, so that it never pays."""
    keys = ["candidate", *(role for role in ("group", "seed") if role in has), "speaker"]
    grouped = frame.groupby(keys, observed=True, sort=False)["value"]
    return grouped.mean().where(grouped.count() == grouped.size()).reset_index()


def _utterances(scores: Scores, group: str | None) -> int:
    """Those of a group, of any system."""
    rows = scores.frame if group is None else scores.frame[scores.frame["group"].eq(group)]
    keys = [role for role in ("speaker", "utterance") if role in scores.has]
    return len(rows[keys].drop_duplicates())


def _none_shared(frame: pd.DataFrame) -> bool:
    """Whether no utterance was scored by two candidates."""
    speaker, utterance, candidate = (pd.factorize(frame[role])[0] for role in ("speaker", "utterance", "candidate"))
    unit = utterance.astype(np.int64) * (int(speaker.max()) + 1) + speaker
    return len(pd.unique(unit * (int(candidate.max()) + 1) + candidate)) == len(pd.unique(unit))


def _scores(tables: Sequence[FileTable], names: Sequence[Label], question: Question) -> Scores:
    if all(are_own(table) for table in tables):
        return own_scores(tables, question.asked.metric)
    read = joined(tables, names, question.asked, question.lower, question.higher, question.speaker_from)
    frame = read.frame
    if "seed" in frame:
        frame["seed"] = _whole(frame["seed"])
    # Labels and groups in order of their names, so that nothing depends on the order of rows, files or columns.
    keys = [frame[role].cat.codes.to_numpy() for role in ("candidate", "group") if role in frame]
    return replace(read, frame=frame.iloc[np.lexsort(keys)].reset_index(drop=True))


def _whole(seeds: pd.Series) -> pd.Series:
    """As integers where all of them are, so that 2 comes before 10."""
    names = seeds.cat.categories
    if all(name.isdecimal() and len(name) < 18 for name in names):
        return pd.Series(names.astype("int64").to_numpy()[seeds.cat.codes.to_numpy()], index=seeds.index)
    return seeds.astype(str)
