"""A sweep as pandas data frames, one line each, for notebooks:

    from sweep.frames import leaderboard, trials, utterance_scores

    leaderboard("NAME")        a row per group and candidate, best first, unrounded
    trials("NAME")             a row per job: its values, its scores, its state
    utterance_scores("NAME")   a row per finalist, utterance and metric

`output` is run.py's (default SPEECH_SWEEP_OUTPUT, else ./sweeps). All raise `UserError` where data are missing.
"""

import pandas as pd

from sweep.stored.reading import open_study, read_result, read_rows, stored_sweep
from sweep.study.study import JobRecord
from sweep.verdict.result import records
from trainables.metrics.catalogue import known_metrics


def leaderboard(name: str, metric: str | None = None, output: str | None = None) -> pd.DataFrame:
    """The finalists with score, interval (low, high), gain over the baseline and verdict.

    In another `metric` the leader stays the one named by the deciding metric.
    """
    known_metrics([metric] if metric else None)
    return pd.DataFrame(records(read_result(*stored_sweep(name, output), metric)))


def trials(name: str, output: str | None = None) -> pd.DataFrame:
    """Every job that was started; searched values are columns, missing where a job lacks them.

    `score` is on valid: the final one of a complete job, else that of its last report.
    """
    plan, _ = stored_sweep(name, output)
    with open_study(plan) as study:
        return pd.DataFrame([_trial(record) for record in study.all_records(plan)])


def utterance_scores(name: str, split: str = "test", output: str | None = None) -> pd.DataFrame:
    """The rows that the verdict reads; the noisy input is candidate "noisy". `split` is "test" or "valid"."""
    return read_rows(*stored_sweep(name, output), split)


def _trial(record: JobRecord) -> dict[str, object]:
    last = record.reports[-1].score if record.reports else None
    return {
        "job": record.job.path,
        "group": record.job.group,
        "phase": record.job.phase,
        "candidate": record.job.candidate,
        "number": record.job.number,
        "state": record.state,
        "score": last if record.score is None else record.score,
        "step": record.step,
        "attempts": record.attempt,
        "reason": record.reason,
        "started": pd.Timestamp(record.started_ms, unit="ms", tz="UTC"),
        "ended": pd.Timestamp(record.ended_ms, unit="ms", tz="UTC") if record.ended_ms else pd.NaT,
        **record.nuisance,
    }
