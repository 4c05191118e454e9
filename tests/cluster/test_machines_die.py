"""A sweep survives the death of the laptop that submitted it and of any worker.

Needs root, sshd and network namespaces; run with `make test-cluster`. It takes minutes.
"""

import pytest

from tests.cluster.conftest import Lab
from tests.cluster.hosts import Host, wait_until
from tests.cluster.sweep_seen import (
    jobs_done,
    require_nothing_lost_and_nothing_twice,
    wait_until_finished,
    work_of,
)
from tests.cluster.trial_watch import TRIAL

SHOWS = "a sweep whose laptop and workers die"
pytestmark = [pytest.mark.cluster, pytest.mark.timeout(7200)]

SWEEP = "storm"
STEPS = 40
BUDGET = ("--samples", "2", "--steps", str(STEPS), "--seeds", "2")
JOBS = 2 * 5 * (2 + 2)  # two upstreams of five candidates, two search trials and two seeds of each


def test_killed_cut_off_and_joined_anew(cluster: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = cluster.workers
    line = ("sweep/run.py", "--space", "norm_layers", "--preset", "smoke", "--name", SWEEP, *BUDGET)
    assert cluster.laptop.ray("submit", "--tmux", "cluster.yaml", *line).returncode == 0
    cluster.laptop.die()  # the checks below run on another laptop with the same key
    _wait_for_trials_on(first)
    _wait_for_trials_on(second)

    first.die()
    _wait_for_jobs(cluster, 3)  # on the second worker alone
    second.cut_off()  # no worker is left
    first.start()  # a new machine at the first one's address, with nothing running
    _wait_for_trials_on(first)

    wait_until_finished(cluster, SWEEP)
    board = cluster.laptop.ray("submit", "cluster.yaml", "sweep/leaderboard.py", SWEEP)
    assert "leader" in board.stdout
    require_nothing_lost_and_nothing_twice(cluster, SWEEP, JOBS)
    work = work_of(cluster, SWEEP)
    with capsys.disabled():
        print(f"\n{work.handed_out_again} jobs were handed out again; {work}")
    assert work.unbroken == JOBS * STEPS
    assert work.handed_out_again > 0  # the failures did hit running jobs
    assert work.trained_at_most <= 1.5 * work.unbroken


def _wait_for_trials_on(host: Host) -> None:
    wait_until(lambda: host.runs(TRIAL), f"trials on {host.name}", 2400)


def _wait_for_jobs(cluster: Lab, more: int) -> None:
    enough = jobs_done(cluster, SWEEP) + more
    wait_until(lambda: jobs_done(cluster, SWEEP) >= enough, f"{more} more jobs", 2400, every=2)
