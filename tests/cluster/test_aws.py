"""cluster/aws.yaml and cluster/aws-account.yaml: against Ray's schema, and through Ray's own launcher up to the
first machine, with moto's server in place of AWS."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from cfnlint.decode import decode
from moto.server import ThreadedMotoServer

ROOT = Path(__file__).resolve().parents[2]
FILES = ROOT / "cluster"


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    return yaml.safe_load((FILES / "aws.yaml").read_text())


def test_the_root_file_is_the_aws_cluster() -> None:
    assert (ROOT / "cluster.yaml").resolve() == FILES / "aws.yaml"


def test_only_workers_train_and_they_come_on_spot_in_several_kinds(described: dict[str, Any]) -> None:
    kinds = dict(described["available_node_types"])
    head = kinds.pop(described["head_node_type"])
    assert head["resources"]["CPU"] == 0
    assert "InstanceMarketOptions" not in head["node_config"]
    assert all(kind["node_config"]["InstanceMarketOptions"]["MarketType"] == "spot" for kind in kinds.values())
    assert len({kind["node_config"]["InstanceType"] for kind in kinds.values()}) >= 3
    assert described["idle_timeout_minutes"] <= 10


def test_nothing_listens_on_a_public_address(described: dict[str, Any]) -> None:
    services = (FILES / "services" / "start.sh").read_text()
    hosts = re.findall(r"(?:--host|--dashboard-host)[ =](\S+)", f"{described['head_start_ray_commands']}{services}")
    assert hosts
    assert set(hosts) == {"127.0.0.1"}


def test_region_and_cluster_have_one_name_in_all_files(described: dict[str, Any]) -> None:
    region = described["provider"]["region"]
    assert f"\nregion={region} " in (FILES / "aws-head.sh").read_text()
    account = (FILES / "aws-account.yaml").read_text()
    assert f"--region {region} " in account
    assert f"Default: {described['cluster_name']}\n" in account


def test_cfn_lint_finds_nothing(described: dict[str, Any]) -> None:
    lint = Path(sys.executable).with_name("cfn-lint")
    command = [str(lint), str(FILES / "aws-account.yaml"), "--regions", described["provider"]["region"]]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_bucket_is_private_and_no_right_is_wider_than_it_needs_to_be() -> None:
    """No action has a wildcard, and only describe actions apply to all resources."""
    template, _ = decode(str(FILES / "aws-account.yaml"))
    resources = {name: resource["Properties"] for name, resource in template["Resources"].items()}
    assert all(resources["Bucket"]["PublicAccessBlockConfiguration"].values())
    documents = [resources["BucketAccess"]["PolicyDocument"]]
    documents += [policy["PolicyDocument"] for policy in resources["HeadRole"]["Policies"]]
    for statement in (statement for document in documents for statement in document["Statement"]):
        actions = [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
        assert not any("*" in action for action in actions), statement
        if statement["Resource"] == "*":
            assert all(action.startswith("ec2:Describe") for action in actions), statement


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of an AWS account that holds only the stack of cluster/aws-account.yaml."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    _, port = server.get_host_and_port()
    environment = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "owner",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-west-2",
        "HOME": str(tmp_path_factory.mktemp("home")),
    }
    _client(environment, "cloudformation").create_stack(
        StackName="speech-sweep",
        TemplateBody=(FILES / "aws-account.yaml").read_text(),
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    yield environment
    server.stop()


def test_rays_launcher_accepts_the_file_in_that_account(account: dict[str, str]) -> None:
    """Everything `ray up` does before it starts a machine: schema, instance types, roles, key, subnets, firewall."""
    code = (
        "import yaml; from ray.autoscaler._private.commands import _bootstrap_config;"
        "config = _bootstrap_config(yaml.safe_load(open('cluster.yaml')), no_config_cache=True);"
        "print(yaml.safe_dump(config))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, **account},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    ready = yaml.safe_load(done.stdout[done.stdout.index("auth:") :])
    kinds = ready["available_node_types"]
    assert kinds["head"]["resources"]["CPU"] == 0
    assert kinds["gpu_a10g"]["resources"]["GPU"] == 1
    assert kinds["gpu_a10g"]["node_config"]["IamInstanceProfile"] == {"Name": "speech-sweep-worker"}
    assert _open_to_the_world(account, kinds["head"]["node_config"]["SecurityGroupIds"]) == {22}


def test_the_roles_that_machines_get_are_those_of_the_account(account: dict[str, str]) -> None:
    """The cluster's file asks for the roles by the names the stack gives them."""
    kinds = yaml.safe_load((FILES / "aws.yaml").read_text())["available_node_types"].values()
    asked = {kind["node_config"]["IamInstanceProfile"]["Name"] for kind in kinds}
    made = _client(account, "iam").list_instance_profiles()["InstanceProfiles"]
    assert asked == {profile["InstanceProfileName"] for profile in made}


def _open_to_the_world(account: dict[str, str], groups: list[str]) -> set[int]:
    found = _client(account, "ec2").describe_security_groups(GroupIds=groups)["SecurityGroups"]
    rules = [rule for group in found for rule in group["IpPermissions"] if rule["IpRanges"]]
    return {rule["FromPort"] for rule in rules}


def _client(account: dict[str, str], service: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=account["AWS_ENDPOINT_URL"],
        aws_access_key_id=account["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=account["AWS_SECRET_ACCESS_KEY"],
        region_name=account["AWS_DEFAULT_REGION"],
    )
