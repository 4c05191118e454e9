"""What a person sees of a finished sweep in MLflow's pages, in a real browser on a real server."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from moto.server import ThreadedMotoServer

from benchmarks.browser import PATIENCE, column, sort_by, text_of, wait_for
from benchmarks.mlflow_server import MlflowServer
from sweep.plan.plan import Plan
from sweep.tracking.mlflow_page import sweep_page
from sweep.tracking.mlflow_view import open_client
from sweep.tracking.tracker import Tracker
from sweep.verdict.result import Result
from tests.browser.pages import Player, complaints
from tests.support.sweeps.kept_clips import SECONDS
from tests.support.sweeps.small_sweep import make_plan, make_result, tell_job

pytestmark = pytest.mark.browser

COLUMNS = [
    "tags.`verdict`",
    "metrics.`score`",
    "metrics.`score_low`",
    "metrics.`score_high`",
    "metrics.`gain`",
    "metrics.`n_seeds`",
]


@pytest.fixture(scope="module")
def bucket() -> Iterator[Any]:
    """Where the server puts artifacts: a real S3 server."""
    import boto3

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        environment.setenv("MLFLOW_S3_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            environment.setenv(name, "test")
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        yield boto3.resource("s3").create_bucket(Bucket="mlflow")
    server.stop()


@pytest.fixture(scope="module")
def plan(chromium: str, report: Path, bucket: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plan]:
    """A finished sweep in a running server, put there by the real tracker with the real report."""
    folder = tmp_path_factory.mktemp("server")
    server = MlflowServer(folder, f"s3://{bucket.name}/artifacts")
    server.start()
    plan = make_plan(folder, server.uri)
    tracker = Tracker(plan, folder / "spool")
    for job in plan.all_jobs():
        tell_job(tracker, job)
    tracker.log_results(cast(Result, make_result(plan)), {path.name: path for path in report.iterdir()})
    tracker.close(timeout=PATIENCE)
    yield plan
    server.kill()


def columns_shown(browser: Any) -> list[str]:
    """Our columns as the eye meets them, from left to right."""
    from selenium.webdriver.common.by import By

    heads = browser.find_elements(By.CSS_SELECTOR, ".ag-header-cell[col-id]")
    found = sorted((head.location["x"], head.get_attribute("col-id")) for head in heads)
    return [name for _, name in found if name in COLUMNS]


def parent_page(plan: Plan) -> str:
    client = open_client(plan.tracking_uri)
    experiment = client.get_experiment_by_name("speech-sweep/norm_layers").experiment_id
    (run,) = client.search_runs([experiment], "tags.`speech_sweep.kind` = 'sweep'")
    return f"{plan.tracking_uri}/#/experiments/{experiment}/runs/{run.info.run_id}"


def test_the_printed_link_opens_the_leaderboard_best_first(browser: Any, plan: Plan, screenshots: Path) -> None:
    link = sweep_page(plan)
    browser.get(link)
    text = wait_for(browser, lambda text: "wav2vec2 random" in text and "score_low" in text)
    wait_for(browser, lambda _: columns_shown(browser) == COLUMNS)
    browser.save_screenshot(str(screenshots / "leaderboard.png"))
    scores = [float(score) for score in column(browser, "metrics.`score`")]
    assert len(scores) == 10
    assert scores == sorted(scores, reverse=True)
    assert set(column(browser, "tags.`verdict`")) == {"winner", "leader", "contender", "behind"}
    assert "10 matching runs" in text
    assert complaints(browser) == []


def test_the_table_can_be_sorted_the_other_way(browser: Any, plan: Plan) -> None:
    browser.get(sweep_page(plan))
    wait_for(browser, lambda text: "wav2vec2 random" in text)
    sort_by(browser, "metrics.`score`", "score")
    wait_for(browser, lambda _: column(browser, "metrics.`score`")[:1] == ["0.4"])


def test_the_sweeps_page_shows_its_jobs_and_the_verdicts(browser: Any, plan: Plan, screenshots: Path) -> None:
    browser.get(f"{parent_page(plan)}?workflowType=machine_learning")
    text = wait_for(browser, lambda text: "Child runs" in text and "/seed-" in text and "verdict.tera" in text)
    browser.save_screenshot(str(screenshots / "sweep.png"))
    assert "winner layer2 1.900 (1.700 to 2.100)" in text
    assert "tie layer2" in text
    assert complaints(browser) == []


@pytest.mark.parametrize(
    ("artifact", "expected"),
    [("leaderboard.json", ("View as table", "contender")), ("leaderboard.md", ("evening", "gain over none"))],
)
def test_the_leaderboard_artifacts_are_rendered(
    browser: Any, plan: Plan, screenshots: Path, artifact: str, expected: tuple[str, ...]
) -> None:
    from selenium.webdriver.common.by import By

    browser.get(f"{parent_page(plan)}/artifacts/{artifact}")
    wait_for(browser, lambda text: all(part in text for part in expected))
    browser.save_screenshot(str(screenshots / f"{artifact}.png"))
    assert "| layer2 |" not in text_of(browser)
    assert browser.find_elements(By.CSS_SELECTOR, 'table, [role="table"], [role="treegrid"]')
    assert complaints(browser) == []


def test_the_artifacts_are_in_the_bucket_as_they_were_written(plan: Plan, report: Path, bucket: Any) -> None:
    stored = {Path(item.key).name: item for item in bucket.objects.all()}
    for path in report.iterdir():
        assert stored[path.name].get()["Body"].read() == path.read_bytes()


@pytest.mark.parametrize("name", ["scores.png", "pareto.png"])
def test_the_plots_open(browser: Any, plan: Plan, screenshots: Path, name: str) -> None:
    browser.get(f"{parent_page(plan)}/artifacts/{name}")
    drawn = "return Array.from(document.images).some(i => i.naturalWidth > 400)"
    wait_for(browser, lambda _: browser.execute_script(drawn))
    browser.save_screenshot(str(screenshots / f"mlflow-{name}"))
    assert complaints(browser) == []


def test_the_listening_page_plays_among_the_artifacts(browser: Any, plan: Plan, screenshots: Path) -> None:
    from selenium.webdriver.common.by import By

    browser.get(f"{parent_page(plan)}/artifacts/listen-tera.html")
    wait_for(browser, lambda _: browser.find_elements(By.TAG_NAME, "iframe"))
    browser.switch_to.frame(browser.find_element(By.TAG_NAME, "iframe"))
    player = Player(browser)
    assert player.duration == pytest.approx(SECONDS, abs=0.05)
    player.press_play()
    wait_for(browser, lambda _: player.position > 0)
    browser.switch_to.default_content()
    browser.save_screenshot(str(screenshots / "mlflow-listen.png"))
    assert complaints(browser) == []
