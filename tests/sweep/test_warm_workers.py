"""Workers that import the training code before anything is to be trained."""

import subprocess
import sys

import pytest
import ray

from sweep.warm_workers import wait_until_warm, warm_workers


def test_a_private_rays_workers_import_a_method_without_taking_its_cpus(ray_cluster: None) -> None:
    warming = warm_workers("normalized_ssl", threads=1)
    assert len(warming) == 2
    wait_until_warm(warming)
    assert ray.get(warming, timeout=0) == [None, None]


def test_a_clusters_workers_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    assert warm_workers("normalized_ssl", threads=1) == []


def test_nothing_is_waited_for_where_nothing_was_begun() -> None:
    wait_until_warm([])


def test_a_method_is_imported_whole() -> None:
    code = (
        "import sys; from trainables.registry import import_method; import_method('contrastive_se'); "
        "assert {'torch', 'trainables.session', 'trainables.contrastive_se.method'} <= set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
