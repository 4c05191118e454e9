"""cluster/kuberay.yaml against the schema of KubeRay's own custom resource.

`rayjob_v1_schema.json.gz` is the v1 schema of helm-chart/kuberay-operator/crds/ray.io_rayjobs.yaml at KubeRay v1.6.2,
without its descriptions (Apache-2.0). Kubernetes silently drops unknown fields; here they are errors.
"""

import gzip
import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def job() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "cluster" / "kuberay.yaml").read_text())


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    packed = Path(__file__).with_name("rayjob_v1_schema.json.gz").read_bytes()
    return _strict(json.loads(gzip.decompress(packed)))


def test_every_field_is_one_that_kuberay_knows(job: dict[str, Any], schema: dict[str, Any]) -> None:
    assert job["apiVersion"] == "ray.io/v1"
    assert job["kind"] == "RayJob"
    jsonschema.Draft202012Validator(schema).validate(job)


def test_an_unknown_field_would_be_noticed(job: dict[str, Any], schema: dict[str, Any]) -> None:
    wrong = {**job, "spec": {**job["spec"], "shutdownAfterwards": True}}
    with pytest.raises(jsonschema.ValidationError, match="shutdownAfterwards"):
        jsonschema.Draft202012Validator(schema).validate(wrong)


def test_nothing_trains_on_the_head_and_nothing_is_reachable_from_outside(job: dict[str, Any]) -> None:
    head = job["spec"]["rayClusterSpec"]["headGroupSpec"]
    assert head["rayStartParams"]["num-cpus"] == "0"
    assert head["serviceType"] == "ClusterIP"


def test_ray_and_image_are_of_this_version(job: dict[str, Any]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    cluster = job["spec"]["rayClusterSpec"]
    assert f"ray=={cluster['rayVersion']}" in (ROOT / "constraints.txt").read_text().splitlines()
    pods = [job["spec"]["submitterPodTemplate"], cluster["headGroupSpec"]["template"]]
    pods += [group["template"] for group in cluster["workerGroupSpecs"]]
    images = {container["image"] for pod in pods for container in pod["spec"]["containers"]}
    assert images == {f"REGISTRY/speech-sweep:{project['version']}"}


def _strict(schema: Any) -> Any:
    """The same schema, closed: objects that list properties allow no others."""
    if isinstance(schema, list):
        return [_strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _strict(value) for key, value in schema.items()}
    lists_fields = isinstance(schema.get("properties"), dict) and schema.get("type") == "object"
    if lists_fields and not schema.get("x-kubernetes-preserve-unknown-fields"):
        closed.setdefault("additionalProperties", False)
    if schema.get("x-kubernetes-int-or-string"):
        closed["type"] = ["integer", "string"]
    return closed
