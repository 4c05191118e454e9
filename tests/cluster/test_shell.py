"""The shell scripts of cluster/, checked by bash and, if it is installed, by shellcheck."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

FILES = Path(__file__).resolve().parents[2] / "cluster"
SCRIPTS = sorted([*FILES.rglob("*.sh"), FILES / "slurm.sbatch", FILES / "profile"])


def script_id(path: Path) -> str:
    return str(path.relative_to(FILES))


@pytest.mark.parametrize("path", SCRIPTS, ids=script_id)
def test_bash_can_read_it(path: Path) -> None:
    subprocess.run(["bash", "-n", str(path)], check=True)


@pytest.mark.skipif(
    not shutil.which("shellcheck"), reason="not shown: what shellcheck finds in cluster/ (Debian: shellcheck)"
)
@pytest.mark.parametrize("path", SCRIPTS, ids=script_id)
def test_shellcheck_finds_nothing(path: Path) -> None:
    done = subprocess.run(["shellcheck", str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", ["aws.yaml", "local.yaml"])
def test_every_command_of_a_cluster_is_one_line_of_bash(name: str) -> None:
    """A ` # ` inside a YAML command would silently cut it off."""
    described = yaml.safe_load((FILES / name).read_text())
    commands = [line for key, lines in described.items() if key.endswith("_commands") for line in lines]
    assert commands
    for command in commands:
        subprocess.run(["bash", "-n", "-c", command], check=True)
        assert "\n" not in command


@pytest.mark.parametrize("path", sorted(path for path in FILES.rglob("*") if path.is_file()), ids=script_id)
def test_no_file_holds_a_secret(path: Path) -> None:
    """Keys and passwords are prompted for or generated, never stored in files."""
    given = re.findall(
        r"(?i)(?:password|secret(?:_access)?_?key|token)\w*\s*[:=]\s*['\"]?(?=[a-z+/]*[0-9])([a-z0-9+/]{8,})",
        path.read_text(),
    )
    assert not given


def test_the_labs_services_are_reachable_from_inside_only() -> None:
    services = yaml.safe_load((FILES / "services" / "compose.yaml").read_text())["services"]
    for service in services.values():
        for port in service["ports"]:
            assert port.startswith(("127.0.0.1:", "${ADDRESS:?"))
