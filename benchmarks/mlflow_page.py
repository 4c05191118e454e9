"""How MLflow's page copes with a sweep of 1,000 runs: seconds to deliver them, to open the table, and to sort it.

python -m benchmarks.mlflow_page

A real server on SQLite, our own tracker, and headless Chromium (apt-get install chromium chromium-driver).
"""

import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.browser import column, sort_by, start_browser, wait_for
from benchmarks.example_sweep import example_plan, example_result, example_rows
from benchmarks.mlflow_server import MlflowServer
from sweep.core.jobs import Job
from sweep.core.listener import JobEnded, JobReported, JobStarted
from sweep.plan.plan import Plan
from sweep.tracking import mlflow_page
from sweep.tracking.mlflow_view import open_client
from sweep.tracking.tracker import Tracker
from trainables.base.randomness import derive_seed

SAMPLES = "96"  # per candidate: 960 search jobs, 30 finalists, 10 candidates and their parent
SCORE = "metrics.`score`"


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = MlflowServer(folder)
        server.start()
        try:
            plan = example_plan(folder, "--samples", SAMPLES, "--tracking-uri", server.uri)
            print(f"delivered {_deliver(plan, folder):.1f} s")
            _look(plan, folder)
        finally:
            server.kill()


def _deliver(plan: Plan, folder: Path) -> float:
    start = time.perf_counter()
    tracker = Tracker(plan, folder / "spool")
    for job in plan.all_jobs():
        _run(tracker, plan, job)
    tracker.log_results(example_result(plan, example_rows(plan, [plan.metric], n_utterances=20)), {})
    tracker.close(timeout=120)
    return time.perf_counter() - start


def _run(tracker: Tracker, plan: Plan, job: Job) -> None:
    """The job's events: started, four rounds, complete."""
    score, begin = derive_seed(job.path) / 2**63, round(1000 * time.time())
    tracker.hear(JobStarted(job, begin, 1, plan.config(job.group, job.candidate, {"lr_head": 1e-3, "k0": 0.8})))
    for step in range(plan.steps // 4, plan.steps + 1, plan.steps // 4):
        metrics = {"score": score, "score_current": score - 0.1, "loss_total": 2 - score, "site1/k": 0.5}
        tracker.hear(JobReported(job, begin + step, step, metrics))
    tracker.hear(JobEnded(job, begin + plan.steps + 1, "complete", score))


def _look(plan: Plan, folder: Path) -> None:
    page = _page_of_all_runs(plan)
    chromium, driver = (shutil.which(program) or program for program in ("chromium", "chromedriver"))
    browser = start_browser(chromium, driver, folder / "profile")
    try:
        start = time.perf_counter()
        browser.get(page)
        wait_for(browser, lambda _: len(column(browser, SCORE)) > 5)
        print(f"opened    {time.perf_counter() - start:.1f} s, best {column(browser, SCORE)[0]}")
        start, best = time.perf_counter(), column(browser, SCORE)[0]
        sort_by(browser, SCORE, "score")
        wait_for(browser, lambda _: column(browser, SCORE)[:1] not in ([], [best]))
        print(f"sorted    {time.perf_counter() - start:.1f} s, worst {column(browser, SCORE)[0]}")
    finally:
        browser.quit()


def _page_of_all_runs(plan: Plan) -> str:
    """The leaderboard's view without its filter for candidates."""
    client = open_client(plan.tracking_uri)
    experiment = client.get_experiment_by_name(mlflow_page.experiment_name(plan.space)).experiment_id
    (view,) = (
        json.loads(text)
        for tag, text in mlflow_page.experiment_tags(plan).items()
        if tag.startswith("mlflow.sharedViewState.")
    )
    everything: dict[str, Any] = view | {"searchFilter": f"tags.`speech_sweep.sweep` = '{plan.name}'"}
    client.set_experiment_tag(experiment, "mlflow.sharedViewState.all", json.dumps(everything))
    return mlflow_page.page_url(plan.tracking_uri, experiment, "all")


if __name__ == "__main__":
    main()
