"""The README's `ray submit` line, as it stands, against three hosts over SSH.

Needs root, sshd and network namespaces; run with `make test-cluster`. It takes minutes.
"""

import pytest

from tests.cluster.conftest import Lab
from tests.cluster.sweep_seen import require_nothing_lost_and_nothing_twice, wait_until_finished
from tests.cluster.trial_watch import watching_trials

SHOWS = "ray submit, as typed, on hosts over SSH"
pytestmark = [pytest.mark.cluster, pytest.mark.timeout(7200)]

LINE = ("submit", "cluster.yaml", "sweep/run.py", "--space", "norm_layers", "--preset", "smoke")


def test_the_literal_line_ends_in_a_leaderboard(cluster: Lab) -> None:
    with watching_trials([cluster.head, *cluster.workers]) as seen:
        done = cluster.laptop.ray(*LINE)
    assert done.returncode == 0, done.stdout[-3000:]
    assert all(word in done.stdout for word in ("leader", "tera", "wav2vec2", "results    s3://lab/sweeps/"))
    assert seen == {host.name for host in cluster.workers}  # both workers, never the head


def test_what_no_machine_can_hold_is_refused(cluster: Lab) -> None:
    done = cluster.laptop.ray(*LINE, "--gpus-per-trial", "0.5")
    assert "error: no machine of this cluster can run a trial, which takes 1 CPU, 0.5 GPU" in done.stdout


def test_a_folder_of_the_head_is_refused(cluster: Lab) -> None:
    done = cluster.laptop.ray(*LINE, "--output", "here")
    assert "cannot take part: it does not see what the driver writes to /root/here" in done.stdout
    assert "give --output s3://bucket/prefix" in done.stdout


def test_two_sweeps_at_once_do_not_mind_each_other(cluster: Lab) -> None:
    names = ("left", "right")
    for name in names:
        assert cluster.laptop.ray(LINE[0], "--tmux", *LINE[1:], "--name", name).returncode == 0
    for name in names:
        wait_until_finished(cluster, name)
        board = cluster.laptop.ray("submit", "cluster.yaml", "sweep/leaderboard.py", name)
        assert "leader" in board.stdout
        require_nothing_lost_and_nothing_twice(cluster, name, jobs=30)
