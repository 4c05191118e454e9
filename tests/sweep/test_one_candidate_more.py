"""A sweep after another on one machine, or in one bucket: what both need is trained once, and no bit differs.

Real Ray, MLflow, pre-training and scores. Each test compares with a sweep that trained everything itself.
"""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.support import REPOSITORY
from tests.support.methods.tiny_corpus import make_tiny_corpus
from trainables.base.storage.storage import Storage

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

# The demo's question about some of its candidates; with three trials each, proposals matter, not anchors alone.
_SPACE = """
from dataclasses import replace
from search_spaces.norm_layers import NORM_LAYERS

LABELS = {labels}
SPACE = replace(
    NORM_LAYERS,
    name="some_layers",
    candidates=lambda group, preset: [c for c in NORM_LAYERS.candidates(group, preset) if c.label in LABELS],
)
"""
_FEWER, _ALL = ("none", "random", "layer1", "layer3"), ("none", "random", "layer1", "layer2", "layer3")
_BUDGET = ("--preset", "smoke", "--upstreams", "tera", "--samples", "3")
_JOBS_EACH = 3 + 2  # search trials and finalists of a candidate
_KEPT = "kept-jobs"


@dataclass(frozen=True)
class Done:
    status: int
    out: str
    err: str
    seconds: float

    @property
    def result(self) -> dict[str, Any]:
        assert self.status == 0, self.err
        return dict(json.loads(self.out.splitlines()[-1]))


@dataclass(frozen=True)
class Machine:
    """A folder to run in, with a cache of its own; sweeps go to `output`."""

    folder: Path
    corpus: str
    output: str
    environment: dict[str, str] = field(default_factory=dict)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        own = {"SPEECH_SWEEP_CACHE": str(self.folder / "cache"), "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(
            [sys.executable, str(REPOSITORY / "sweep" / "run.py"), *arguments, "--output", self.output, "--json"],
            cwd=self.folder,
            env={**os.environ, **own, **self.environment},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def run(self, *arguments: str) -> Done:
        began = time.monotonic()
        process = self.start(*arguments)
        out, err = process.communicate()
        return Done(process.returncode, out, err, time.monotonic() - began)

    def sweep(self, name: str, labels: tuple[str, ...], *more: str) -> Done:
        return self.run(*self.question(name, labels), *more)

    def question(self, name: str, labels: tuple[str, ...]) -> list[str]:
        file = self.folder / f"space{len(labels)}.py"
        file.write_text(_SPACE.format(labels=labels))
        return ["--space", str(file), *_BUDGET, "--corpus", self.corpus, "--name", name]

    def ended_jobs(self, name: str) -> int:
        """Of a running sweep, by its study."""
        home = Path(self.output) if not self.environment else self.folder / "sweeps"
        file = home / name / "study.db"
        if not file.exists():
            return 0
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
            try:
                return int(database.execute("SELECT COUNT(*) FROM trials WHERE state = 'COMPLETE'").fetchone()[0])
            except sqlite3.OperationalError:  # the tables are being made
                return 0


def trained(result: dict[str, Any]) -> int:
    return sum(result["trials"].values()) - int(result["reused"])


def wait_until(condition: Callable[[], bool], sweep: subprocess.Popen[str], seconds: float = 600) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert sweep.poll() is None, sweep.communicate()
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> str:
    return make_tiny_corpus(tmp_path_factory.mktemp("material")).uri


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory, corpus: str) -> Machine:
    """On which the sweep of fewer candidates has run."""
    folder = tmp_path_factory.mktemp("machine")
    made = Machine(folder, corpus, str(folder / "sweeps"))
    first = made.sweep("first", _FEWER).result
    assert trained(first) == len(_FEWER) * _JOBS_EACH
    return made


@pytest.fixture(scope="module")
def everything(machine: Machine) -> Done:
    """All candidates, every job trained: on the same machine, whose stages are the same bits."""
    done = machine.sweep("everything", _ALL, "--no-reuse")
    assert trained(done.result) == len(_ALL) * _JOBS_EACH
    return done


def test_one_candidate_more_trains_its_own_jobs_and_no_others(machine: Machine, everything: Done) -> None:
    # --no-reuse has kept the new candidate's jobs, too: they are taken out again.
    _forget(machine, "everything", "layer2")
    more = machine.sweep("more", _ALL).result
    assert more["groups"] == everything.result["groups"]
    assert more["trials"] == everything.result["trials"]
    assert trained(more) == _JOBS_EACH
    assert more["earlier_reads"]["tera"]["sweeps"] == 2
    assert more["earlier_reads"]["tera"]["added"] == ["layer2"]


def test_killed_in_the_middle_it_ends_in_the_same_groups_to_the_bit(machine: Machine, everything: Done) -> None:
    _forget(machine, "everything", "layer2")
    process = machine.start(*machine.question("killed", _ALL))
    reused = len(_FEWER) * 3
    wait_until(lambda: machine.ended_jobs("killed") > reused, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert machine.ended_jobs("killed") < len(_ALL) * _JOBS_EACH
    again = machine.run("--resume", "killed").result
    assert again["groups"] == everything.result["groups"]
    assert again["trials"] == everything.result["trials"]
    assert again["reused"] >= len(_FEWER) * _JOBS_EACH


def test_the_same_sweep_again_starts_no_ray_and_takes_seconds(machine: Machine, everything: Done) -> None:
    again = machine.sweep("again", _ALL)
    assert again.result["groups"] == everything.result["groups"]
    assert trained(again.result) == 0
    assert again.seconds < everything.seconds
    assert again.seconds <= 40  # 20 on two idle cores; the machine that tests may be busy


@pytest.mark.parametrize("name", ["reports", "weights", "rows-*"])
def test_what_is_damaged_is_computed_again(machine: Machine, everything: Done, name: str) -> None:
    files = sorted((machine.folder / "cache" / _KEPT).glob(f"*/{name}"))
    for file in files[::3]:
        content = bytearray(file.read_bytes())
        content[-1] ^= 1
        file.write_bytes(content)
    healed = machine.sweep(f"healed-{name.strip('-*')}", _ALL).result
    assert healed["groups"] == everything.result["groups"]
    assert (trained(healed) > 0) == (name != "rows-*")


def test_stopped_by_sigterm_after_ray_had_to_start_on_the_way_it_ends_cleanly_and_resumes(
    machine: Machine, everything: Done
) -> None:
    for file in sorted((machine.folder / "cache" / _KEPT).glob("*/weights")):
        file.unlink()
    process = machine.start(*machine.question("stopped", _ALL))
    searched = len(_ALL) * 3
    wait_until(lambda: machine.ended_jobs("stopped") > searched, process)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate()
    assert process.returncode == 130, err
    assert "stopped (SIGTERM)" in err
    again = machine.run("--resume", "stopped").result
    assert again["groups"] == everything.result["groups"]
    assert again["trials"] == everything.result["trials"]


def _forget(machine: Machine, sweep: str, candidate: str) -> None:
    """Take a candidate's jobs out of what is kept."""
    for file in (machine.folder / "cache" / _KEPT).glob("*/reports"):
        kept = json.loads(file.read_bytes().split(b"\n", 1)[1])
        if f"/{candidate}/" in kept["job"]:
            for each in file.parent.iterdir():
                each.unlink()


# -- in a bucket -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory, corpus: str) -> Iterator[Machine]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    address = f"http://127.0.0.1:{server.get_host_and_port()[1]}"
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
    boto3.client(
        "s3",
        endpoint_url=address,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        region_name="us-east-1",
    ).create_bucket(Bucket="lab")
    yield Machine(tmp_path_factory.mktemp("bucket"), corpus, "s3://lab/sweeps", {"AWS_ENDPOINT_URL": address, **keys})
    server.stop()


def test_through_a_bucket_killed_in_the_middle_and_from_another_machine(
    bucket: Machine, everything: Done, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in bucket.environment.items():
        monkeypatch.setenv(name, value)
    first = bucket.sweep("first", _FEWER).result
    assert trained(first) == len(_FEWER) * _JOBS_EACH
    assert Storage(bucket.output).list(_KEPT)
    process = bucket.start(*bucket.question("killed", _ALL))
    wait_until(lambda: bucket.ended_jobs("killed") > len(_FEWER) * 3, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    killed = bucket.run("--resume", "killed").result
    assert killed["groups"] == everything.result["groups"]
    assert trained(killed) == _JOBS_EACH
    other = Machine(tmp_path, bucket.corpus, bucket.output, bucket.environment)  # an empty cache of its own
    again = other.sweep("again", _ALL).result
    assert again["groups"] == everything.result["groups"]
    assert trained(again) == 0
