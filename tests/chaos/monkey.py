"""Drives a sweep to its end while killing, at random moments, everything it depends on."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import psutil

from sweep.stored.layout import SPOOL
from tests.chaos.servers import BUCKET, REPOSITORY, Server, Servers
from trainables.base.storage.storage import Storage

TARGETS = ("driver", "worker", "mlflow", "s3", "database")
_LONGEST_OUTAGE = 3.0  # seconds
_STARTS = 200  # of the driver; more means that it never gets anywhere


class Sweep:
    """A simulated sweep on real servers, in a child process that is started again as often as it dies."""

    def __init__(self, folder: Path, servers: Servers, name: str, seconds: float, question: Sequence[str]) -> None:
        self.folder = folder
        self.name = name
        self._servers = servers
        self._seconds = seconds
        self._question = [*question, "--name", name]
        self._driver: subprocess.Popen[bytes] | None = None
        self._starts = 0

    def start(self) -> None:
        """With the question while there is no plan yet, else with --resume."""
        arguments = ["--resume", self.name] if self._is_planned() else self._question
        command = [sys.executable, "-m", "tests.chaos.simulated_drive", str(self.folder), str(self._seconds)]
        with (self.folder / "driver.log").open("ab") as log:
            self._driver = subprocess.Popen(
                [*command, *arguments],
                cwd=REPOSITORY,
                env={**os.environ, **self._servers.environment, "PYTHONPATH": str(REPOSITORY)},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._starts += 1

    def go_on(self) -> bool:
        """See that a driver runs; False once it has reached its answer."""
        if self._driver is None or self._driver.poll() not in (None, 0):
            assert self._starts < _STARTS, self.log()
            self.start()
        assert self._driver is not None
        return self._driver.poll() is None

    def deliver(self) -> None:
        """Deliver to MLflow, once it is up, the records left when the sweep ended."""
        self._servers.mlflow.wait()
        if (self.folder / "sweeps" / self.name / SPOOL).exists():
            self.start()
            assert self._driver is not None
            assert self._driver.wait() == 0, self.log()

    def kill_driver(self) -> bool:
        assert self._driver is not None
        if self._driver.poll() is not None:
            return False
        self._driver.send_signal(signal.SIGKILL)
        self._driver.wait()
        return True

    def kill_worker(self, rng: random.Random) -> bool:
        """Any process that has set up a job and lives."""
        alive = [path for path in sorted(self.folder.glob("workers/*")) if _is_worker(path)]
        if not alive:
            return False
        os.kill(int(rng.choice(alive).name), signal.SIGKILL)
        return True

    def rounds(self) -> int:
        """Trained so far, by whatever attempt."""
        journals = self.folder.glob("*.journal")
        return sum(journal.read_text().count("trained") for journal in journals)

    def log(self) -> str:
        return (self.folder / "driver.log").read_text()[-5000:]

    def _is_planned(self) -> bool:
        return Storage(f"s3://{BUCKET}/{self.name}").exists("plan.json")


def _is_worker(path: Path) -> bool:
    """Whether the process that left this file lives; its number may be another's by now."""
    try:
        process = psutil.Process(int(path.name))
        ours = process.create_time() <= path.stat().st_mtime and process.cmdline()[0].startswith("ray::")
        return ours and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, IndexError):
        return False


class Monkey:
    """Kills each of `targets` once, at moments spread over the rounds the sweep will train."""

    def __init__(self, sweep: Sweep, servers: Servers, seed: int) -> None:
        self._sweep = sweep
        self._servers: dict[str, Server] = {
            "mlflow": servers.mlflow,
            "s3": servers.s3,
            "database": servers.database,
        }
        self._random = random.Random(seed)
        self.kills: Counter[str] = Counter()

    def rage(self, targets: Sequence[str], rounds: int) -> None:
        """Every fourth kill follows the one before at once, into the recovery; then see the sweep to its end."""
        # Each kill takes seconds, in which the sweep goes on: the last rounds are left for those that come late.
        moments = sorted(self._random.uniform(0, 0.6 * rounds) for _ in targets)
        for target, moment in zip(targets, moments, strict=True):
            if self._random.random() > 0.25:
                self._wait_for(moment)
            time.sleep(self._random.uniform(0, 0.5))
            while not self._strike(target):
                assert self._sweep.go_on(), f"the sweep ended after {self.kills}\n{self._sweep.log()}"
                time.sleep(0.05)
        while self._sweep.go_on():
            time.sleep(0.1)
        self._sweep.deliver()

    def _wait_for(self, rounds: float) -> None:
        while self._sweep.rounds() < rounds:
            assert self._sweep.go_on(), f"the sweep ended after {self.kills}\n{self._sweep.log()}"
            time.sleep(0.05)

    def _strike(self, target: str) -> bool:
        """Whether there was something to kill."""
        if target == "driver":
            struck = self._sweep.kill_driver()
        elif target == "worker":
            struck = self._sweep.kill_worker(self._random)
        else:
            self._outage(self._servers[target])
            struck = True
        self.kills[target] += struck
        return struck

    def _outage(self, server: Server) -> None:
        server.kill()
        time.sleep(self._random.uniform(0.1, _LONGEST_OUTAGE))
        server.begin()
