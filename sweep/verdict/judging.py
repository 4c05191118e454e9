"""Verdicts on any table of scores: `judge`.

Data as a sweep has them get a sweep's verdict, to the last digit. docs/verdict.md says what else there is, how it is
analysed, and what simulations found.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import pandas as pd

from sweep.verdict.comparisons import Basis, Difference, resolvable
from sweep.verdict.designs import OpenComparisons
from sweep.verdict.judgement import Judgement
from sweep.verdict.result import CorpusVerdict, GateVerdict, GroupResult, JudgedGroup, by_score
from sweep.verdict.score_table import Columns, Paired, ScoreTable, score_table
from sweep.verdict.tiers import tiers
from sweep.verdict.verdict import Leads, group_result, holm, least, target_of
from sweep.verdict.verdict import nominate as nominate_on
from trainables.base.errors import UserError
from trainables.metrics.catalogue import METRICS, MetricInfo

__all__ = ["Judgement", "judge"]

MOST_UNITS = 1_000_000  # `units_needed` looks no further
_NOT_OURS = GateVerdict(interpretable=False, reasons=["not a sweep: no gates"])
_SAME = 1e-9  # relative: a standard error below this is rounding


def judge(
    frame: pd.DataFrame,
    *,
    candidate: str = "candidate",
    value: str = "value",
    seed: str | None = None,
    unit: str | None = None,
    speaker: str | None = None,
    group: str | None = None,
    corpus: str | None = None,
    noise_type: str | None = None,
    metric: str | None = None,
    lower: bool = False,
    nominate: pd.DataFrame | None = None,
    margin: float | None = None,
    alpha: float = 0.05,
    baseline: str | None = None,
    apart: Sequence[str] = (),
) -> Judgement:
    """The best candidate of each group, or a tie, from a table with one score a row.

    Args:
        frame: a row per score; without a finite value it is a failed score. Rows in any order.
        candidate: the column that names the systems; `value`: that of their scores.
        seed: the column of training runs; None = one run of each candidate.
        unit: the column of utterances; None = one value a run (or the speakers, where only these are named).
        speaker: the column of the units' speakers: from ten up, they are the unit.
        group: the column by which to split the table; each part has its own verdict.
        corpus: the column of the units' corpora. A few corpora are no sample of all there are: the verdict is
            conditional on these, and each has its own in `corpora`.
        noise_type: a column by which means are broken down.
        metric: its name. One that we know brings its direction, and its margin if it has the same scale everywhere
            (not so a WER, given in % or as a fraction); where the table has a column `metric` too, only its rows count.
        lower: less is better, as for error rates (known metrics need no saying).
        nominate: scores on other data (valid), with the same columns, on which the leader is named as in a sweep.
            None: the leader is chosen by `frame` itself, and all intervals of differences account for that.
        margin: two candidates whose difference surely lies within +-margin are equivalent.
        baseline: the candidate that gains are measured over; None = `none`, where there is one.
        apart: candidates of another nature than the rest, whose variance is not pooled with theirs (an untrained model
            next to trained ones, the reference of a listening test).

    Raises:
        UserError: a missing or non-numeric column, a score that is there twice, fewer than two candidates: the
            message names column, row and remedy.
    """
    if not 0 < alpha < 1:
        raise UserError(f"alpha must lie between 0 and 1, not {alpha:g}; 0.05 gives 95 % intervals")
    if margin is not None and not 0 <= margin < np.inf:
        raise UserError(f"margin must be a number of at least 0, in units of the metric, not {margin:g}")
    if isinstance(nominate, pd.DataFrame) and nominate.equals(frame):
        raise UserError(
            "nominate has the very scores to be compared, and a leader named on them is not named beforehand: give "
            "those of a validation split, or leave it out"
        )
    known = METRICS[metric] if metric is not None and metric in METRICS else None
    columns = Columns(candidate, value, seed, unit, speaker, group, corpus, noise_type)
    table = score_table(frame, columns, metric)
    valid = None if nominate is None else score_table(nominate, columns, metric)
    less = lower or (known is not None and known.lower)
    within = known_margin(metric) if margin is None else margin
    asked = _Asked(metric or value, less, within, alpha, baseline, frozenset(apart))
    found = [_group(table, valid, name, asked) for name in table.groups]
    found = cast(list[JudgedGroup], holm(found))
    notes = [] if asked.margin or margin is not None else [_no_margin(metric, known)]
    return Judgement(metric or value, less, alpha, found, notes)


def known_margin(metric: str | None) -> float:
    """The catalogue's margin of a metric by its name there; 0 where none holds: no interval lies within it."""
    known = METRICS[metric] if metric is not None and metric in METRICS else None
    return 0.0 if known is None or known.rescaled else known.margin


def _no_margin(metric: str | None, known: MetricInfo | None) -> str:
    ours = "" if known is None else f"; ours is {known.margin:g} for {metric} in {known.unit}"
    return f"no margin was given: none is called equivalent{ours}"


@dataclass(frozen=True)
class _Asked:
    """What holds for all groups."""

    metric: str
    lower: bool
    margin: float
    alpha: float
    baseline: str | None
    apart: frozenset[str]


def _group(table: ScoreTable, valid: ScoreTable | None, name: str, asked: _Asked) -> JudgedGroup:
    paired = table.paired(name, asked.lower)
    paired = replace(paired, scores=replace(paired.scores, apart=asked.apart))
    scores, baseline, alpha = paired.scores, asked.baseline, asked.alpha
    for label, role in [(baseline, "the baseline"), *((label, "apart") for label in sorted(asked.apart))]:
        if label is not None and label not in scores.labels:
            place = f"group {name!r} has " if name else ""
            raise UserError(f"{place}no candidate {label!r} to be {role}: there are {', '.join(scores.labels)}")
    compared = int(scores.finished.any(axis=1).sum())
    chosen_from = max(compared, 2) if valid is None else 2
    comparisons = _comparisons(paired, chosen_from, as_a_sweep=valid is not None)
    leader = leading(comparisons) if valid is None else _nominated(valid, name, asked.lower, scores.labels)
    if leader is None:
        raise UserError(f"no candidate has a score{f' in group {name!r}' if name else ''}: all have failed")
    rivals = [label for label in scores.labels if comparisons.has_runs(label) and label != leader]
    leads = {label: comparisons.difference(leader, label) for label in rivals}
    found = group_result(
        comparisons,
        group={} if table.columns.group is None else {table.columns.group: name},
        metric=asked.metric,
        candidates=[{"label": label, "config": {}, "baseline": label == baseline} for label in scores.labels],
        leader=leader,
        margin=asked.margin,
        baseline=baseline or "none",
        alpha=alpha,
        gates=_NOT_OURS,
        obstacles=_without_variation(leads, leader),
    )
    if table.columns.speaker is None:
        found["population"]["speakers"] = 0
    found["notes"] += _gaps(paired)
    return cast(
        JudgedGroup,
        {
            **found,
            "chance": comparisons.chance,
            "seeds_paired": paired.seeds_paired,
            "chosen_from": comparisons.chosen_from,
            "units_needed": _units_needed(comparisons, leads, found),
            "tiers": _tiers(comparisons, found, compared),
            "left_out": paired.left_out,
            "corpora": [
                _of_corpus(corpus, _group(part, None, name, asked)) for corpus, part in table.by_corpus(name).items()
            ],
        },
    )


def _of_corpus(corpus: str, found: JudgedGroup) -> CorpusVerdict:
    return CorpusVerdict(
        corpus=corpus,
        utterances=found["population"]["utterances"],
        leader=found["leader"]["label"],
        verdict=found["verdict"],
        contenders=found["contenders"],
        scores={row["label"]: row["score"] for row in found["candidates"]},
    )


def _comparisons(paired: Paired, chosen_from: int = 2, as_a_sweep: bool = False) -> OpenComparisons:
    return OpenComparisons(
        paired.scores,
        seeds_paired=paired.seeds_paired,
        has_units=paired.has_units,
        chosen_from=chosen_from,
        as_a_sweep=as_a_sweep,
    )


def leading(comparisons: OpenComparisons) -> str | None:
    """The candidate that is ahead of all others, cell by cell where they are paired; one without failures if any is."""
    paired = comparisons.paired
    leader = nominate_on(paired)
    if leader is None:
        return None
    equal = _SAME * float(np.nanmax(np.abs(paired.scores)))
    finished = [label for label in paired.labels if comparisons.has_runs(label)]
    failures = dict(zip(paired.labels, paired.failures, strict=True))
    standing = [x for x in finished if not failures[x] and not paired.failed_seeds(x)] or finished
    if leader not in standing:
        leader = standing[0]
    for label in standing:
        ahead = None if label == leader else comparisons.difference(label, leader)
        if ahead is not None and ahead.value > equal:
            leader = label
    return leader


def _nominated(valid: ScoreTable, name: str, lower: bool, labels: Sequence[str]) -> str:
    """The leader by the valid scores of this group."""
    if name not in valid.groups:
        raise UserError(f"the scores to nominate on have no group {name!r}: there are {', '.join(valid.groups)}")
    paired = valid.paired(name, lower)
    if missing := [label for label in labels if label not in paired.scores.labels]:
        raise UserError(f"the scores to nominate on lack the candidate {missing[0]!r}: score it there too")
    comparisons = _comparisons(paired)
    as_in_a_sweep = comparisons.chance == "seeds and units" and paired.seeds_paired
    leader = nominate_on(paired.scores) if as_in_a_sweep else leading(comparisons)
    if leader is None or leader not in labels:
        raise UserError("the scores to nominate on name no leader among the candidates: check its values")
    return leader


def _without_variation(leads: Leads, leader: str) -> list[str]:
    """A lead that is the same everywhere has a standard error of zero, which is no evidence but a sign of an error."""
    constant = [label for label, lead in leads.items() if lead and lead.value > 0 and _is_constant(lead)]
    if not constant:
        return []
    return [
        f"{leader}'s lead over {', '.join(constant)} is the same everywhere, so chance cannot be measured and {leader} "
        "cannot win: is one mean repeated in every row?"
    ]


def _is_constant(lead: Difference) -> bool:
    return bool(lead.bases) and all(float(np.sqrt(basis.variance)) <= _SAME * abs(lead.value) for basis in lead.bases)


def _gaps(paired: Paired) -> list[str]:
    """What was left out because not all candidates have it."""
    scores, notes = paired.scores, []
    if paired.left_out:
        found = f"{paired.left_out} of {len(scores.utterances)} units lack a score of some candidate"
        notes.append(f"{found}: each pair is compared on those it shares" if scores.sparse else f"{found}: left out")
    if scores.sparse:
        notes.append(f"scored on far fewer units than the others, or on other ones: {', '.join(sorted(scores.sparse))}")
    if 2 * paired.left_out > len(scores.utterances):
        notes.append("more than half of the units are not shared by all: is this one test set?")
    return notes


def _tiers(comparisons: OpenComparisons, found: GroupResult, compared: int) -> list[list[str]]:
    """By Tukey's intervals for all pairs, however the leader was named."""

    def separated(better: str, worse: str) -> bool:
        lead = comparisons.difference(better, worse)
        if lead is None or lead.value <= 0 or _is_constant(lead):
            return False
        p = replace(lead, chosen_from=max(compared, 2)).p()
        return p is not None and p < found["alpha"]

    ranked = [row["label"] for row in by_score(found["candidates"], found["lower"]) if row["score"] is not None]
    return tiers(ranked, separated)


def _units_needed(comparisons: OpenComparisons, leads: Leads, found: GroupResult) -> int | None:
    """As `seeds_needed`: the units used where there is a winner; None where more of them alone would not do."""
    typical, target = comparisons.typical(found["leader"]["label"]), target_of(leads, found["margin"])
    used = comparisons.units_of(found["leader"]["label"])
    if found["verdict"] == "winner":
        return used
    if typical is None or used < 2:
        return None
    return least(used, MOST_UNITS, lambda n: _reached(typical.with_units(n), target, comparisons, found["alpha"]))


def _reached(basis: Basis | None, target: float, comparisons: OpenComparisons, alpha: float) -> bool:
    return basis is not None and resolvable(basis, alpha, comparisons.chosen_from) <= target
