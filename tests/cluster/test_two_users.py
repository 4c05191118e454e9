"""Two users on one machine: neither joins nor stops the other's Ray.

Needs root, sshd and network namespaces; run with `make test-cluster`. It takes minutes.
"""

import json
import shlex
import subprocess
from typing import Any

import pytest

from tests.cluster.conftest import RAYLET, Lab
from tests.cluster.hosts import Host

SHOWS = "two users on one machine"
WORKERS = 0
pytestmark = [pytest.mark.cluster, pytest.mark.timeout(3600)]

_NOBODY = 65534  # the second user; the first is root, whose Ray was started by `ray up`
_PORT = 6390  # another port, as docs/cluster.md says
_LOOK = """
import json, os, ray
from sweep.machines.ray_session import ray_session
with ray_session(cpus=1):
    print(json.dumps({
        "nodes": [node["NodeManagerAddress"] for node in ray.nodes()],
        "cores": ray.cluster_resources()["CPU"],
        "folder": ray._private.worker.global_worker.node.get_temp_dir_path(),
        "uid": ray.get(ray.remote(lambda: os.getuid()).remote()),
    }))
"""


@pytest.fixture
def machine(cluster: Lab) -> Host:
    """The head, where root's Ray runs."""
    assert cluster.head.runs(RAYLET)
    return cluster.head


def test_a_sweep_on_one_machine_starts_a_ray_of_its_own(machine: Host) -> None:
    seen = _look(machine)
    assert seen["nodes"] == ["127.0.0.1"]
    assert seen["cores"] == 1  # root's Ray offers none
    assert seen["uid"] == _NOBODY
    assert not seen["folder"].startswith("/tmp/ray-root")


def test_another_port_and_folder_make_another_cluster(machine: Host) -> None:
    options = "--num-cpus=1 --temp-dir=/tmp/ray-nobody --dashboard-host=127.0.0.1 --dashboard-port=8270"
    _as_nobody(machine, f"ray start --head --port={_PORT} {options}")
    unarmed = _tried_as_nobody(machine, _looking(f"RAY_ADDRESS=127.0.0.1:{_PORT}"))
    assert "asks for its token: set RAY_AUTH_MODE=token" in unarmed.stderr
    seen = _look(machine, f"RAY_ADDRESS=127.0.0.1:{_PORT} RAY_AUTH_MODE=token")
    assert len(seen["nodes"]) == 1
    assert (seen["cores"], seen["uid"], seen["folder"]) == (1, _NOBODY, "/tmp/ray-nobody")
    _as_nobody(machine, "ray stop")
    assert machine.runs(RAYLET)  # root's is still there


def _look(machine: Host, setting: str = "") -> dict[str, Any]:
    """The Ray that a sweep of the second user would join."""
    return json.loads(_as_nobody(machine, _looking(setting)).splitlines()[-1])


def _looking(setting: str) -> str:
    return f"{setting} python -c '{_LOOK}'"


def _as_nobody(machine: Host, line: str) -> str:
    done = _tried_as_nobody(machine, line)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return done.stdout


def _tried_as_nobody(machine: Host, line: str) -> subprocess.CompletedProcess[str]:
    """The second user has a separate home and token, and can read root's installed packages."""
    home = "/tmp/nobody"
    environment = f"HOME={home} PATH=/root/.speech-sweep/venv/bin:$PATH PYTHONPATH=/root/speech-sweep"
    user = f"setpriv --reuid={_NOBODY} --regid={_NOBODY} --clear-groups env {environment} RAY_USAGE_STATS_ENABLED=0"
    script = f"install -d -o {_NOBODY} {home} && cd {home} && {user} bash -c {shlex.quote(line)}"
    return subprocess.run(machine.command(script), capture_output=True, text=True, timeout=1200)
