"""A sweep outlives the laptop that submitted it and each of the machines that train for it.

Needs root, sshd and network namespaces; run with `make test-cluster`. It takes minutes.
"""

import pytest

from tests.cluster.conftest import Lab
from tests.cluster.hosts import Host, wait_until
from tests.cluster.sweep_seen import require_nothing_lost_and_nothing_twice, wait_until_finished
from tests.cluster.trial_watch import TRIAL

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(2400)]

BUDGET = ("--samples", "3", "--steps", "40", "--seeds", "3")


def test_killed_cut_off_and_joined_anew(lab: Lab) -> None:
    first, second = lab.workers
    line = ("sweep/run.py", "--space", "norm_layers", "--preset", "smoke", "--name", "storm", *BUDGET)
    # It comes back at once: whatever happens now happens without a connection to the laptop.
    assert lab.laptop.ray("submit", "--tmux", "cluster.yaml", *line).returncode == 0
    _wait_for_trials_on(first)
    _wait_for_trials_on(second)

    first.die()
    first.start()  # another machine in its place: nothing runs there
    _wait_for_trials_on(first)

    second.cut_off()
    wait_until_finished(lab, "storm")
    board = lab.laptop.ray("submit", "cluster.yaml", "sweep/leaderboard.py", "storm")
    assert "leader" in board.stdout
    require_nothing_lost_and_nothing_twice(lab, "storm", jobs=2 * 5 * (3 + 3))


def _wait_for_trials_on(host: Host) -> None:
    wait_until(lambda: host.runs(TRIAL), f"trials on {host.name}", 600)
