"""The published figures, ranked as a sweep's candidates are: behind `sweep/leaderboard.py --published`.

The figures of sweep/published/*.csv are single numbers: n is not stated, so there is no interval and nobody
wins; the best figure of each group leads.
"""

import csv
import io
import json
from collections.abc import Mapping
from importlib import resources
from typing import Any

from sweep.report import console_table, markdown_table, print_tables
from sweep.result_view import by_score, group_name
from trainables.errors import UserError
from trainables.metrics.catalogue import METRICS

FIGURES = "feature_normalization.csv"
NOT_STATED = "n not stated, no interval"
PUBLISHED_METRICS = ("wb_pesq", "stoi", "csig", "cbak", "covl")


def published_rows(upstream: str) -> list[dict[str, str]]:
    """The rows of one upstream, each variant once; none for an upstream that the paper does not have."""
    mine = (row for row in _rows() if upstream in row["upstream"].split("/"))
    return list({row["variant"]: row for row in mine}.values())


def published_result(metric: str) -> dict[str, Any]:
    """Groups with their rows by one metric, in the shape of a sweep's result as far as figures go.

    Raises:
        UserError: the paper does not give that metric.
    """
    if metric not in PUBLISHED_METRICS:
        raise UserError(f"--metric {metric}: the paper gives {', '.join(PUBLISHED_METRICS)}")
    groups: dict[str, dict[str, dict[str, Any]]] = {}
    for row in _rows():
        for upstream in row["upstream"].split("/"):
            label = _label(row["variant"])
            candidate = {
                "label": label,
                "system": row["system"],
                "score": float(row[metric]),
                "interval": None,
            }
            groups.setdefault(upstream, {})[label] = candidate
    return {
        "sweep": "published",
        "metric": metric,
        "note": NOT_STATED,
        "groups": [_group(upstream, list(found.values())) for upstream, found in groups.items()],
    }


def show_published(result: Mapping[str, Any], form: str) -> None:
    """Print it in one of the leaderboard's forms."""
    if form == "json":
        print(json.dumps(result))
    elif form == "csv":
        print(_to_csv(result), end="")
    elif form == "markdown":
        parts = [
            f"## {group_name(group['group'])}\n\n{markdown_table(*_cells(group, result))}"
            for group in result["groups"]
        ]
        print("\n\n".join([f"# published ({result['note']})", *parts]))
    else:
        tables = [
            console_table(group_name(group["group"]), *_cells(group, result)) for group in result["groups"]
        ]
        print_tables(tables, [f"{METRICS[result['metric']].title} as published: {result['note']}"])


def _rows() -> list[dict[str, str]]:
    text = resources.files("sweep").joinpath("published", FIGURES).read_text(encoding="utf-8")
    return list(csv.DictReader(io.StringIO(text)))


def _label(variant: str) -> str:
    """As a sweep's candidates are called: pretrained is `none`, base is `random`, normed(layer2) is `layer2`."""
    names = {"pretrained": "none", "base": "random"}
    return names.get(variant, variant.removeprefix("normed(").removesuffix(")"))


def _group(upstream: str, candidates: list[dict[str, Any]]) -> dict[str, Any]:
    ranked = by_score(candidates)
    leader = ranked[0]
    return {
        "group": {"upstream": upstream},
        "leader": {"label": leader["label"]},
        "winner": None,
        "score": leader["score"],
        "interval": None,
        "candidates": ranked,
    }


def _cells(group: Mapping[str, Any], result: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    header = ["candidate", "system", METRICS[result["metric"]].title, ""]
    rows = [
        [row["label"], row["system"], f"{row['score']:.4f}", "leader" if rank == 0 else ""]
        for rank, row in enumerate(group["candidates"])
    ]
    return header, rows


def _to_csv(result: Mapping[str, Any]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["group", "candidate", "system", "metric", "score", "note"])
    for group in result["groups"]:
        for row in group["candidates"]:
            name = group_name(group["group"])
            writer.writerow(
                [name, row["label"], row["system"], result["metric"], row["score"], result["note"]]
            )
    return buffer.getvalue()
