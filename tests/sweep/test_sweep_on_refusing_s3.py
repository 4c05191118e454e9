"""A whole sweep through real Ray whose S3 refuses every tenth request: all there, all whole, the same answer."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from sweep.plan.plan import Plan
from sweep.storage.checkpoints import StoredCheckpoints
from sweep.storage.stage_store import stage_store
from tests.support import REPOSITORY
from tests.support.methods.tiny_corpus import make_tiny_corpus
from tests.support.servers.refusing_s3 import RefusingApplication, refusing_s3
from trainables.base.storage.storage import Storage

RUN = REPOSITORY / "sweep" / "run.py"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> Iterator[RefusingApplication]:
    with refusing_s3() as (address, application):
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        boto3.client("s3").create_bucket(Bucket="lab")
        yield application


def sweep(folder: Path, corpus: str, output: str) -> dict[str, Any]:
    """What `--json` says at the end."""
    question = [
        "--space",
        "norm_layers",
        "--preset",
        "smoke",
        "--upstreams",
        "tera",
        "--name",
        "night",
        "--json",
    ]
    done = subprocess.run(
        [sys.executable, str(RUN), *question, "--corpus", corpus, "--output", output],
        cwd=folder,
        env={**os.environ, "SPEECH_SWEEP_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def test_every_artifact_is_there_and_whole_and_the_answer_is_that_of_a_local_sweep(
    tmp_path: Path, refusing: RefusingApplication
) -> None:
    corpus = make_tiny_corpus(tmp_path / "material").uri
    answer = sweep(tmp_path, corpus, "s3://lab/sweeps")
    assert sum(refusing.refused.values()) > 50
    assert set(refusing.refused) >= {"GET", "PUT"}

    storage = Storage("s3://lab/sweeps/night")
    plan = Plan.from_json(json.loads(storage.read("plan.json")))
    for stage in [*plan.stages(), *plan.gate_stages()]:
        assert stage_store(plan.output).read(stage.key)  # refuses what differs from its checksum
    for job in plan.final_jobs("tera"):
        found = StoredCheckpoints(storage).newest(job.path)  # passes over what differs from its checksums
        assert found is not None
        assert found[0] == plan.steps
        for name in ("rows-valid.parquet", "rows-test.parquet", "listening.arrow"):
            assert StoredCheckpoints(storage).read_result(job.path, name)
    assert_mlflow_has(plan, {Path(path).name: storage.read(path) for path in storage.list("report")})

    local = sweep(tmp_path, corpus, str(tmp_path / "local"))
    assert answer["groups"] == local["groups"]


def assert_mlflow_has(plan: Plan, report: dict[str, bytes]) -> None:
    """The parent run's artifacts, which lie in the same S3, are the report to the byte."""
    from mlflow import MlflowClient
    from mlflow.artifacts import download_artifacts

    client = MlflowClient(plan.tracking_uri)
    (experiment,) = client.search_experiments(filter_string="name = 'speech-sweep/norm_layers'")
    (parent,) = client.search_runs([experiment.experiment_id], filter_string="tags.`speech_sweep.kind` = 'sweep'")
    assert parent.info.artifact_uri.startswith("s3://lab/")
    kept = {item.path for item in client.list_artifacts(parent.info.run_id)}
    assert kept >= {"leaderboard.md", "index.html", "listen-tera.html", "scores.png"}
    for name in kept & set(report):
        copy = download_artifacts(run_id=parent.info.run_id, artifact_path=name, tracking_uri=plan.tracking_uri)
        assert Path(copy).read_bytes() == report[name]
