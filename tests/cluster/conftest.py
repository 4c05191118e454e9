"""A lab: hosts reached over SSH, services, and a laptop that starts a cluster on the hosts.

Each test module gets its own lab, so that machines may die in one module without affecting another. Without root,
sshd or network namespaces the modules are skipped, and each names what was not shown.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import ray

from tests.cluster.hosts import Host, hosts, missing, network, wait_until
from tests.cluster.lab_services import Services, lab_services
from tests.cluster.laptop import Laptop
from tests.support.spinners import spinners

__all__ = ["cluster", "lab", "spinners"]  # SPINNERS=1 runs the suite on a busy machine

RAYLET = f"{Path(ray.__file__).parent}/core/src/ray/raylet/raylet"


@dataclass(frozen=True)
class Lab:
    laptop: Laptop
    head: Host
    workers: list[Host]
    services: Services


@pytest.fixture(scope="module")
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """Hosts and services, and on the laptop a checkout configured for them; no Ray yet.

    A module may set `WORKERS = 3`, and must set `SHOWS = "..."`: what its tests show.
    """
    if lacking := missing():
        pytest.skip(f"not shown: {request.module.SHOWS} ({lacking})")
    count = 1 + getattr(request.module, "WORKERS", 2)
    with tempfile.TemporaryDirectory(prefix="sweep-lab-", dir="/var/tmp", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL's user must reach its files
        laptop = Laptop(folder / "laptop")
        with (
            network(),
            lab_services(folder) as services,
            hosts(count, folder, laptop.public_key) as (head, *workers),
        ):
            laptop.describe_cluster(head, workers, services.as_file())
            yield Lab(laptop, head, workers, services)


@pytest.fixture(scope="module")
def cluster(lab: Lab) -> Iterator[Lab]:
    """The lab after `ray up`; after the last test, `ray down` must leave no Ray anywhere."""
    up = lab.laptop.ray("up", "-y", "--no-config-cache", "cluster.yaml")
    assert up.returncode == 0, up.stdout[-3000:]
    for host in lab.workers:  # `ray up` returns when the head is up
        wait_until(partial(host.runs, RAYLET), f"Ray on {host.name}", 1800)
    yield lab
    down = lab.laptop.ray("down", "-y", "cluster.yaml")
    assert down.returncode == 0, down.stdout[-3000:]
    for host in (lab.head, *lab.workers):  # workers stop once they miss their head
        wait_until(partial(_runs_no_ray, host), f"the end of Ray on {host.name}", 1800)


def _runs_no_ray(host: Host) -> bool:
    return not host.runs(RAYLET)
