"""Is our number compatible with the published one? `sweep/leaderboard.py NAME --published`.

A published figure is a single number, so it is held against the prediction interval of one more run of ours, on a new
test set of the same size (`CrossedEffects.prediction_half_width`). Where a sweep was not run as the paper's systems
were, there is no answer and none is given.
"""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from sweep.plan.plan import Plan
from sweep.report import cells
from sweep.report.output_formats import Table, View
from sweep.report.published.counterparts import Counterpart, counterparts, differences
from sweep.stored.other_metric import paired_again
from sweep.verdict import crossed_effects
from sweep.verdict.comparisons import Comparisons
from sweep.verdict.crossed_effects import FEWEST_SEEDS
from sweep.verdict.paired_scores import NOISY, PairedScores
from sweep.verdict.result import GroupResult, Result, group_name
from trainables.base.errors import UserError
from trainables.metrics.catalogue import METRICS

COMPATIBLE, BELOW, ABOVE, NOT_COMPARABLE = "compatible", "below", "above", "not comparable"
_HEADER = ["candidate", "published system", "published", "ours", "one more run", "ours is"]


def metric_of(plan: Plan, metric: str | None = None) -> str:
    """The metric to compare in: `metric`, else the deciding one if the paper gives it, else the paper's first.

    Raises:
        UserError: nothing was published for the space, or not in the metric.
    """
    published = dict.fromkeys(each.metric for each in counterparts(plan))
    common = [name for name in (metric or plan.metric, *published) if name in published and name in plan.scored]
    if not published:
        raise UserError(f"no published figures belong to the candidates of {plan.space}; --published alone ranks some")
    if not common or metric not in (None, common[0]):
        raise UserError(f"--metric {metric or plan.metric}: for {plan.space} the paper gives {', '.join(published)}")
    return common[0]


def compatibility(result: Result, plan: Plan, rows: pd.DataFrame, metric: str) -> list[dict[str, Any]]:
    """One entry per published figure of the metric; `rows` are the metric's on test."""
    found = [each for each in counterparts(plan) if each.metric == metric]
    return [entry for group in result["groups"] for entry in _of_group(group, found, plan, rows, metric)]


def compatibility_view(result: Result, plan: Plan, rows: pd.DataFrame, metric: str) -> View:
    """The same, ready to be shown."""
    entries = compatibility(result, plan, rows, metric)
    return View(
        title=f"{plan.name} against published figures",
        plain={"sweep": plan.name, "metric": metric, "alpha": plan.alpha, "figures": entries},
        records=[_record(entry) for entry in entries],
        tables=list(_tables(entries)),
        lines=list(_lines(entries, plan)),
    )


def _record(entry: dict[str, Any]) -> dict[str, Any]:
    low, high = entry["interval"] or (None, None)
    run_low, run_high = entry["prediction_interval"] or (None, None)
    plain = {key: value for key, value in entry.items() if key not in ("interval", "prediction_interval")}
    ends = {"low": low, "high": high, "run_low": run_low, "run_high": run_high}
    return {**plain, **ends, "reasons": "; ".join(entry["reasons"])}


def _of_group(
    group: GroupResult, published: Sequence[Counterpart], plan: Plan, rows: pd.DataFrame, metric: str
) -> list[dict[str, Any]]:
    name = group_name(group["group"])
    mine = [each for each in published if each.group == name]
    if not mine:
        return []
    comparisons = Comparisons(paired_again(group, rows, metric))
    utterances = set(rows.loc[rows["candidate"] == NOISY, "utterance"])
    return [
        _entry(each, comparisons, reasons_against(each, differences(plan, each.corpus, utterances)), plan.alpha)
        for each in mine
    ]


def reasons_against(published: Counterpart, of_plan: Sequence[str]) -> list[str]:
    """Why our figure is not comparable with this one: what speaks against the whole plan, and against the system."""
    return [*of_plan, *([published.unlike] if published.unlike else [])]


def _entry(published: Counterpart, comparisons: Comparisons, reasons: Sequence[str], alpha: float) -> dict[str, Any]:
    paired = comparisons.paired
    score, interval = comparisons.level(published.candidate, alpha)
    half = _half_width(paired, published.candidate, alpha)
    predicted = None if score is None or half is None else [score - half, score + half]
    block = paired.block_of(published.candidate)
    return {
        "group": published.group,
        "candidate": published.candidate,
        "system": published.system,
        "corpus": published.corpus,
        "metric": published.metric,
        "published": published.value,
        "score": score,
        "interval": interval and list(interval),
        "prediction_interval": predicted,
        "verdict": _word(published.value, predicted) if not reasons else NOT_COMPARABLE,
        "reasons": list(reasons),
        "seeds": len(block.seeds),
        "units": block.scores.shape[-1],
        "unit": paired.unit,
    }


def _half_width(paired: PairedScores, label: str, alpha: float) -> float | None:
    effects = crossed_effects.of_level(paired.block_of(label).of(label))
    half = None if effects is None else effects.prediction_half_width(alpha)
    return None if half is None else float(half)


def _word(published: float, predicted: Sequence[float] | None) -> str | None:
    """Where ours is, seen from the published figure; None where there is no interval."""
    if predicted is None:
        return None
    low, high = predicted
    return BELOW if high < published else ABOVE if published < low else COMPATIBLE


def _tables(entries: Sequence[dict[str, Any]]) -> list[Table]:
    tables: list[Table] = []
    for group, metric in dict.fromkeys((entry["group"], entry["metric"]) for entry in entries):
        shown = [
            [
                entry["candidate"],
                entry["system"],
                cells.estimate(entry["published"], None, metric),
                cells.estimate(entry["score"], entry["interval"], metric),
                _range(entry["prediction_interval"], metric),
                entry["verdict"] or cells.NOT_KNOWN,
            ]
            for entry in entries
            if (entry["group"], entry["metric"]) == (group, metric)
        ]
        tables.append((f"{group}, {METRICS[metric].title}", _HEADER, shown))
    return tables


def _range(interval: Sequence[float] | None, metric: str) -> str:
    if interval is None:
        return cells.NOT_KNOWN
    return " to ".join(cells.estimate(end, None, metric) for end in interval)


def _lines(entries: Sequence[dict[str, Any]], plan: Plan) -> list[str]:
    of_corpus = {entry["corpus"]: entry["reasons"] for entry in entries if entry["reasons"]}
    units = dict.fromkeys(cells.counted(entry["units"], entry["unit"]) for entry in entries)
    lines = [f"Not comparable with figures on {corpus}: {'; '.join(why)}." for corpus, why in of_corpus.items()]
    lines += [
        "The papers state no number of runs and no interval. Each figure is taken as one run; if it is the mean of "
        "several it should lie closer to ours than one run would, and if it is the best of several, above.",
        f"One more run of ours: {100 * (1 - plan.alpha):g} % prediction interval for a new seed on a new test set of "
        f"the same size ({' or '.join(units)}). {BELOW} or {ABOVE}: ours, with the published figure outside it.",
    ]
    others = [name for name in dict.fromkeys(each.metric for each in counterparts(plan)) if name in plan.scored]
    lines.append(f"Published and scored: --metric {', '.join(others)}.")
    if any(entry["prediction_interval"] is None for entry in entries):
        lines.append(f"An interval needs at least {FEWEST_SEEDS} seeds and 2 {entries[0]['unit']}s.")
    return lines
