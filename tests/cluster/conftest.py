"""A lab: three hosts over SSH with services beside them, and a cluster brought up on them from a fourth machine."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import ray

from tests.cluster.hosts import Host, hosts, missing, network, wait_until
from tests.cluster.lab_services import Services, lab_services
from tests.cluster.laptop import Laptop

_RAYLET = f"{Path(ray.__file__).parent}/core/src/ray/raylet/raylet"


@dataclass(frozen=True)
class Lab:
    laptop: Laptop
    head: Host
    workers: list[Host]
    services: Services


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    if lacking := missing():
        pytest.skip(f"no hosts over SSH: {lacking}")
    with tempfile.TemporaryDirectory(prefix="sweep-lab-", dir="/var/tmp", ignore_cleanup_errors=True) as name:
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
            down = laptop.ray("down", "-y", "cluster.yaml")
            assert down.returncode == 0, down.stdout[-3000:]
            for host in (head, *workers):  # the workers notice that their head is gone
                wait_until(lambda host=host: not host.runs(_RAYLET), f"the end of Ray on {host.name}", 300)
