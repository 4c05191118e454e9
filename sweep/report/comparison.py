"""The same candidates of two sweeps side by side: `leaderboard.py --compare`.

Where both were scored on the same test set with common seeds, their scores are paired cell by cell: the means are
of the cells that both have, and their difference has the verdict's interval. Elsewhere each sweep's own means are
shown with their difference and no interval. Two sweeps are no experiment: anything that differs between their plans
may be the cause. The comparison decides nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from sweep.plan.plan import Plan
from sweep.report.cells import NOT_KNOWN, Row, estimate
from sweep.report.output_formats import View
from sweep.verdict.comparisons import Comparisons
from sweep.verdict.means import mean_scores
from sweep.verdict.paired_scores import NOISY, group_rows, paired_scores
from trainables.base.errors import UserError
from trainables.metrics.catalogue import METRICS


@dataclass(frozen=True)
class Scored:
    """A sweep with its test rows."""

    plan: Plan
    rows: pd.DataFrame


def not_paired(ours: Scored, theirs: Scored, metric: str) -> str | None:
    """Why the scores cannot be paired; None where they can."""
    if ours.plan.corpus_fingerprint != theirs.plan.corpus_fingerprint:
        return "the corpora differ"
    # Two test sets differ if the noisy input's own scores do, whichever setting is behind it.
    if not _noisy(ours.rows, metric).equals(_noisy(theirs.rows, metric)):
        return "the test sets differ"
    if len(common_seeds(ours, theirs)) < 2:
        return "fewer than two seeds are in both"
    return None


def common_seeds(ours: Scored, theirs: Scored) -> list[int]:
    return sorted(set(ours.plan.seeds) & set(theirs.plan.seeds))


def compare(ours: Scored, theirs: Scored, metric: str) -> dict[str, Any]:
    """Plain JSON: each common candidate's scores, "difference" (ours - theirs), "interval" and "p".

    Raises `UserError` where no group is in both sweeps.
    """
    names = [group.name for group in theirs.plan.groups]
    shared = [group for group in ours.plan.groups if group.name in names]
    if not shared:
        raise UserError(
            f"--compare {theirs.plan.name}: it has {', '.join(names)}, and {ours.plan.name} has "
            f"{', '.join(group.name for group in ours.plan.groups)}: nothing is in both"
        )
    obstacle = not_paired(ours, theirs, metric)
    return {
        "sweeps": _titles(ours.plan, theirs.plan),
        "metric": metric,
        "paired": obstacle is None,
        "not_paired_because": obstacle,
        "seeds": common_seeds(ours, theirs),
        "groups": [
            {
                "group": group.group,
                "name": group.name,
                "candidates": _candidates(ours, theirs, metric, group.name, obstacle is None),
            }
            for group in shared
        ],
    }


def _titles(ours: Plan, theirs: Plan) -> list[str]:
    """Their names; where these are one, as after renaming a folder, their places."""
    return [ours.output, theirs.output] if ours.name == theirs.name else [ours.name, theirs.name]


def _candidates(ours: Scored, theirs: Scored, metric: str, group: str, can_be_paired: bool) -> list[dict[str, Any]]:
    means = [_means(scored, metric, group) for scored in (ours, theirs)]
    # One that only one of them has keeps a row.
    labels = dict.fromkeys(c.label for s in (ours, theirs) for c in s.plan.group_plan(group).candidates)
    return [
        {
            "label": label,
            **((can_be_paired and _paired(ours, theirs, metric, group, label)) or _unpaired(means, label)),
        }
        for label in labels
    ]


def _paired(ours: Scored, theirs: Scored, metric: str, group: str, label: str) -> dict[str, Any] | None:
    """One candidate's two finalists of every seed, cell by cell, with its own variance; None where one lacks scores."""
    first, second = "ours", "theirs"
    mine, other = (group_rows(scored.rows, group) for scored in (ours, theirs))
    mine = mine[mine["candidate"].isin([label, NOISY])].replace({"candidate": {label: first}})
    table = pd.concat([mine, other[other["candidate"].eq(label)].assign(candidate=second)])
    comparisons = Comparisons(paired_scores(table, metric, [first, second], common_seeds(ours, theirs)))
    difference = comparisons.difference(first, second)
    if difference is None:
        return None
    alpha = ours.plan.alpha
    interval = difference.interval(alpha)
    return {
        "scores": [comparisons.level(name, alpha)[0] for name in (first, second)],
        "difference": comparisons.paired.shown(difference.value),
        "interval": interval and comparisons.paired.shown_interval(interval),
        "p": difference.p(),
    }


def _unpaired(means: Sequence[Mapping[str, float]], label: str) -> dict[str, Any]:
    mine, other = (of_sweep.get(label) for of_sweep in means)
    difference = None if mine is None or other is None else mine - other
    return {"scores": [mine, other], "difference": difference, "interval": None, "p": None}


def _means(scored: Scored, metric: str, group: str) -> dict[str, float]:
    """As the sweep's own leaderboard has them."""
    labels = [candidate.label for candidate in scored.plan.group_plan(group).candidates]
    return mean_scores(paired_scores(group_rows(scored.rows, group), metric, labels, scored.plan.seeds))


def _noisy(rows: pd.DataFrame, metric: str) -> pd.Series:
    mine = rows[rows["candidate"].eq(NOISY) & rows["metric"].eq(metric)]
    return mine.drop_duplicates("utterance").set_index("utterance")["value"].sort_index()


# -- showing it ----------------------------------------------------------------------------------------


def comparison_view(ours: Scored, theirs: Scored, metric: str) -> View:
    """The comparison, ready to be shown."""
    found = compare(ours, theirs, metric)
    first, second = found["sweeps"]
    return View(
        title=f"{first} against {second}",
        plain=found,
        records=[
            {
                "group": group["name"],
                "candidate": row["label"],
                "metric": metric,
                first: row["scores"][0],
                second: row["scores"][1],
                "difference": row["difference"],
                "low": row["interval"][0] if row["interval"] else None,
                "high": row["interval"][1] if row["interval"] else None,
                "p": row["p"],
            }
            for group in found["groups"]
            for row in group["candidates"]
        ],
        tables=[(f"{group['name']}, {METRICS[metric].title}", *_cells(group, found)) for group in found["groups"]],
        lines=_lines(found, ours.plan, theirs.plan),
    )


def _cells(group: dict[str, Any], found: dict[str, Any]) -> tuple[Row, list[Row]]:
    metric = found["metric"]
    rows = [
        [
            row["label"],
            *(estimate(score, None, metric) for score in row["scores"]),
            estimate(row["difference"], row["interval"], metric, signed=True),
            NOT_KNOWN if row["p"] is None else f"{row['p']:.3f}",
        ]
        for row in group["candidates"]
    ]
    return ["candidate", *found["sweeps"], "difference", "p"], rows


def _lines(found: dict[str, Any], ours: Plan, theirs: Plan) -> list[str]:
    difference = f"Difference: {' minus '.join(found['sweeps'])}"
    if found["paired"]:
        how = (
            f"Means of the cells that both sweeps have, over {len(found['seeds'])} common seeds. {difference}, paired; "
            f"± spans {100 * (1 - ours.alpha):g} %, for each row by itself."
        )
    else:
        how = f"Each sweep's own means. {difference}, without an interval: {found['not_paired_because']}."
    return [how, f"The two plans differ in: {', '.join(_differences(ours, theirs)) or 'nothing'}."]


def _differences(ours: Plan, theirs: Plan) -> list[str]:
    """The settings in which the two plans differ, apart from names and places."""
    places = {"name", "identity", "output", "home", "tracking_uri", "study_uri", "corpus_uri", "corpus_source"}
    places |= {"pretraining_corpus_uri", "pretraining_corpus_source"}
    left, right = ours.to_json(), theirs.to_json()
    return [name for name in left if name not in {*places, "extensions"} and left[name] != right[name]]
