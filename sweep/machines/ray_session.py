"""Ray for one sweep: a private instance on this machine, or the cluster at RAY_ADDRESS."""

import contextlib
import logging
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sweep.core.hardware import usable_cores
from trainables.base.errors import UserError

# Read by Tune when it is imported or when a run begins.
_TUNE_SETTINGS = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # results belong to the study and to storage
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000000",  # a sweep resumes from its study
    "TUNE_FORCE_TRIAL_CLEANUP_S": "10",  # a job interrupted within a round loses only that round
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # the driver handles Ctrl-C itself (sweep/core/stopping.py)
    "TUNE_WARN_THRESHOLD_S": "10",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
_ANSWER_SECONDS = 10.0  # for a cluster's head to accept a connection


@contextlib.contextmanager
def ray_session(cpus: int | None = None) -> Iterator[None]:
    """Connect to Ray, and disconnect at the end.

    Without RAY_ADDRESS a private Ray starts: bound to loopback, with `cpus` (default: all usable cores) and a
    temporary folder of its own. Another Ray on this machine is never joined by accident.

    Raises `UserError` where the cluster at RAY_ADDRESS cannot be joined.
    """
    os.environ.update(_TUNE_SETTINGS)
    import ray

    with contextlib.ExitStack() as stack:
        if address := os.environ.get("RAY_ADDRESS"):
            _join(address)
        else:
            _start_private(stack, cpus or usable_cores())
        stack.callback(ray.shutdown)
        for name in ("ray.tune", "ray.train", "ray.air"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        yield


def _join(address: str) -> None:
    """Probe the address first: Ray would retry a dead one for three minutes and then exit this process."""
    import ray

    host, _, port = address.rpartition(":")
    try:
        if port.isdecimal():
            socket.create_connection((host.strip("[]"), int(port)), timeout=_ANSWER_SECONDS).close()
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, ValueError, RuntimeError) as error:  # unreachable; malformed; another version, a wrong token
        cause = str(error).strip().splitlines()[0]
        if "AuthenticationError" in str(error.__cause__):  # Ray gives it only inside another error's text
            raise UserError(
                f"the Ray cluster at {address} asks for its token: set RAY_AUTH_MODE=token, with the token in "
                "~/.ray/auth_token or RAY_AUTH_TOKEN"
            ) from error
        raise UserError(
            f"cannot join the Ray cluster at {address} ({cause}): RAY_ADDRESS names it; start it (ray up), or unset "
            "RAY_ADDRESS to use this machine alone"
        ) from error


def _start_private(stack: contextlib.ExitStack, cpus: int) -> None:
    import ray
    from ray._private import ray_constants

    # Ray replaces 127.0.0.1 by an externally reachable address unless clusters are disabled. It reads the variable at
    # its first import, which may have happened already.
    os.environ[ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR] = "0"
    ray_constants.ENABLE_RAY_CLUSTER = False
    # Workers must import the same code, also from a checkout that is not installed.
    ours = str(Path(__file__).resolve().parents[2])
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [ours, os.environ.get("PYTHONPATH")]))
    # Short, since paths of Unix sockets are limited to about 100 characters.
    folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    ray.init(
        address="local",
        num_cpus=cpus,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        _node_ip_address="127.0.0.1",
        _temp_dir=folder,
        _system_config={
            # Keep the workers that computed stages, in addition to those that train and score: importing torch is slow.
            "num_workers_soft_limit": 2 * cpus + min(cpus, 4) + 1,
            # A machine that is too busy to answer is not lost, and a process may take minutes to start on it.
            "health_check_failure_threshold": 200,
            "worker_register_timeout_seconds": 900,
        },
    )
