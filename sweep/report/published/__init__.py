"""Published scores: reference rows for our tables, without intervals.

One CSV file per paper: table, system, metric (by our name), snr_db (empty = all SNRs together), value; of a paper
without SNRs, table, system and a column per metric.
"""

import csv
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True)
class PublishedScore:
    """One cell of a paper's table."""

    table: str
    system: str
    metric: str
    snr_db: float | None  # None = the mean over the paper's SNRs
    value: float


def published_rows(paper: str) -> list[dict[str, str]]:
    """The rows of a paper's file. Raises FileNotFoundError for an unknown paper."""
    text = resources.files(__package__).joinpath(f"{paper}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@cache
def published_scores(paper: str) -> tuple[PublishedScore, ...]:
    """Every score of the paper, in the order of its tables; none of a paper that lists no SNRs."""
    return tuple(
        PublishedScore(
            table=row["table"],
            system=row["system"],
            metric=row["metric"],
            snr_db=float(row["snr_db"]) if row["snr_db"] else None,
            value=float(row["value"]),
        )
        for row in published_rows(paper)
        if "snr_db" in row
    )
