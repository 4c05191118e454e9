"""The line the product is known by, typed as it stands, against three hosts over SSH.

Needs root, sshd and network namespaces; run with `make test-cluster`.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cluster.hosts import Host, hosts, missing, network
from tests.cluster.lab_services import Services, lab_services
from tests.cluster.laptop import Laptop
from tests.cluster.trial_watch import TrialWatch

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(bool(missing()), reason=f"no hosts over SSH: {missing()}"),
]


@dataclass(frozen=True)
class Lab:
    laptop: Laptop
    head: Host
    workers: list[Host]
    services: Services


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """Three machines with services beside them, and a cluster on them that was brought up from a fourth."""
    with tempfile.TemporaryDirectory(prefix="sweep-lab-", dir="/var/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL's own user must get to its files
        laptop = Laptop(folder / "laptop")
        with (
            network(),
            lab_services(folder) as services,
            hosts(3, folder, laptop.public_key) as (head, *workers),
        ):
            laptop.describe_cluster(head, workers, services.as_file())
            up = laptop.ray("up", "-y", "--no-config-cache", "cluster.yaml")
            assert up.returncode == 0, up.stdout[-3000:]
            yield Lab(laptop, head, workers, services)


def test_the_literal_line_ends_in_a_leaderboard(lab: Lab) -> None:
    with TrialWatch([lab.head, *lab.workers]) as watch:
        done = lab.laptop.ray(
            "submit", "cluster.yaml", "sweep/run.py", "--space", "norm_layers", "--preset", "smoke"
        )
    print(done.stdout)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "leader" in done.stdout
    assert "tera" in done.stdout
    assert watch.trials_seen == {host.name for host in lab.workers}  # both of them, and never the head
