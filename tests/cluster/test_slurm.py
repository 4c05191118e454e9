"""cluster/slurm.sbatch under a real Slurm: slurmctld here, a slurmd on each of two hosts.

Needs root, Debian's slurmctld, slurmd and munge; run with `make test-cluster`. It takes minutes.
"""

import sys
from collections.abc import Iterator

import pytest

from tests.cluster import slurm
from tests.cluster.conftest import Lab
from tests.cluster.hosts import wait_until
from tests.cluster.sweep_seen import jobs_done, require_nothing_lost_and_nothing_twice
from tests.cluster.trial_watch import watching_trials

SHOWS = "cluster/slurm.sbatch under a real Slurm"
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(7200),
    pytest.mark.skipif(bool(slurm.missing()), reason=f"not shown: {SHOWS} ({slurm.missing()})"),
]

LINE = ("--cpus-per-task=2", "cluster/slurm.sbatch", "--space", "norm_layers", "--preset", "smoke")
JOBS = 30


@pytest.fixture(scope="module")
def controller(lab: Lab) -> Iterator[slurm.Controller]:
    """Slurm on the workers, with the checkout on a disk they all share, as Slurm requires."""
    checkout = lab.laptop.checkout
    (checkout / ".venv").symlink_to(sys.prefix)
    with slurm.slurm(checkout.parent / "slurm", lab.workers) as environment:
        yield slurm.Controller(checkout, {**environment, **lab.services.environment})


def test_a_job_ends_in_a_leaderboard(lab: Lab, controller: slurm.Controller) -> None:
    with watching_trials(lab.workers) as seen:
        job = controller.submit(*LINE)
        wait_until(controller.idle, "the job", 600, every=1)
    assert "leader" in controller.log(job), controller.log(job)[-3000:]
    assert seen == {host.name for host in lab.workers}


def test_a_preempted_job_goes_on_where_it_was(lab: Lab, controller: slurm.Controller) -> None:
    job = controller.submit(*LINE)
    sweep = f"speech-sweep-{job}"
    wait_until(lambda: jobs_done(lab, sweep) > 3, "the first trials", 300, every=1)
    controller.preempt(job)
    wait_until(controller.idle, "the job", 600, every=1)
    assert "leader" in controller.log(job), controller.log(job)[-3000:]
    require_nothing_lost_and_nothing_twice(lab, sweep, JOBS)
