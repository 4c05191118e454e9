"""Where MLflow's artifacts lie: it keeps the full address of every run's, and in a sweep's own database they follow
a moved folder."""

import contextlib
import sqlite3
from pathlib import Path

from sweep.core.addresses import sqlite_path
from sweep.plan.plan import Plan
from sweep.stored import layout

_COLUMNS = (("experiments", "artifact_location"), ("runs", "artifact_uri"))


def artifacts_uri(place: str) -> str:
    """The address that MLflow reads as the artifacts' folder or prefix in `place`."""
    artifacts = f"{place}/{layout.ARTIFACTS}"
    return artifacts if "://" in artifacts else Path(artifacts).as_uri()


def follow(plan: Plan, left: str) -> None:
    """Point the artifacts that lay in `left`, the sweep's earlier place, to where they lie now."""
    file = sqlite_path(plan.tracking_uri)
    if file is None or not file.exists() or not file.is_relative_to(plan.output):
        return
    now = artifacts_uri(plan.output)
    with contextlib.closing(sqlite3.connect(file, timeout=60)) as database, database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        for table, column in _COLUMNS:
            for before in {artifacts_uri(left), f"{left}/{layout.ARTIFACTS}"} if table in tables else ():
                database.execute(
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?) "
                    f"WHERE {column} = ? OR substr({column}, 1, ?) = ?",
                    (now, len(before) + 1, before, len(before) + 1, f"{before}/"),
                )
