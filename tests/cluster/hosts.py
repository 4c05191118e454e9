"""Several real hosts on one machine: each a network namespace with its own address, home, processes and /tmp.

A host is reached through its own sshd. It does not see the checkout, only files sent to it; the installed packages
are mounted, because installing them takes minutes.
"""

import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NETWORK = "10.213.77"
OUTSIDE = f"{NETWORK}.1"  # this machine on the bridge: services listen and commands run here
_BRIDGE = "sweep-lab"
_START = Path(__file__).with_name("host.sh")


def missing() -> str:
    """Why this machine cannot run such hosts; "" if it can."""
    if os.geteuid() != 0:
        return "needs root, for network namespaces"
    lacking = [tool for tool in ("ip", "sshd", "ssh", "ssh-keygen", "rsync", "unshare") if not _which(tool)]
    if lacking:
        return f"needs {', '.join(lacking)} (Debian: openssh-server iproute2 rsync)"
    made = subprocess.run(["unshare", "--net", "--mount", "true"], capture_output=True)
    return "" if made.returncode == 0 else "may not make network namespaces here"


class Host:
    """One host; `address` is where its sshd listens."""

    def __init__(self, number: int, folder: Path, public_key: str) -> None:
        self.name = f"{_BRIDGE}-{number}"
        self.address = f"{NETWORK}.{10 + number}"
        self.home = folder / self.name / "home"
        self._cable = f"{_BRIDGE}{10 + number}"  # its end on the bridge
        self._folder = folder / self.name
        self._process: subprocess.Popen[bytes] | None = None
        (self.home / ".ssh").mkdir(parents=True, mode=0o700)
        (self.home / ".ssh" / "authorized_keys").write_text(public_key)
        (self.home / ".bashrc").touch()
        (self.home / ".profile").write_text(". ~/.bashrc\n")
        _say_installed(self.home)

    def start(self) -> None:
        """Returns once sshd answers."""
        self._connect()
        command = [
            "ip",
            "netns",
            "exec",
            self.name,
            "unshare",
            "--mount",
            "--uts",
            "--ipc",
            "--pid",
            "--fork",
        ]
        command += ["--kill-child", "--mount-proc", "bash", str(_START)]
        with (self._folder / "log").open("ab") as log:
            arguments = [self.name, str(self._folder), str(ROOT), sys.prefix, sys.base_prefix]
            self._process = subprocess.Popen([*command, *arguments], stdout=log, stderr=log)
        wait_until(lambda: accepts(self.address, 22), f"sshd of {self.name}", 600)

    def die(self) -> None:
        """Kill the host with all its processes."""
        if self._process:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None
        for thing in (("netns", self.name), ("link", self._cable)):
            subprocess.run(["ip", thing[0], "delete", thing[1]], capture_output=True)

    def cut_off(self) -> None:
        """Disconnect the host from the network; its processes keep running."""
        _ip("link", "set", self._cable, "down")

    def command(self, script: str) -> list[str]:
        """A command that runs a line of bash on this host."""
        assert self._process, f"{self.name} is dead"
        outer = self._process.pid
        inner = Path(f"/proc/{outer}/task/{outer}/children").read_text().split()[0]
        views = ["--mount", "--net", "--uts", "--ipc", "--pid"]
        return ["nsenter", "--target", inner, *views, "bash", "-c", script]

    def runs(self, command: str) -> bool:
        """Whether a process with this start of a command line runs on this host; False on a dead host."""
        return self._process is not None and any(line.startswith(command) for line in self._processes())

    def _processes(self) -> list[str]:
        namespace = os.stat(f"/run/netns/{self.name}").st_ino
        lines = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if os.stat(folder / "ns" / "net").st_ino == namespace:
                    lines.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:  # it has just ended
                continue
        return lines

    def _connect(self) -> None:
        """A cable from the host's only interface to the bridge."""
        _ip("netns", "add", self.name)
        _ip("link", "add", self._cable, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        _ip("link", "set", self._cable, "master", _BRIDGE, "up")
        _ip("-n", self.name, "link", "set", "lo", "up")
        _ip("-n", self.name, "addr", "add", f"{self.address}/24", "dev", "eth0")
        _ip("-n", self.name, "link", "set", "eth0", "up")
        _ip("-n", self.name, "route", "add", "default", "via", OUTSIDE)


@contextmanager
def network() -> Iterator[None]:
    """The bridge between the hosts, with this machine on it."""
    _clear()
    _ip("link", "add", _BRIDGE, "type", "bridge")
    _ip("addr", "add", f"{OUTSIDE}/24", "dev", _BRIDGE)
    _ip("link", "set", _BRIDGE, "up")
    try:
        yield
    finally:
        _clear()


@contextmanager
def hosts(count: int, folder: Path, public_key: str) -> Iterator[list[Host]]:
    """`count` running hosts on the `network`, removed completely at exit."""
    started = [Host(number, folder, public_key) for number in range(count)]
    known = [f"{OUTSIDE} {os.uname().nodename}", *(f"{host.address} {host.name}" for host in started)]
    (folder / "hosts").write_text("\n".join(["127.0.0.1 localhost", *known, ""]))
    try:
        for host in started:
            host.start()
        yield started
    finally:
        for host in started:
            host.die()


def wait_until(condition: Callable[[], bool], what: str, seconds: float, every: float = 0.1) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: waited {seconds:g} s in vain"
        time.sleep(every)


def _clear() -> None:
    """Remove the bridge and every host, including those of an earlier run that was killed."""
    for namespace in Path("/run/netns").glob(f"{_BRIDGE}-*"):
        subprocess.run(["ip", "netns", "delete", namespace.name], capture_output=True)
    subprocess.run(["ip", "link", "delete", _BRIDGE], capture_output=True)


def _say_installed(home: Path) -> None:
    """Makes cluster/install.sh find this checkout's packages installed."""
    place = home / ".speech-sweep"
    (place / "venv").mkdir(parents=True)
    listed = b"".join((ROOT / name).read_bytes() for name in ("pyproject.toml", "constraints.txt"))
    wanted = hashlib.sha256(listed).hexdigest()
    (place / "installed").write_text(f"{wanted}\n")


def accepts(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=5).close()
    except OSError:
        return False
    return True


def _which(tool: str) -> str | None:
    return shutil.which(tool, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)
