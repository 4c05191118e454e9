"""MLflow as a view of the sweep: spooled records are applied idempotently.

A run is searched by its tag `speech_sweep.job` before it is created, because a retried create makes a second run.
A report is identified by its step; a step that MLflow already holds is never sent again. Everything runs in one
thread, and no other file of the package talks to MLflow.
"""

import logging
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sweep.core.addresses import hide_password, is_server, sqlite_path
from sweep.tracking.spool import Record
from trainables.base.storage.storage import Storage

JOB_TAG = "speech_sweep.job"
SWEEP_TAG = "speech_sweep.sweep"
IDENTITY_TAG = "speech_sweep.identity"  # of the sweep: names may be another's too
OUTPUT_TAG = "speech_sweep.output"  # where the sweep lies; on its parent run
CORPUS_TAG = "speech_sweep.corpus"
STATE_TAG = "speech_sweep.state"
REUSED_TAG = "speech_sweep.reused_from"
KIND_TAG = "speech_sweep.kind"

EXPERIMENT = ""  # in place of a run: the record is about the experiment

_BATCH = 900  # metrics in one call; MLflow takes 1000 of metrics, parameters and tags together
_REQUEST_SECONDS = "30"
# Responses that a retry cannot change; 401 and 403 can change, once the credentials are fixed.
_PERMANENT = (400, 404, 405, 409, 413, 422)


class MlflowView:
    """One sweep's runs inside one experiment: those with its `identity`.

    Runs of an earlier version's sweep have none and are known by name, unless they rest on another `corpus` (its
    fingerprint).
    """

    def __init__(
        self,
        uri: str,
        experiment: str,
        sweep: str,
        artifact_location: str | None,
        identity: str = "",
        corpus: str = "",
    ) -> None:
        self.rejected: list[str] = []  # descriptions of records that MLflow refused permanently
        self.experiment_id: str | None = None
        self._uri = uri
        self._experiment = experiment
        self._sweep = sweep
        self._identity = identity
        self._corpus = corpus
        self._artifact_location = artifact_location
        self._client: Any = None
        self._runs: dict[str, str] = {}  # job tag -> run id
        self._runs_listed = False
        self._steps: dict[str, set[int]] = {}  # run id -> steps that MLflow holds

    def apply(self, records: Sequence[Record]) -> None:
        """Send the records, those of one run together and in their order. Raises while MLflow is unreachable."""
        self._connect()
        by_run: dict[str, list[Record]] = defaultdict(list)
        for record in records:
            by_run[record["run"]].append(record)
        for run, of_run in by_run.items():
            self._attempt(run, of_run)

    def _attempt(self, run: str, records: Sequence[Record]) -> None:
        """If MLflow refuses a batch, its records are sent one by one, so that a bad one does not block the rest."""
        from mlflow.exceptions import MlflowException

        try:
            self._send(run, records)
        except MlflowException as error:
            if error.get_http_status_code() not in _PERMANENT:
                raise
            if len(records) == 1:
                self.rejected.append(self.describe(error))
                return
            for record in records:
                self._attempt(run, [record])

    def _send(self, run: str, records: Sequence[Record]) -> None:
        """As few calls as MLflow allows: create, log everything, set the status."""
        if run == EXPERIMENT:
            for key, value in merged(record["tags"] for record in records).items():
                self._client.set_experiment_tag(self.experiment_id, key, value)
            return
        known = run in self._runs
        run_id = self._find_or_create(records[0])
        self._log(run_id, records)
        for record in records:
            if record["kind"] == "file":
                self._store_file(run_id, Path(record["path"]), record["folder"])
        self._set_status(run_id, records, known)

    def _store_file(self, run_id: str, file: Path, folder: str) -> None:
        """What lies in S3 with the sweep's results is written as they are: one client, one reading of the address."""
        place = "" if is_server(self._uri) else self._client.get_run(run_id).info.artifact_uri
        if place.startswith("s3://"):
            Storage(place).upload(file, f"{folder}/{file.name}" if folder else file.name)
            return
        try:
            self._client.log_artifact(run_id, str(file), folder or None)
        except PermissionError as error:  # an experiment's artifacts lie where its first sweep put them
            self.rejected.append(f"no right to write {error.filename}: the report is in the sweep's own folder")

    def _log(self, run_id: str, records: Sequence[Record]) -> None:
        from mlflow.entities import Param, RunTag

        params = merged(record.get("params", {}) for record in records)
        tags = merged(record.get("tags", {}) for record in records)
        first, *rest = _batches(self._new_metrics(run_id, records)) or [[]]
        self._client.log_batch(
            run_id,
            metrics=first,
            params=[Param(key, str(value)) for key, value in params.items()],
            tags=[RunTag(key, str(value)) for key, value in tags.items()],
        )
        for metrics in rest:
            self._client.log_batch(run_id, metrics=metrics)
        reported = {record["step"] for record in records if record["kind"] == "report"}
        if reported:
            self._held_steps(run_id).update(reported)

    def _new_metrics(self, run_id: str, records: Sequence[Record]) -> list[list[Any]]:
        """The reports of steps that MLflow does not hold yet; summaries always, as a verdict may change."""
        fresh: dict[int, Record] = {}
        for record in records:
            if record["kind"] == "report" and record["step"] not in self._held_steps(run_id):
                fresh.setdefault(record["step"], record)
        summaries = [record for record in records if record["kind"] == "summary"]
        return [_metrics(record) for record in [*fresh.values(), *summaries]]

    def _set_status(self, run_id: str, records: Sequence[Record], known: bool) -> None:
        """The last change counts; a run that was just created is RUNNING already."""
        changes = [record for record in records if record["kind"] in ("start", "end")]
        if not changes:
            return
        last = changes[-1]
        if last["kind"] == "end":
            self._client.set_terminated(run_id, last["status"], last["time"])
        elif known:
            self._client.update_run(run_id, status="RUNNING")

    # -- connection ----------------------------------------------------------------------------------

    def _connect(self) -> None:
        """Migrating a new SQLite store takes seconds, one reason for a thread of its own."""
        if self._client is None:
            self._client = open_client(self._uri)
        if self.experiment_id is None:
            self.experiment_id = self._find_or_create_experiment()
        if not self._runs_listed:
            self._list_runs()

    def _find_or_create_experiment(self) -> str:
        found = self._client.get_experiment_by_name(self._experiment)
        if found is None:
            return self._client.create_experiment(self._experiment, artifact_location=self._artifact_location)
        if found.lifecycle_stage == "deleted":
            raise RuntimeError(
                f"the MLflow experiment {self._experiment!r} was deleted: restore it with "
                f"`mlflow experiments restore -x {found.experiment_id}`"
            )
        return found.experiment_id

    def _list_runs(self) -> None:
        """List the runs of this sweep; where an interrupted create left two, keep the one with content."""
        by_job: dict[str, list[Any]] = defaultdict(list)
        for run in filter(self._is_own, self._pages(own_runs(self._sweep, self._identity))):
            by_job[run.data.tags.get(JOB_TAG, "")].append(run)
        for job, runs in by_job.items():
            keep = max(runs, key=lambda run: (len(run.data.metrics), len(run.data.params)))
            self._runs[job] = keep.info.run_id
            for ghost in runs:
                if ghost is not keep:
                    self._client.delete_run(ghost.info.run_id)
        self._runs_listed = True

    def _is_own(self, run: Any) -> bool:
        tags = run.data.tags
        if self._identity:
            return True
        same_corpus = not self._corpus or tags.get(CORPUS_TAG) in (None, self._corpus)
        return IDENTITY_TAG not in tags and same_corpus

    def _pages(self, filter_string: str) -> Iterable[Any]:
        token = None
        while True:
            page = self._client.search_runs([self.experiment_id], filter_string, page_token=token)
            yield from page
            token = page.token
            if not token:
                return

    # -- runs ----------------------------------------------------------------------------------------

    def _find_or_create(self, record: Record) -> str:
        if record["run"] not in self._runs:
            self._runs[record["run"]] = self._create(record)
        return self._runs[record["run"]]

    def _create(self, record: Record) -> str:
        """The job tag is set in the create call itself, so that no run is ever without it."""
        tags = {JOB_TAG: record["run"], SWEEP_TAG: self._sweep}
        if self._identity:
            tags[IDENTITY_TAG] = self._identity
        if record["run"] != self._sweep:
            tags["mlflow.parentRunId"] = self._find_or_create({"run": self._sweep, "time": record["time"]})
        # If the response is lost, the run may exist: list again before the next attempt.
        self._runs_listed = False
        name = record.get("name", record["run"])
        run = self._client.create_run(self.experiment_id, record["time"], tags, run_name=name)
        self._runs_listed = True
        self._steps[run.info.run_id] = set()
        return run.info.run_id

    def _held_steps(self, run_id: str) -> set[int]:
        if run_id not in self._steps:
            history = self._client.get_metric_history(run_id, "score")
            self._steps[run_id] = {point.step for point in history}
        return self._steps[run_id]

    # -- failures ------------------------------------------------------------------------------------

    def describe(self, error: Exception) -> str:
        """One short line for the terminal, without passwords."""
        lines = str(error).strip().splitlines() or [type(error).__name__]
        line = hide_password(lines[0], self._uri)
        return line if len(line) <= 160 else line[:157] + "..."


def own_runs(sweep: str, identity: str) -> str:
    """MLflow's filter for a sweep's runs."""
    return f"tags.`{IDENTITY_TAG}` = '{identity}'" if identity else f"tags.`{SWEEP_TAG}` = '{sweep}'"


def import_mlflow() -> None:
    """Import MLflow without telemetry, chatter or hidden retries.

    MLflow's own retries repeat a create that may have succeeded, which leaves duplicate runs; ours search first.
    Standard output is reserved for the result: MLflow would print the address of every run that ends.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
    os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", _REQUEST_SECONDS)
    import mlflow  # noqa: F401

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)


def open_client(uri: str) -> Any:
    import_mlflow()
    from mlflow import MlflowClient

    store = for_mlflow(uri)
    if store != uri and (file := sqlite_path(uri)):
        file.parent.mkdir(parents=True, exist_ok=True)  # as MLflow does for plain addresses
    return MlflowClient(tracking_uri=store, registry_uri=store)


def for_mlflow(uri: str) -> str:
    """The address for MLflow, which would make an empty folder of a quoted path, with its %3F as they stand."""
    return uri.replace("sqlite:", "sqlite+pysqlite:", 1) if sqlite_path(uri) and "%" in uri else uri


def _metrics(record: Record) -> list[Any]:
    from mlflow.entities import Metric

    return [Metric(key, value, record["time"], record["step"]) for key, value in record["metrics"].items()]


def _batches(reports: Iterable[list[Any]]) -> list[list[Any]]:
    """Reports joined up to MLflow's limit, none split over two batches."""
    batches: list[list[Any]] = []
    for report in reports:
        if not batches or len(batches[-1]) + len(report) > _BATCH:
            batches.append([])
        batches[-1] += report
    return batches


def merged(tables: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """All entries; the last one of each key."""
    return {key: value for table in tables for key, value in table.items()}
