"""The sweep in MLflow: a parent run per sweep, a nested run per job and, at the end, one per candidate.

MLflow is a view. Nothing here waits for it: every fact goes into a spool on disk and one background thread
delivers it in batches, so a server that is away costs the sweep nothing and a kill loses nothing. What a
lost spool took with it is put back from the study by `Tracker.reconcile`.
"""

import fnmatch
import json
import math
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweep.core.addresses import check_tracking_uri, is_server, redact
from sweep.core.jobs import Job
from sweep.core.listener import Listener
from sweep.core.next_command import command_line
from sweep.core.outage import say_on_standard_error
from sweep.plan.plan import Plan
from sweep.tracking import mlflow_page
from sweep.tracking.mlflow_sender import Courier
from sweep.tracking.mlflow_view import EXPERIMENT, KIND_TAG, STATE_TAG, MlflowView, import_mlflow
from sweep.tracking.provenance import origin_tags
from sweep.tracking.spool import Record, Spool
from sweep.verdict.result import candidate_verdict, group_name

if TYPE_CHECKING:
    from sweep.study.study import JobRecord

# MLflow's page gets slow and unreadable with many columns: these few and a method's own are curves, the rest stays
# in the study.
_CURVES = {
    "score": "score",
    "score_current": "score_current",
    "failed_clips": "failed_clips",
    "loss_total": "loss",
    "gradient_norm": "gradient_norm",
    "clipped": "clipped",
    "seconds_train": "seconds_train",
    "estimate_gain": "estimate_gain",
    "flipped_share": "flipped_share",
    "segsnr": "segsnr",
}

# MLflow has no word for "stopped early": the honest state is the tag, the run status its nearest neighbour.
_STATUS = {"complete": "FINISHED", "pruned": "FINISHED", "failed": "FAILED", "interrupted": "KILLED"}

_CLOSE_SECONDS = 30.0  # without progress, until what is left waits for another start


class Tracker(Listener):
    """Mirrors a sweep into MLflow.

    `spool` is a local folder that outlives the driver; `say` shows a person a line (default: standard error).
    """

    def __init__(self, plan: Plan, spool: Path, say: Callable[[str], None] | None = None) -> None:
        check_tracking_uri(plan.tracking_uri)
        import_mlflow()  # here, not in the thread: two threads importing pandas at once can see half of it
        self._plan = plan
        self._say = say or say_on_standard_error
        self._told_parameters = _told_parameters(plan)
        self._own_curves = plan.method_info().curves
        self._origin = origin_tags(plan)  # on every run
        self._running: set[Job] = set()
        self._finished = False
        self._spool = Spool(spool)
        self._start_sweep()
        self._courier = Courier(self._spool, _view(plan), self._say)

    # -- what the engine tells -----------------------------------------------------------------------

    def job_started(self, job: Job, attempt: int, config: dict[str, Any], timestamp_ms: int) -> None:
        self._running.add(job)
        self._spool.append(
            {
                "kind": "start",
                "run": self._tag(job),
                "name": job.path,
                "time": timestamp_ms,
                "params": self._parameters(job, config),
                "tags": {
                    **self._origin,
                    **self._group_tags(job.group),
                    KIND_TAG: job.phase,
                    STATE_TAG: "running",
                    "speech_sweep.candidate": job.candidate,
                    "speech_sweep.attempt": attempt,
                },
            }
        )

    def job_reported(self, job: Job, step: int, metrics: dict[str, float], timestamp_ms: int) -> None:
        self._append_metrics("report", self._tag(job), curves(metrics, self._own_curves), step, timestamp_ms)

    def job_ended(
        self, job: Job, state: str, score: float | None, reason: str | None, timestamp_ms: int
    ) -> None:
        self._running.discard(job)
        self._end(self._tag(job), state, timestamp_ms, reason)

    # -- the answer ----------------------------------------------------------------------------------

    def log_results(
        self,
        result: dict[str, Any],
        files: Mapping[str, Path],
        test_scores: Mapping[Job, Mapping[str, float]] | None = None,
    ) -> None:
        """The verdict: `result` is the `--json` object, `files` are shown on the parent run by their name."""
        now = _now_ms()
        for job, scores in (test_scores or {}).items():
            named = {f"test_{metric}": value for metric, value in scores.items()}
            self._append_metrics("summary", self._tag(job), named, self._plan.steps, now)
        for group in result["groups"]:
            for candidate in group["candidates"]:
                self._log_candidate(group, candidate, now)
        self._append_metrics("summary", self._plan.name, _sweep_metrics(result), self._plan.steps, now)
        self._append_tags(self._plan.name, _verdict_tags(result))
        self._send_table(result)
        for name, path in files.items():
            self._send_file(name, path)
        self._end(self._plan.name, "complete", now, None)
        self._finished = True

    def reconcile(self, records: Iterable["JobRecord"]) -> None:
        """Put back whatever MLflow lacks of what the study knows; steps it holds are not sent again."""
        for record in records:
            job = record.job
            config = self._plan.config(job.group, job.candidate, record.nuisance)
            self.job_started(job, record.attempt, config, record.started_ms)
            for report in record.reports:
                metrics = {**report.metrics, "score": report.score}
                self.job_reported(job, report.step, metrics, report.timestamp_ms)
            if record.state != "running":
                ended_ms = record.ended_ms or record.started_ms
                self.job_ended(job, record.state, record.score, record.reason, ended_ms)

    def close(self, timeout: float = _CLOSE_SECONDS) -> None:
        """Deliver what is buffered, leave no run RUNNING, and say plainly what could not be delivered."""
        now = _now_ms()
        for job in sorted(self._running):
            self._end(self._tag(job), "interrupted", now, None)
        if not self._finished:
            self._end(self._plan.name, "interrupted", now, None)
        _close(self._courier, self._spool, self._plan, self._say, timeout)

    # -- records -------------------------------------------------------------------------------------

    def _start_sweep(self) -> None:
        plan = self._plan
        self._spool.append(
            {
                "kind": "start",
                "run": plan.name,
                "name": plan.name,
                "time": _now_ms(),
                "params": {
                    "preset": plan.preset,
                    "metric": plan.metric,
                    "steps": plan.steps,
                    "corpus": redact(plan.corpus_source),
                },
                "tags": {
                    **self._origin,
                    KIND_TAG: "sweep",
                    STATE_TAG: "running",
                    "speech_sweep.version": plan.version,
                    # Tags, since a resumed sweep may have more of them and a parameter can never change.
                    "speech_sweep.samples": plan.samples,
                    "speech_sweep.seeds": self._seeds(),
                    "mlflow.note.content": f"{plan.space_object().question} Running.",
                },
            }
        )
        self._append_tags(EXPERIMENT, mlflow_page.experiment_tags(plan.name))

    def _log_candidate(self, group: dict[str, Any], candidate: dict[str, Any], now: int) -> None:
        name = group_name(group["group"])
        run = f"{self._plan.name}/candidates/{name}/{candidate['label']}"
        metrics = _candidate_metrics(candidate)
        self._spool.append(
            {
                "kind": "start",
                "run": run,
                "name": f"{name} {candidate['label']}",
                "time": now,
                "params": {
                    **group["group"],
                    "candidate": candidate["label"],
                    **self._told(candidate["config"]),
                },
                "tags": {
                    **self._origin,
                    **{f"speech_sweep.{key}": value for key, value in group["group"].items()},
                    KIND_TAG: "candidate",
                    "speech_sweep.candidate": candidate["label"],
                    "speech_sweep.seeds": self._seeds(),
                    "speech_sweep.leader": str(candidate["label"] == group["leader"]["label"]).lower(),
                    "verdict": candidate_verdict(group, candidate["label"]),  # short: a column's title
                },
            }
        )
        self._append_metrics("summary", run, metrics, self._plan.steps, now)
        self._end(run, "complete", now, None)

    def _append_metrics(
        self, kind: str, run: str, metrics: dict[str, float], step: int, time_ms: int
    ) -> None:
        if metrics:
            record: Record = {"kind": kind, "run": run, "step": step, "time": time_ms, "metrics": metrics}
            self._spool.append(record)

    def _append_tags(self, run: str, tags: dict[str, str]) -> None:
        self._spool.append({"kind": "tags", "run": run, "time": _now_ms(), "tags": tags})

    def _end(self, run: str, state: str, time_ms: int, reason: str | None) -> None:
        tags = {STATE_TAG: state} | ({"speech_sweep.reason": reason[:4000]} if reason else {})
        self._spool.append(
            {"kind": "end", "run": run, "status": _STATUS[state], "time": time_ms, "tags": tags}
        )

    def _send_table(self, result: dict[str, Any]) -> None:
        """The leaderboard as a table that MLflow's page can show and sort."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "leaderboard.json"
            path.write_text(json.dumps(mlflow_page.table(result)))
            self._send_file(path.name, path)
        self._append_tags(self._plan.name, mlflow_page.table_tags("leaderboard.json"))

    def _send_file(self, name: str, path: Path) -> None:
        kept = self._spool.keep_file(path, name)
        folder = str(Path(name).parent)
        record = {"kind": "file", "run": self._plan.name, "time": _now_ms(), "path": str(kept)}
        self._spool.append({**record, "folder": "" if folder == "." else folder})

    # -- names ---------------------------------------------------------------------------------------

    def _tag(self, job: Job) -> str:
        return f"{self._plan.name}/{job.path}"

    def _group_tags(self, group: str) -> dict[str, str]:
        return {f"speech_sweep.{key}": value for key, value in self._plan.group_plan(group).group.items()}

    def _parameters(self, job: Job, config: dict[str, Any]) -> dict[str, Any]:
        """Few columns: who it is, and the fields that this space varies."""
        identity = {"candidate": job.candidate, "phase": job.phase, "seed": self._plan.job_seed(job)}
        return identity | self._told(config)

    def _told(self, config: dict[str, Any]) -> dict[str, Any]:
        return {key: config[key] for key in self._told_parameters if key in config}

    def _seeds(self) -> str:
        return ", ".join(map(str, self._plan.seeds))


def deliver_left_over(plan: Plan, spool: Path, say: Callable[[str], None] | None = None) -> None:
    """Bring MLflow what it had not taken when a finished sweep ended."""
    import_mlflow()
    say = say or say_on_standard_error
    left = Spool(spool)
    _close(Courier(left, _view(plan), say), left, plan, say, _CLOSE_SECONDS)


def _view(plan: Plan) -> MlflowView:
    experiment = mlflow_page.experiment_name(plan.space)
    return MlflowView(plan.tracking_uri, experiment, plan.name, _artifact_location(plan))


def _close(courier: Courier, spool: Spool, plan: Plan, say: Callable[[str], None], timeout: float) -> None:
    why = courier.close(timeout)
    if why:
        say(
            f"{len(spool)} MLflow records could not be delivered ({why}); they wait in {spool.folder} and are "
            f"delivered by `{command_line('run.py --resume', plan.output)}`"
        )
    spool.close()


def _told_parameters(plan: Plan) -> tuple[str, ...]:
    """The configuration fields that differ between jobs of this plan."""
    space, preset = plan.space_object(), plan.preset_object()
    told: dict[str, None] = {}
    for group in plan.groups:
        for candidate in group.candidates:
            anchor = space.anchor(group.group, candidate, preset)
            told.update(dict.fromkeys((*group.group, *candidate.config, *anchor)))
    return tuple(told)


def _artifact_location(plan: Plan) -> str | None:
    """Beside the sweep's other files, unless a server has its own place."""
    return None if is_server(plan.tracking_uri) else f"{plan.output}/mlflow-artifacts"


def curves(metrics: Mapping[str, float], own: Mapping[str, str]) -> dict[str, float]:
    """The few metrics of a report that MLflow draws: those of every method, and its `own` (`MethodInfo.curves`)."""
    found: dict[str, float] = {}
    for pattern, name in (_CURVES | dict(own)).items():
        for key in [pattern] if pattern in metrics else fnmatch.filter(metrics, pattern):
            curve = key if name == pattern else name
            found[curve] = max(float(metrics[key]), found.get(curve, -math.inf))
    return found


def _candidate_metrics(candidate: dict[str, Any]) -> dict[str, float]:
    """Numbers as the verdict has them; what is not known is left out."""
    score_low, score_high = candidate.get("interval") or (None, None)
    gain_low, gain_high = candidate.get("gain_interval") or (None, None)
    metrics = {
        "score": candidate["score"],
        "score_low": score_low,
        "score_high": score_high,
        "gain": candidate.get("gain"),
        "gain_low": gain_low,
        "gain_high": gain_high,
        "p_best": candidate.get("p_best"),
        "n_seeds": candidate["n_seeds"],
        "n_utterances": candidate["n_utterances"],
        "failures": candidate["failures"],
    }
    return {key: float(value) for key, value in metrics.items() if value is not None}


def _sweep_metrics(result: dict[str, Any]) -> dict[str, float]:
    metrics = {f"trials_{state}": float(count) for state, count in result["trials"].items()}
    for group in result["groups"]:
        if group["score"] is not None:
            metrics[f"leader_score/{group_name(group['group'])}"] = group["score"]
    return metrics


def _verdict_tags(result: dict[str, Any]) -> dict[str, str]:
    """The answer itself, where MLflow's run page shows it first."""
    verdicts = {f"verdict.{name}": text for name, text in mlflow_page.answer_texts(result).items()}
    return {"mlflow.note.content": mlflow_page.note(result)} | verdicts


def _now_ms() -> int:
    return int(time.time() * 1000)
