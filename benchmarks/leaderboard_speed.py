"""What the leaderboard and the commands around it cost after a sweep of many trials: seconds and memory of each.

python -m benchmarks.leaderboard_speed --trials 10000

The study is filled with made-up trials (a search of four rounds each), the rows are of two groups, three seeds, 824
utterances (the public test set of VoiceBank-DEMAND) and nine metrics, and the verdict over them is the real one.
"""

import argparse
import io
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy
from optuna.storages import InMemoryStorage
from optuna.storages._rdb import models

from benchmarks.example_sweep import example_plan, example_result, example_rows
from sweep.plan.plan import Plan
from sweep.stored import layout
from sweep.study.study import Proposal, StudyStore
from trainables.base.storage.storage import Storage
from trainables.metrics.catalogue import EVERYDAY

ROOT = Path(__file__).resolve().parents[1]
UTTERANCES = 824
COMMANDS = (
    ("leaderboard.py", "many"),
    ("leaderboard.py", "many", "--format", "json"),
    ("leaderboard.py", "many", "--metric", "wb_pesq"),
    ("leaderboard.py", "many", "--by", "noise_type"),
    ("leaderboard.py", "many", "--compare", "more"),
    ("leaderboard.py", "--help"),
    ("status.py", "many"),
    ("clean.py",),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=10_000, help="search trials, over both groups")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        samples = str(-(-arguments.trials // 10))
        plans = [example_plan(base, "--name", name, "--samples", samples) for name in ("many", "more")]
        for plan in plans:
            write_sweep(plan)
        print(f"{write_study(plans[0])} jobs in the study")
        for command in COMMANDS:
            measure(base, [str(ROOT / "sweep" / command[0]), *command[1:]], " ".join(command))
        measure(
            base,
            ["-c", _question("from sweep.study.outcomes import outcomes; outcomes(plan)")],
            "--watch, one refresh",
        )
        measure(base, ["-c", "from sweep.frames import trials; trials('many')"], "frames.trials")


def _question(code: str) -> str:
    return f"from sweep.stored.reading import stored_sweep; plan, _ = stored_sweep('many'); {code}"


def write_sweep(plan: Plan) -> None:
    """Plan, rows and the verdict."""
    rows = example_rows(plan, EVERYDAY, UTTERANCES)
    content = io.BytesIO()
    rows.to_parquet(content, compression="zstd")
    storage = Storage(plan.output)
    storage.write(layout.PLAN, json.dumps(plan.to_json()).encode())
    storage.write(layout.rows_path("test"), content.getvalue())
    storage.write(layout.RESULT, json.dumps(example_result(plan, rows)).encode())


def write_study(plan: Plan) -> int:
    """End every job of the plan and return their number; Optuna itself writes trial by trial, which takes minutes."""
    memory = InMemoryStorage()
    store, chance = StudyStore(memory, plan.name), random.Random(0)
    jobs = list(plan.all_jobs())
    for job in jobs:
        store.start(job, Proposal({"lr_head": 1e-3, "lr_body_ratio": 0.5, "k0": 0.8}))
        for step in range(plan.round_steps, plan.steps + 1, plan.round_steps):
            metrics = {name: chance.random() for name in ("loss_total", "gradient_norm", "k", "seconds_train")}
            store.report(job, 1, step, chance.random(), metrics)
        store.end(job, 1, "complete", chance.random())
    database = StudyStore(plan.study_uri, plan.name)._database._storage
    for study in memory.get_all_studies():
        _copy(memory.get_all_trials(study._study_id), study.study_name, database)
    return len(jobs)


def _copy(trials: list[optuna.trial.FrozenTrial], name: str, database: Any) -> None:
    study_id = database.create_new_study([optuna.study.StudyDirection.MAXIMIZE], name)
    with sqlalchemy.orm.Session(database.engine) as session:
        taken = session.scalar(sqlalchemy.select(sqlalchemy.func.max(models.TrialModel.trial_id))) or 0
        for trial_id, trial in enumerate(trials, start=taken + 1):
            session.add_all(_as_rows(trial, trial_id, study_id))
        session.commit()


def _as_rows(trial: optuna.trial.FrozenTrial, trial_id: int, study_id: int) -> list[Any]:
    """The rows of a trial in Optuna's tables."""
    finite = models.TrialValueModel.TrialValueType.FINITE
    kept = models.TrialIntermediateValueModel.TrialIntermediateValueType.FINITE
    return [
        models.TrialModel(trial_id=trial_id, study_id=study_id, number=trial.number, state=trial.state),
        models.TrialValueModel(trial_id=trial_id, objective=0, value=trial.value, value_type=finite),
        *(
            models.TrialUserAttributeModel(trial_id=trial_id, key=key, value_json=json.dumps(value))
            for key, value in trial.user_attrs.items()
        ),
        *(
            models.TrialIntermediateValueModel(
                trial_id=trial_id, step=step, intermediate_value=value, intermediate_value_type=kept
            )
            for step, value in trial.intermediate_values.items()
        ),
    ]


def measure(base: Path, arguments: list[str], name: str) -> None:
    """Run it in its own process and print seconds and peak memory."""
    environment = {
        **os.environ,
        "SPEECH_SWEEP_OUTPUT": str(base),
        "SPEECH_SWEEP_CACHE": str(base / "cache"),
        "PYTHONPATH": str(ROOT),
    }
    begin, peak = time.perf_counter(), 0.0
    process = subprocess.Popen([sys.executable, *arguments], env=environment, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        peak = max(peak, _peak(process.pid))
        time.sleep(0.01)
    assert process.returncode == 0, name
    print(f"{name:<44} {time.perf_counter() - begin:5.2f} s  {peak:4.0f} MiB", flush=True)


def _peak(pid: int) -> float:
    """Peak memory of the process in MiB; wait4 would include its parent's."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)


if __name__ == "__main__":
    main()
