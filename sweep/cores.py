"""The cores that this process may use: not those of the machine, where a scheduler or a container gives it fewer."""

import os


def usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
