"""The leaderboard as files that other programs read: CSV, Parquet and LaTeX, one row per candidate.

Published figures follow as rows of their own, marked in the column `source`; they have no interval.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from sweep import report_cells
from sweep.result_view import by_score, candidate_verdict, group_name

OURS, PUBLISHED = "this sweep", "published"


def leaderboard_frame(result: Mapping[str, Any]) -> pd.DataFrame:
    """Best first within each group; every metric's mean has a column of its own."""
    return pd.DataFrame([*_our_rows(result), *_published_rows(result)]).convert_dtypes()


def write_leaderboard(result: Mapping[str, Any], folder: Path) -> None:
    """`leaderboard.csv`, `.parquet` and `.tex`."""
    frame = leaderboard_frame(result)
    frame.to_csv(folder / "leaderboard.csv", index=False)
    frame.to_parquet(folder / "leaderboard.parquet", index=False)
    (folder / "leaderboard.tex").write_text(to_latex(result))


def to_latex(result: Mapping[str, Any]) -> str:
    """One `tabular` per group with booktabs' rules, to be put into a `table`."""
    parts = ["% \\usepackage{booktabs}"]
    for group in result["groups"]:
        header, rows = report_cells.candidates(group, result["metric"])
        lines = [
            f"% {group_name(group['group'])}",
            f"\\begin{{tabular}}{{l{'r' * (len(header) - 2)}l}}",
            "\\toprule",
            _latex_row(header),
            "\\midrule",
            *map(_latex_row, rows),
            "\\bottomrule",
            "\\end{tabular}",
        ]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _our_rows(result: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    means = {(e["group"], e["candidate"]): e["scores"] for e in result["metrics"] if not e["published"]}
    for group in result["groups"]:
        name = group_name(group["group"])
        for candidate in by_score(group["candidates"]):
            low, high = candidate["interval"] or (None, None)
            gain_low, gain_high = candidate["gain_interval"] or (None, None)
            yield {
                "group": name,
                "candidate": candidate["label"],
                "source": OURS,
                "verdict": candidate_verdict(group, candidate["label"]),
                "metric": result["metric"],
                "score": candidate["score"],
                "low": low,
                "high": high,
                "gain": candidate["gain"],
                "gain_low": gain_low,
                "gain_high": gain_high,
                "p_best": candidate["p_best"],
                "seeds": candidate["n_seeds"],
                "utterances": candidate["n_utterances"],
                "failures": candidate["failures"],
                "unstable": candidate["unstable"],
                **means.get((name, candidate["label"]), {}),
            }


def _published_rows(result: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for entry in result["metrics"]:
        if entry["published"]:
            score = entry["scores"].get(result["metric"])
            identity = {"group": entry["group"], "candidate": entry["candidate"], "source": PUBLISHED}
            yield {**identity, "metric": result["metric"], "score": score, **entry["scores"]}


def _latex_row(cells: list[str]) -> str:
    escaped = (cell.replace("_", "\\_").replace("%", "\\%").replace("±", "$\\pm$") for cell in cells)
    return " & ".join(escaped) + " \\\\"
