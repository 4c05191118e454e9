"""The machine and the sources behind a result, without which figures cannot be compared."""

import hashlib
import platform
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.harness.peers import REPOSITORY

_LIBRARIES = ("torch", "ray", "optuna", "mlflow", "numpy", "numba", "transformers", "pesq", "pystoi")
_PEERS = ("torchmetrics", "asteroid", "pysdtw", "tslearn")
_SOURCES = ("sweep", "trainables", "search_spaces", "benchmarks")


def facts(device: str = "cpu") -> dict[str, Any]:
    """Processor, cores, memory, operating system, Python and libraries; on CUDA the card as well."""
    from trainables.base.cores import usable_cores

    found: dict[str, Any] = {
        "processor": _processor(),
        "cores": usable_cores(),
        "memory_gib": round(_memory_gib(), 1),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
        "libraries": {name: version for name in (*_LIBRARIES, *_PEERS) if (version := _version(name))},
    }
    if device == "cuda":
        import torch

        found["card"] = torch.cuda.get_device_name()
        found["card_gib"] = round(torch.cuda.get_device_properties(0).total_memory / 2**30, 1)
    return found


def code_fingerprint() -> str:
    """Of every Python source that a benchmark may run: a result of other sources is measured again."""
    digest = hashlib.sha256()
    for folder in _SOURCES:
        for path in sorted((REPOSITORY / folder).rglob("*.py")):
            digest.update(str(path.relative_to(REPOSITORY)).encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _processor() -> str:
    """The model, and what numerical libraries choose their code by."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    named = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    wide = [flag for flag in ("avx2", "avx512f", "amx_tile") if flag in named.get("flags", "").split()]
    return " ".join([named.get("model name", platform.machine()), *wide])


def _memory_gib() -> float:
    import psutil

    return psutil.virtual_memory().total / 2**30


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def one_line(machines: Sequence[dict[str, Any]]) -> str:
    """For the foot of a table; each part's process may have had other peers."""
    if not machines:
        return "no machine: nothing has run"
    machine = machines[0]
    versions = {name: version for each in machines for name, version in each["libraries"].items()}
    libraries = ", ".join(f"{name} {version}" for name, version in versions.items())
    where = f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB"
    card = f", {machine['card']} {machine['card_gib']} GiB" if "card" in machine else ""
    return f"{where}{card}; {machine['system']}, Python {machine['python']}; {libraries}"
