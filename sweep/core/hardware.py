"""The cores and CUDA devices that this process may use, found without importing torch: `--dry-run` must stay quick."""

import os
from collections.abc import Mapping
from pathlib import Path


def usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


_DRIVER = Path("/proc/driver/nvidia/gpus")  # one folder per device, made by NVIDIA's driver


def cuda_devices(environ: Mapping[str, str] = os.environ, driver: Path = _DRIVER) -> int:
    """Devices that the driver knows and CUDA_VISIBLE_DEVICES does not hide."""
    present = len(list(driver.iterdir())) if driver.is_dir() else 0
    visible = environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return present
    named = [name for name in visible.split(",") if name.strip() not in ("", "-1")]
    return min(present, len(named))
