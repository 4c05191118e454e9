"""The user's machine: a checkout, a home with an SSH key and a Ray token, and the `ray` command."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from tests.cluster.hosts import ROOT, Host

_SENT = ("cluster", "search_spaces", "sweep", "trainables", "pyproject.toml", "constraints.txt")


class Laptop:
    """`folder` is its disk."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.checkout = folder / "speech-sweep"
        self._ray_folder = folder / "ray"
        (self.home / ".ssh").mkdir(parents=True, mode=0o700)
        self._ray_folder.mkdir()
        self._key = self.home / ".ssh" / "id_ed25519"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self._key)], check=True)
        self.public_key = self._key.with_suffix(".pub").read_text()
        subprocess.run(
            [self._tool("ray"), "get-auth-token", "--generate"],
            env=self.environment,
            check=True,
            capture_output=True,
        )

    @property
    def environment(self) -> dict[str, str]:
        """Without the test's own Ray, S3 and MLflow settings."""
        ours = re.compile("RAY_|AWS_|MLFLOW_|SPEECH_SWEEP_|PYTHONPATH")
        kept = {name: value for name, value in os.environ.items() if not ours.match(name)}
        return {**kept, "HOME": str(self.home), "RAY_TMPDIR": str(self._ray_folder)}

    def describe_cluster(self, head: Host, workers: list[Host], environment_file: str) -> None:
        """Prepare a checkout for three machines, as docs/cluster.md says."""
        ignore = shutil.ignore_patterns("__pycache__")
        self.checkout.mkdir()
        for name in _SENT:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, self.checkout / name, ignore=ignore)
            else:
                shutil.copy(ROOT / name, self.checkout / name)
        described = (ROOT / "cluster" / "local.yaml").read_text()
        for line, value in {
            "head_ip": head.address,
            "worker_ips": f"[{', '.join(host.address for host in workers)}]",
            "ssh_user": "root",
            "ssh_private_key": str(self._key),  # ssh takes ~ from the system's user database, not from HOME
        }.items():
            described, count = re.subn(rf"(?m)^(  {line}:).*$", rf"\1 {value}", described)
            assert count == 1, f"cluster/local.yaml has no line {line}"
        (self.checkout / "cluster" / "local.yaml").write_text(described)
        (self.checkout / "cluster.yaml").symlink_to("cluster/local.yaml")
        (self.home / ".speech-sweep").mkdir()
        (self.home / ".speech-sweep" / "env").write_text(environment_file)

    def ray(self, *arguments: str, timeout: float = 5400) -> subprocess.CompletedProcess[str]:
        """`ray ...` as typed at the root of the checkout; its output in one string."""
        return subprocess.run(
            [self._tool("ray"), *arguments],
            cwd=self.checkout,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=timeout,
        )

    def die(self) -> None:
        """Kill all its processes; every connection is lost at once."""
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # it has just ended
                if str(self._key).encode() in (process / "cmdline").read_bytes():
                    os.kill(int(process.name), signal.SIGKILL)

    @staticmethod
    def _tool(name: str) -> str:
        return str(Path(sys.executable).with_name(name))
