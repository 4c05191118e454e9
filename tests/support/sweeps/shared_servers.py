"""Sweeps of several users on one database and one MLflow: driven as `Drive` does, with a simulation as training.

Real locks, studies, storage and MLflow; no Ray.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import sqlalchemy

from benchmarks.simulation.simulated import Simulation
from sweep.driver.whose import freeze, own_name
from sweep.plan.plan import Plan
from sweep.settings.settings import Planned
from sweep.stored import layout
from sweep.study.database import database_url
from sweep.study.study import StudyStore
from sweep.tracking.mlflow_view import IDENTITY_TAG, open_client
from sweep.tracking.tracker import Tracker
from sweep.verdict.result import Result
from tests.support.sweeps.small_sweep import make_result
from tests.support.sweeps.typed_plan import plan, resume
from trainables.base.storage.storage import Storage

EXPERIMENT = "speech-sweep/norm_layers"
_SMALL = ("--preset", "smoke", "--upstreams", "tera", "--samples", "1", "--seeds", "2")


@dataclass
class User:
    """A person with a folder, who names a study database and an MLflow in `addresses` (flags)."""

    folder: Path
    addresses: list[str]
    said: list[str] = field(default_factory=list)

    def starts(self, name: str) -> Planned:
        return plan(self.folder, "--name", name, *_SMALL, *self.addresses)

    def resumes(self, name: str) -> Planned:
        return resume(self.folder, name, *self.addresses)

    def drive(self, planned: Planned, events: int | None = None, meanwhile: Callable[[], None] = lambda: None) -> bool:
        """To the answer, or until the driver leaves after so many `events`; `meanwhile` happens before that."""
        driven, storage = planned.plan, Storage(planned.plan.output)
        with own_name(planned, storage) as take_again:
            freeze(planned, driven, storage)
            store = StudyStore.of(driven, returned=take_again)
            store.claim(driven)
            tracker = Tracker(driven, Path(driven.home) / layout.SPOOL, self.said.append)
            tracker.reconcile(store.all_records(driven))
            ended = Simulation(driven, store, listeners=(tracker,)).run(killed_after=events)
            meanwhile()
            if ended:
                tracker.log_results(cast(Result, make_result(driven)), {})
                storage.write(layout.RESULT, json.dumps(make_result(driven)).encode())
            tracker.close()
        return ended


def everything_of(sweep: Plan) -> dict[str, Any]:
    """All that the sweep has anywhere: its whole study database, its runs in MLflow, its files."""
    return {"study": _tables(sweep), "mlflow": runs_of(sweep), "files": _files(Path(sweep.output))}


def _tables(sweep: Plan) -> dict[str, list[Any]]:
    engine = sqlalchemy.create_engine(database_url(sweep.study_uri), poolclass=sqlalchemy.NullPool)
    with engine.connect() as connection:
        names = sorted(sqlalchemy.inspect(connection).get_table_names())
        return {name: sorted(map(str, connection.execute(sqlalchemy.text(f"SELECT * FROM {name}")))) for name in names}


def runs_of(sweep: Plan) -> dict[str, Any]:
    """By run id: status, times, tags, parameters, metrics and the history of its scores."""
    client = open_client(sweep.tracking_uri)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    words = f"tags.`{IDENTITY_TAG}` = '{sweep.identity}'"
    runs = client.search_runs([experiment.experiment_id], words, max_results=1000) if experiment else []
    return {
        run.info.run_id: (
            *(run.info.status, run.info.start_time, run.info.end_time, run.info.lifecycle_stage),
            *(run.data.tags, run.data.params, run.data.metrics),
            [(p.step, p.value, p.timestamp) for p in client.get_metric_history(run.info.run_id, "score")],
        )
        for run in runs
    }


def _files(folder: Path) -> dict[str, str]:
    found = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(("-wal", "-shm")))
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}
