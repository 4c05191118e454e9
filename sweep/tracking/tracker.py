"""The sweep in MLflow: a parent run per sweep, a nested run per job and, at the end, one per candidate.

MLflow is a view, and nothing here waits for it: every record goes into a spool on disk, and one background thread
delivers the spool in batches. An unreachable server costs the sweep nothing, and a kill loses nothing.
`Tracker.reconcile` restores the records of a lost spool from the study.
"""

import fnmatch
import json
import math
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweep.core.addresses import check_tracking_uri, hide_password, is_server, sqlite_path
from sweep.core.jobs import Job
from sweep.core.listener import Event, JobEnded, JobReported, JobStarted
from sweep.core.next_command import command_line
from sweep.core.outage import say_on_standard_error
from sweep.plan.plan import Plan
from sweep.tracking import mlflow_page
from sweep.tracking.artifacts import artifacts_uri
from sweep.tracking.mlflow_sender import MlflowSender
from sweep.tracking.mlflow_view import (
    EXPERIMENT,
    KIND_TAG,
    OUTPUT_TAG,
    REUSED_TAG,
    STATE_TAG,
    MlflowView,
    import_mlflow,
)
from sweep.tracking.provenance import origin_tags
from sweep.tracking.spool import Spool
from sweep.verdict.result import CandidateResult, GroupResult, Result, candidate_verdict, cost_numbers, group_name
from trainables.config.registry import config_class

if TYPE_CHECKING:
    from sweep.study.study import JobRecord

# Many columns make MLflow's page slow and unreadable: only these and a method's own become curves; the study has the
# rest.
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

# MLflow has no status for "stopped early": the tag has the exact state, the run status the nearest one.
_STATUS = {"complete": "FINISHED", "pruned": "FINISHED", "failed": "FAILED", "interrupted": "KILLED"}

_CLOSE_SECONDS = 90.0  # without progress, until the rest is left to the next start


class Tracker:
    """Mirrors a sweep into MLflow.

    `spool` is a local folder that outlives the driver; `say` prints a line (default: standard error).
    """

    def __init__(self, plan: Plan, spool: Path, say: Callable[[str], None] | None = None) -> None:
        check_tracking_uri(plan.tracking_uri)
        import_mlflow()  # not in the thread: two threads that import pandas at once can see it half imported
        self._plan = plan
        self._say = say or say_on_standard_error
        self._varied = _varied_fields(plan)
        self._own_curves = {key: name for info in plan.methods().values() for key, name in info.curves.items()}
        self._origin = origin_tags(plan)  # on every run
        self._running: set[Job] = set()
        self._finished = False
        self._spool = Spool(spool)
        self._start_sweep()
        self._sender = MlflowSender(self._spool, _view(plan), self._say)

    # -- events of the engine ------------------------------------------------------------------------

    def hear(self, event: Event) -> None:
        """Spool what MLflow shows of the event."""
        match event:
            case JobStarted():
                self._start_job(event)
            case JobReported(job, timestamp_ms, step, metrics):
                self._append_metrics("report", self._tag(job), curves(metrics, self._own_curves), step, timestamp_ms)
            case JobEnded():
                self._running.discard(event.job)
                self._end(self._tag(event.job), event.state, event.timestamp_ms, event.reason)

    def _start_job(self, event: JobStarted) -> None:
        job = event.job
        self._running.add(job)
        self._spool.append(
            {
                "kind": "start",
                "run": self._tag(job),
                "name": job.path,
                "time": event.timestamp_ms,
                "params": self._parameters(job, event.config),
                "tags": {
                    **self._origin,
                    **self._group_tags(job.group),
                    KIND_TAG: job.phase,
                    STATE_TAG: "running",
                    "speech_sweep.candidate": job.candidate,
                    "speech_sweep.attempt": event.attempt,
                    **({REUSED_TAG: event.reused_from or ""} if event.reused_from or event.attempt > 1 else {}),
                },
            }
        )

    # -- the answer ----------------------------------------------------------------------------------

    def log_results(
        self,
        result: Result,
        files: Mapping[str, Path],
        test_scores: Mapping[Job, Mapping[str, float]] | None = None,
    ) -> None:
        """The verdict: `result` is the `--json` object, `files` become artifacts of the parent run.

        `test_scores` are the finalists' own means by metric.
        """
        now = _now_ms()
        for job, scores in (test_scores or {}).items():
            named = {f"test_{metric}": value for metric, value in scores.items()}
            self._append_metrics("summary", self._tag(job), named, self._plan.steps_of(job.group), now)
        costs = {(cost["group"], cost["candidate"]): cost_numbers(cost) for cost in result.get("costs", [])}
        for group in result["groups"]:
            for candidate in group["candidates"]:
                own = costs.get((group_name(group["group"]), candidate["label"]), {})
                self._log_candidate(group, candidate, own, now)
        self._append_metrics("summary", self._plan.name, _sweep_metrics(result), self._plan.steps, now)
        verdicts = {f"verdict.{name}": text for name, text in mlflow_page.answer_texts(result).items()}
        # The description comes first on MLflow's page of a run.
        self._append_tags(self._plan.name, {"mlflow.note.content": mlflow_page.note(result)} | verdicts)
        self._send_table(result)
        for name, path in files.items():
            self._send_file(name, path)
        self._end(self._plan.name, "complete", now, None)
        self._finished = True

    def reconcile(self, records: Iterable["JobRecord"]) -> None:
        """Restore everything that the study has and MLflow lacks; steps that MLflow holds are not sent again."""
        for record in records:
            job = record.job
            config = self._plan.config(job.group, job.candidate, record.nuisance)
            self.hear(JobStarted(job, record.started_ms, record.attempt, config, record.reused_from))
            for report in record.reports:
                metrics = {**report.metrics, "score": report.score}
                self.hear(JobReported(job, report.timestamp_ms, report.step, metrics))
            if record.state != "running":
                ended_ms = record.ended_ms or record.started_ms
                self.hear(JobEnded(job, ended_ms, record.state, record.score, record.reason))

    def close(self, timeout: float = _CLOSE_SECONDS) -> None:
        """Deliver the spool, leave no run RUNNING, and report undelivered records."""
        now = _now_ms()
        for job in sorted(self._running):
            self._end(self._tag(job), "interrupted", now, None)
        if not self._finished:
            self._end(self._plan.name, "interrupted", now, None)
        _close(self._sender, self._spool, self._plan, self._say, timeout)

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
                    "corpus": hide_password(plan.corpus_source),
                },
                "tags": {
                    **self._origin,
                    KIND_TAG: "sweep",
                    STATE_TAG: "running",
                    OUTPUT_TAG: plan.output,
                    "speech_sweep.version": plan.version,
                    # Tags: a resumed sweep may have more of them, and a parameter can never change.
                    "speech_sweep.samples": plan.samples,
                    "speech_sweep.seeds": self._seeds(),
                    "mlflow.note.content": f"{plan.space_object().question} Running.",
                },
            }
        )
        self._append_tags(EXPERIMENT, mlflow_page.experiment_tags(plan))

    def _log_candidate(
        self, group: GroupResult, candidate: CandidateResult, costs: Mapping[str, float | None], now: int
    ) -> None:
        name = group_name(group["group"])
        run = f"{self._plan.name}/candidates/{name}/{candidate['label']}"
        config = self._plan.config(name, candidate["label"], candidate["config"])
        self._spool.append(
            {
                "kind": "start",
                "run": run,
                "name": f"{name} {candidate['label']}",
                "time": now,
                "params": {
                    **group["group"],
                    "candidate": candidate["label"],
                    **self._method_of(name, candidate["label"]),
                    **self._varied_of(candidate["config"]),
                    **self._paper_terms(name, candidate["label"], config),
                },
                "tags": {
                    **self._origin,
                    **self._group_tags(name),
                    KIND_TAG: "candidate",
                    "speech_sweep.candidate": candidate["label"],
                    "speech_sweep.seeds": self._seeds(),
                    "speech_sweep.leader": str(candidate["label"] == group["leader"]["label"]).lower(),
                    "verdict": candidate_verdict(group, candidate["label"]),  # short: a column's title
                },
            }
        )
        self._append_metrics("summary", run, _candidate_metrics(candidate, costs), self._plan.steps_of(name), now)
        self._end(run, "complete", now, None)

    def _append_metrics(self, kind: str, run: str, metrics: dict[str, float], step: int, time_ms: int) -> None:
        if metrics:
            self._spool.append({"kind": kind, "run": run, "step": step, "time": time_ms, "metrics": metrics})

    def _append_tags(self, run: str, tags: dict[str, str]) -> None:
        self._spool.append({"kind": "tags", "run": run, "time": _now_ms(), "tags": tags})

    def _end(self, run: str, state: str, time_ms: int, reason: str | None) -> None:
        tags = {STATE_TAG: state} | ({"speech_sweep.reason": reason[:4000]} if reason else {})
        self._spool.append({"kind": "end", "run": run, "status": _STATUS[state], "time": time_ms, "tags": tags})

    def _send_table(self, result: Result) -> None:
        """The leaderboard as a table that can be sorted in MLflow's page."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "leaderboard.json"
            path.write_text(json.dumps(mlflow_page.table(result)), encoding="utf-8")
            self._send_file(path.name, path)
        self._append_tags(self._plan.name, mlflow_page.table_tags("leaderboard.json"))

    def _send_file(self, name: str, path: Path) -> None:
        kept = self._spool.keep_file(path, name)
        folder = str(Path(name).parent)
        record = {"kind": "file", "run": self._plan.name, "time": _now_ms(), "path": kept}
        self._spool.append({**record, "folder": "" if folder == "." else folder})

    # -- names ---------------------------------------------------------------------------------------

    def _tag(self, job: Job) -> str:
        return f"{self._plan.name}/{job.path}"

    def _group_tags(self, group: str) -> dict[str, str]:
        return {f"speech_sweep.{key}": value for key, value in self._plan.group_plan(group).group.items()}

    def _parameters(self, job: Job, config: dict[str, Any]) -> dict[str, Any]:
        """Few columns: the job's identity and the fields that this space varies."""
        identity = {"candidate": job.candidate, "phase": job.phase, "seed": self._plan.job_seed(job)}
        identity |= self._method_of(job.group, job.candidate)
        return identity | self._varied_of(config) | self._paper_terms(job.group, job.candidate, config)

    def _method_of(self, group: str, candidate: str) -> dict[str, str]:
        """A column where candidates differ in it."""
        return {"method": self._plan.method_of(self._plan.candidate(group, candidate))} if self._plan.mixed else {}

    def _paper_terms(self, group: str, candidate: str, config: dict[str, Any]) -> dict[str, float]:
        """Columns of their own: a field may have a term's name, and be null."""
        kind = config_class(self._plan.method_of(self._plan.candidate(group, candidate)))
        parsed = kind.from_dict(config)
        return {f"paper_{name}": value for name, value in parsed.paper_terms(self._plan.steps_of(group)).items()}

    def _varied_of(self, config: dict[str, Any]) -> dict[str, Any]:
        return {key: config[key] for key in self._varied if key in config}

    def _seeds(self) -> str:
        return ", ".join(map(str, self._plan.seeds))


def deliver_left_over(plan: Plan, spool: Path, say: Callable[[str], None] | None = None) -> None:
    """Deliver the records that were left in the spool when a finished sweep ended."""
    import_mlflow()
    say = say or say_on_standard_error
    left = Spool(spool)
    _close(MlflowSender(left, _view(plan), say), left, plan, say, _CLOSE_SECONDS)


def _view(plan: Plan) -> MlflowView:
    experiment = mlflow_page.experiment_name(plan.space)
    # With the sweep's other files, unless a server has its own artifact store.
    artifacts = None if is_server(plan.tracking_uri) else artifacts_uri(_artifacts_place(plan))
    return MlflowView(
        plan.tracking_uri, experiment, plan.name, artifacts, identity=plan.identity, corpus=plan.corpus_fingerprint
    )


def _artifacts_place(plan: Plan) -> str:
    """The sweep's own; next to the sweeps where the database may be shared: an experiment has one place for all."""
    file = sqlite_path(plan.tracking_uri)
    is_own = file is not None and file.is_relative_to(plan.home)
    return plan.output if is_own else plan.output.rpartition("/")[0]


def _close(sender: MlflowSender, spool: Spool, plan: Plan, say: Callable[[str], None], timeout: float) -> None:
    why = sender.close(timeout)
    if why:
        say(
            f"{len(spool)} MLflow records could not be delivered ({why}); they are kept in {spool.folder} and "
            f"delivered by `{command_line('run --resume', plan.output)}`"
        )
    spool.close()


def _varied_fields(plan: Plan) -> tuple[str, ...]:
    """The configuration fields that differ between jobs of this plan."""
    space = plan.space_object()
    varied: dict[str, None] = {}
    for group in plan.groups:
        preset = plan.preset_object(group.name)
        for candidate in group.candidates:
            anchor = space.anchor(group.group, candidate, preset)
            varied.update(dict.fromkeys((*group.group, *candidate.config, *anchor)))
    return tuple(varied)


def curves(metrics: Mapping[str, float], own: Mapping[str, str]) -> dict[str, float]:
    """The metrics of a report that become curves in MLflow: those of every method, and its `own`
    (`MethodInfo.curves`); of a pattern that several match, the largest."""
    found: dict[str, float] = {}
    for pattern, name in (_CURVES | dict(own)).items():
        for key in [pattern] if pattern in metrics else fnmatch.filter(metrics, pattern):
            curve = key if name == pattern else name
            found[curve] = max(float(metrics[key]), found.get(curve, -math.inf))
    return found


def _candidate_metrics(candidate: CandidateResult, costs: Mapping[str, float | None]) -> dict[str, float]:
    """The verdict's numbers and the costs; unknown ones are left out."""
    names = ("score", "gain", "p_best", "n_seeds", "n_utterances", "failures")
    metrics: dict[str, Any] = {**costs, **{name: candidate.get(name) for name in names}}
    metrics["score_low"], metrics["score_high"] = candidate["interval"] or (None, None)
    metrics["gain_low"], metrics["gain_high"] = candidate["gain_interval"] or (None, None)
    return {key: float(value) for key, value in metrics.items() if value is not None}


def _sweep_metrics(result: Result) -> dict[str, float]:
    metrics = {f"trials_{state}": float(count) for state, count in result["trials"].items()}
    for group in result["groups"]:
        if group["score"] is not None:
            metrics[f"leader_score/{group_name(group['group'])}"] = group["score"]
    return metrics


def _now_ms() -> int:
    return int(time.time() * 1000)
