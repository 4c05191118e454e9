"""How throughput scales with the number of nodes; prints the table of docs/experiments/cluster.md.

Needs root, sshd and network namespaces; run with `make test-cluster`. It takes minutes.
"""

import json
import shutil

import pytest

from tests.cluster.conftest import Lab
from tests.cluster.hosts import ROOT

SHOWS = "trial throughput on 1, 2 and 3 nodes"
WORKERS = 3
pytestmark = [pytest.mark.cluster, pytest.mark.timeout(7200)]


def test_every_node_adds_its_trials(cluster: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    for host in (cluster.head, *cluster.workers):
        shutil.copytree(ROOT / "tests", host.home / "speech-sweep" / "tests")
    rates = {}
    for nodes in (3, 2, 1):
        for surplus in cluster.workers[nodes:]:
            surplus.die()
        rates[nodes] = _measured(cluster, nodes)
        with capsys.disabled():
            print(f"\n{nodes} nodes: {rates[nodes]:.2f} trials a second, {rates[nodes] / nodes:.2f} on each")
    assert rates[3] > rates[2] > rates[1]


def _measured(cluster: Lab, nodes: int) -> float:
    done = cluster.laptop.ray("exec", "cluster.yaml", f"python -m tests.cluster.throughput {nodes}")
    said = [line for line in done.stdout.splitlines() if line.startswith("{")]
    assert said, done.stdout[-3000:]
    return float(json.loads(said[-1])["per_second"])
