"""Our own sweeps: the rows they store, which are read without guessing, and a sweep by its name."""

from collections.abc import Sequence
from typing import cast

import pandas as pd

from sweep.judging.file_table import FileTable, texts
from sweep.judging.scores import Scores
from sweep.judging.view import Judged
from sweep.verdict.paired_scores import NOISY
from sweep.verdict.result import JudgedGroup
from trainables.base.errors import UserError
from trainables.metrics.catalogue import METRICS, known_metrics
from trainables.metrics.scorer import NOT_COMPUTED

_COLUMNS = {"group", "candidate", "phase", "seed", "job", "split", "utterance", "speaker", "metric", "value", "status"}
_AS_IN_A_SWEEP = {
    "chance": "seeds and units",
    "seeds_paired": True,
    "chosen_from": 2,
    "left_out": 0,
    "tiers": [],
    "corpora": [],
}
_KEPT = ["group", "candidate", "seed", "utterance", "speaker", "noise_type", "metric", "value"]


def are_own(table: FileTable) -> bool:
    """Whether these are rows as `sweep.stored.rows` writes them."""
    return set(table.frame.columns) >= _COLUMNS


def own_scores(tables: Sequence[FileTable], metric: str | None) -> Scores:
    """Their roles are known; the noisy input stays in, since it says which failures count."""
    frame = pd.concat([table.frame for table in tables]) if len(tables) > 1 else tables[0].frame
    names = ", ".join(table.name for table in tables)
    held = sorted(set(texts(frame["metric"])))
    if metric is None and len(held) > 1:
        raise UserError(f"{names}: scores of several metrics, {', '.join(held)}: choose one with --metric")
    metric = metric or held[0]
    if metric not in held:
        raise UserError(f"--metric {metric}: {names} has no scores of it; it has {', '.join(held)}")
    splits = sorted(set(texts(frame["split"])))
    if len(splits) > 1:
        raise UserError(f"{names}: rows of {' and '.join(splits)}; give one split, and the other with --nominate")
    rows = frame[(texts(frame["metric"]).eq(metric) & texts(frame["status"]).ne(NOT_COMPUTED)).to_numpy()]
    value = rows["value"].where(texts(rows["status"]).eq("ok"))
    plain = {name: rows[name].astype(str).where(rows[name].notna()) for name in _KEPT if name not in ("seed", "value")}
    kept = pd.DataFrame({**plain, "seed": rows["seed"], "value": value}).reset_index(drop=True)
    if kept["group"].nunique() == 1:
        kept = kept.drop(columns="group")
    has = tuple(name for name in ("group", "seed", "utterance", "speaker", "noise_type") if name in kept)
    lower = metric in METRICS and METRICS[metric].lower
    noisy = f", candidate {NOISY} is the unprocessed input" if kept["candidate"].eq(NOISY).any() else ""
    said = f"read: rows of a sweep, split {splits[0]}, metric={metric}{noisy}"
    return Scores(kept, has, metric, lower, said, ours=metric in METRICS)


def judged_sweep(name: str, output: str | None, metric: str | None) -> Judged:
    """The sweep's own verdicts, computed again from its rows, with the leaders that it named on valid.

    Raises `UserError` if there is no such sweep, or it has no answer yet.
    """
    from sweep.stored import layout
    from sweep.stored.other_metric import in_metric
    from sweep.stored.reading import read_result, read_rows, stored_sweep

    plan, storage = stored_sweep(name, output)
    known_metrics([metric] if metric else None)
    metric = metric or plan.metric
    groups = in_metric(read_result(plan, storage), plan, read_rows(plan, storage, metric=metric), metric)["groups"]
    if metric == plan.metric:  # of which the last note says that another metric decided
        groups = [{**group, "notes": group["notes"][:-1]} for group in groups]
    return Judged(
        title=plan.name,
        metric=metric,
        said=f"read: rows of the sweep {plan.name}, split test, metric={metric}",
        groups=[cast(JudgedGroup, {**_AS_IN_A_SWEEP, **group}) for group in groups],
        nominated_on=f"valid ({layout.NOMINATIONS})",
        ours=True,
    )
