"""cluster/slurm.sbatch under a real Slurm: slurmctld here, a slurmd on each of two hosts.

Needs root, Debian's slurmctld, slurmd and munge; run with `make test-cluster`. It takes minutes.
"""

import subprocess
import sys

import pytest

from tests.cluster import slurm
from tests.cluster.conftest import Lab
from tests.cluster.hosts import wait_until
from tests.cluster.trial_watch import TrialWatch

SHOWS = "cluster/slurm.sbatch under a real Slurm"
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(bool(slurm.missing()), reason=f"not shown: {SHOWS} ({slurm.missing()})"),
]

LINE = ("cluster/slurm.sbatch", "--space", "norm_layers", "--preset", "smoke")


def test_a_job_ends_in_a_leaderboard(lab: Lab) -> None:
    checkout = lab.laptop.checkout  # on the disk that all of them share, as Slurm wants it
    (checkout / ".venv").symlink_to(sys.prefix)
    folder = checkout.parent / "slurm"
    with slurm.slurm(folder, lab.workers) as controller, TrialWatch(lab.workers) as watch:
        environment = {**controller, **lab.services.environment}
        sbatch = ["sbatch", "--parsable", "--cpus-per-task=2", *LINE]
        subprocess.run(sbatch, cwd=checkout, env=environment, check=True, capture_output=True)
        wait_until(lambda: slurm.all_over(controller), "the job", 1200)
    (log,) = checkout.glob("speech-sweep-*.log")
    assert "leader" in log.read_text(), log.read_text()[-3000:]
    assert watch.trials_seen == {host.name for host in lab.workers}
