"""A real Slurm on the test's hosts: slurmctld on this machine, a slurmd on each host, munge between them."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.hosts import OUTSIDE, Host, wait_until

_CONFIGURATION = """\
ClusterName=lab
SlurmctldHost={controller}({address})
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CryptoType=crypto/munge
ProctrackType=proctrack/pgid
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
SlurmctldPidFile={folder}/slurmctld.pid
SlurmctldLogFile={folder}/slurmctld.log
StateSaveLocation={folder}/state
SlurmdPidFile=/tmp/slurmd.pid
SlurmdLogFile=/tmp/slurmd.log
SlurmdSpoolDir=/tmp/slurmd
{nodes}
PartitionName=lab Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
_NO_CGROUPS = "CgroupPlugin=cgroup/v1\nCgroupAutomount=no\n"  # slurmd would expect them in /sys


def missing() -> str:
    """Why Slurm cannot run here; "" if it can."""
    tools = ("slurmctld", "slurmd", "sbatch", "munged")
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    lacking = [tool for tool in tools if not shutil.which(tool, path=path)]
    return f"needs {', '.join(lacking)} (Debian: slurmctld slurmd munge)" if lacking else ""


@contextmanager
def slurm(folder: Path, hosts: list[Host]) -> Iterator[dict[str, str]]:
    """The environment for `sbatch`, `squeue` and `sinfo`; all hosts are idle."""
    (folder / "state").mkdir(parents=True)
    file = folder / "slurm.conf"
    nodes = "\n".join(
        f"NodeName={host.name} NodeAddr={host.address} CPUs=2 RealMemory=4000 State=UNKNOWN" for host in hosts
    )
    file.write_text(_CONFIGURATION.format(controller=os.uname().nodename, address=OUTSIDE, folder=folder, nodes=nodes))
    (folder / "cgroup.conf").write_text(_NO_CGROUPS)
    environment = {**os.environ, "SLURM_CONF": str(file)}
    munge = f"munged --foreground --force --key-file={_key(folder)}"
    own = "mkdir -p /tmp/slurmd /run/munge && mount -t tmpfs tmpfs /run/munge"  # hosts share everything else
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, "/run/munge", ignore_errors=True)
        stack.enter_context(_running(["bash", "-c", f"mkdir -p /run/munge && {munge}"]))
        stack.enter_context(_running(["slurmctld", "-D", "-f", str(file)]))
        for host in hosts:
            slurmd = f"SLURM_CONF={file} slurmd -D -N {host.name}"
            stack.enter_context(_running(host.command(f"{own} && {{ {munge} & {slurmd}; }}")))
        wait_until(lambda: _idle(environment) == len(hosts), "idle nodes of Slurm", 1200)
        yield environment


@dataclass(frozen=True)
class Controller:
    """The Slurm commands of a user with a checkout in `folder`."""

    folder: Path
    environment: dict[str, str]

    def submit(self, *line: str) -> str:
        """The job's number."""
        return self._run("sbatch", "--parsable", *line).strip()

    def idle(self) -> bool:
        """Whether no job is pending or running."""
        return not self._run("squeue", "--noheader").strip()

    def log(self, job: str) -> str:
        return (self.folder / f"speech-sweep-{job}.log").read_text()

    def preempt(self, job: str) -> None:
        """Preempt the job as the scheduler would for one of higher priority, without its two-minute grace time."""
        self._run("scontrol", "requeue", job)
        wait_until(lambda: "PENDING" in self._run("scontrol", "show", "job", job), "the job's end", 120, every=1)
        self._run("scontrol", "update", f"JobId={job}", "StartTime=now")

    def _run(self, *command: str) -> str:
        done = subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout


def _key(folder: Path) -> Path:
    key = folder / "munge.key"
    if not key.exists():
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
    return key


def _idle(environment: dict[str, str]) -> int:
    command = ["sinfo", "--noheader", "--Node", "--states=idle", "--format=%N"]
    return len(subprocess.run(command, env=environment, capture_output=True, text=True).stdout.split())


@contextmanager
def _running(command: list[str]) -> Iterator[None]:
    nowhere = subprocess.DEVNULL
    process = subprocess.Popen(command, stdout=nowhere, stderr=nowhere, start_new_session=True)
    try:
        yield
    finally:
        os.killpg(process.pid, 9)
        process.wait()
