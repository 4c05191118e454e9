"""The leaderboard as files that other programs read: CSV, Parquet and LaTeX, one row per candidate.

Published figures follow as rows of their own, marked in the column `source`, without intervals.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from sweep.report.output_formats import to_latex
from sweep.report.result_tables import result_view
from sweep.verdict.result import Result, records

OURS, PUBLISHED = "this sweep", "published"


def leaderboard_frame(result: Result) -> pd.DataFrame:
    """Best first within each group; every metric's mean has a column of its own."""
    return pd.DataFrame([*_our_rows(result), *_published_rows(result)]).convert_dtypes()


def write_leaderboard(result: Result, folder: Path) -> None:
    """`leaderboard.csv`, `.parquet` and `.tex`."""
    frame = leaderboard_frame(result)
    frame.to_csv(folder / "leaderboard.csv", index=False, encoding="utf-8")
    frame.to_parquet(folder / "leaderboard.parquet", index=False)
    (folder / "leaderboard.tex").write_text(to_latex(result_view(result, "latex")), encoding="utf-8")


def _our_rows(result: Result) -> Iterator[dict[str, Any]]:
    means = {(e["group"], e["candidate"]): e["scores"] for e in result["metrics"] if not e["published"]}
    for record in records(result):
        yield {**record, "source": OURS, **means.get((record["group"], record["candidate"]), {})}


def _published_rows(result: Result) -> Iterator[dict[str, Any]]:
    for entry in result["metrics"]:
        if entry["published"]:
            score = entry["scores"].get(result["metric"])
            identity = {"group": entry["group"], "candidate": entry["candidate"], "source": PUBLISHED}
            yield {**identity, "metric": result["metric"], "score": score, **entry["scores"]}
