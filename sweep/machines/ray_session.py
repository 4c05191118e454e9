"""Ray for one sweep: a private instance on this machine, or the cluster at RAY_ADDRESS."""

import contextlib
import logging
import os
import secrets
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from sweep.core.hardware import UNPINNED, cuda_devices, unpin
from trainables.base.cores import usable_cores
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
# Of a private Ray: nothing reads what its log monitor would gather, ten times a second.
_PRIVATE_SETTINGS = {"RAY_LOG_MONITOR_MANY_FILES_THRESHOLD": "0", "LOG_NAME_UPDATE_INTERVAL_S": "1000000000"}
_ANSWER_SECONDS = 10.0  # for a cluster's head to accept a connection, and to answer on it
_HIGHEST_PORT = 65_535
_MORE_STARTS = 4


def cluster_address(environ: Mapping[str, str] = os.environ) -> str | None:
    """RAY_ADDRESS; None where it is empty or "local", Ray's word for an instance of its own."""
    address = environ.get("RAY_ADDRESS", "").strip()
    return None if address in ("", "local") else address


def require_cluster() -> None:
    """Raise `UserError` unless the cluster at RAY_ADDRESS answers, where one is named; takes seconds at most."""
    if address := cluster_address():
        with _joining(address):
            _require_answer(_head_of(address))


@contextlib.contextmanager
def ray_session(cpus: int | None = None) -> Iterator[None]:
    """Connect to Ray, and disconnect at the end.

    Without RAY_ADDRESS a private Ray starts: bound to loopback, with `cpus` (default: all usable cores) and a
    temporary folder of its own. Another Ray on this machine is never joined by accident.

    Raises `UserError` where the cluster at RAY_ADDRESS cannot be joined.
    """
    os.environ.update(_TUNE_SETTINGS)
    unpin()
    import ray

    with contextlib.ExitStack() as stack:
        with _signals_kept():
            if address := cluster_address():
                _join(address)
            else:
                _start_private(stack, cpus or usable_cores())
        stack.callback(ray.shutdown)
        for name in ("ray.tune", "ray.train", "ray.air"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        yield


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    """A SIGTERM while Ray starts is ours, as at any other time: Ray would set a handler that ends this process."""
    from ray._private import utils

    theirs, utils.set_sigterm_handler = utils.set_sigterm_handler, lambda handler: None
    try:
        yield
    finally:
        utils.set_sigterm_handler = theirs


def _join(address: str) -> None:
    """Probe the address first: Ray would retry a dead one for three minutes and then exit this process."""
    import ray

    with _joining(address):
        head = _head_of(address)
        _require_answer(head)
        print(f"cluster    joining the Ray at {head}", file=sys.stderr, flush=True)
        runtime = {"env_vars": UNPINNED}  # also on nodes whose own environment pins
        ray.init(head, log_to_driver=False, logging_level=logging.ERROR, runtime_env=runtime)


@contextlib.contextmanager
def _joining(address: str) -> Iterator[None]:
    """Failures as a `UserError` with the remedy."""
    try:
        yield
    except (OSError, ValueError, RuntimeError) as error:  # unreachable; malformed; another version, a wrong token
        cause = (str(error).strip() or type(error).__name__).splitlines()[0]
        if "AuthenticationError" in str(error.__cause__):  # Ray gives it only inside another error's text
            raise UserError(
                f"the Ray cluster at {address} asks for its token: set RAY_AUTH_MODE=token, with the token in "
                "~/.ray/auth_token or RAY_AUTH_TOKEN"
            ) from error
        raise UserError(
            f"cannot join the Ray cluster at {address} ({cause}): RAY_ADDRESS names it; start it (ray up), or unset "
            "RAY_ADDRESS to use this machine alone"
        ) from error


def _head_of(address: str) -> str:
    """host:port of the cluster's head. Raises ValueError or OSError where the address names none.

    "auto" is the Ray that `ray start` last started on this machine. Ray itself would also take any other that it
    finds running here, such as the private one of another sweep.
    """
    from ray._private import services, utils

    named = utils.read_ray_address() if address == "auto" else address
    if not named:
        raise ValueError("no `ray start` has started a Ray on this machine")
    host, _, port = named.rpartition(":")
    if not host or not (port.isascii() and port.isdecimal()) or int(port) > _HIGHEST_PORT or "/" in host:
        raise ValueError(f"{named!r} is not host:port")
    return str(services.canonicalize_bootstrap_address(named))


def _require_answer(head: str) -> None:
    """Raise OSError unless a gRPC server answers there within seconds."""
    import grpc

    host, _, port = head.rpartition(":")
    socket.create_connection((host.strip("[]"), int(port)), timeout=_ANSWER_SECONDS).close()
    if os.environ.get("RAY_USE_TLS", "0").lower() in ("1", "true"):
        return
    with grpc.insecure_channel(head, options=[("grpc.enable_http_proxy", 0)]) as channel:  # as Ray connects
        try:
            grpc.channel_ready_future(channel).result(timeout=_ANSWER_SECONDS)
        except grpc.FutureTimeoutError:
            raise TimeoutError(f"what listens there has not answered within {_ANSWER_SECONDS:g} s") from None


def _start_private(stack: contextlib.ExitStack, cpus: int) -> None:
    from ray._private import ray_constants

    # Ray replaces 127.0.0.1 by an externally reachable address unless clusters are disabled. It reads the variable at
    # its first import, which may have happened already.
    os.environ[ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR] = "0"
    ray_constants.ENABLE_RAY_CLUSTER = False
    os.environ.update(_PRIVATE_SETTINGS)
    # Workers must import the same code, also from a checkout that is not installed.
    ours = str(Path(__file__).resolve().parents[2])
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [ours, os.environ.get("PYTHONPATH")]))
    _require_token()
    folder = _short_folder()
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    try:
        _init_patiently(folder, cpus)
    except Exception as error:  # a node that is slow to start is a plain one
        cause = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(
            f"cannot start Ray on this machine ({cause}): it needs room in {folder} and /dev/shm, free ports, and "
            "cores that are not all busy"
        ) from error


def _init_patiently(folder: str, cpus: int) -> None:
    """Ray gives its own processes 30 s to start, which are not enough where others keep the cores busy."""
    import ray

    for _ in range(_MORE_STARTS):
        try:
            return _init_private(folder, cpus)
        except Exception as error:
            if "timed out during startup" not in str(error):
                raise
            ray.shutdown()
    return _init_private(folder, cpus)


def _require_token() -> None:
    """Ray keeps a token for its instances in ~/.ray; where nothing can be written there, this process has its own."""
    token = Path(os.path.expanduser("~/.ray/auth_token"))
    if token.is_file() or os.environ.get("RAY_AUTH_TOKEN"):
        return
    try:
        token.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=token.parent):
            pass
    except OSError:
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)


def _short_folder() -> str:
    """A new one in /tmp, since paths of Unix sockets are limited to about 100 characters; in TMPDIR if /tmp is full."""
    try:
        return tempfile.mkdtemp(prefix="ray-", dir="/tmp")
    except OSError:
        return tempfile.mkdtemp(prefix="ray-")


def _init_private(folder: str, cpus: int) -> None:
    import ray

    ray.init(
        address="local",
        num_cpus=cpus,
        num_gpus=cuda_devices(),
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        _node_ip_address="127.0.0.1",
        _temp_dir=folder,
        _system_config={
            # Keep the workers that computed stages until they infer test: importing torch is slow. (A soft limit that
            # keeps them would have Ray start as many workers for queued tasks, which then run where nothing is loaded.)
            "kill_idle_workers_interval_ms": 0,
            # For Ray's dashboard, which a private Ray does not have; every worker would collect and send them.
            "enable_metrics_collection": False,
            "task_events_report_interval_ms": 0,
            # A machine that is too busy to answer is not lost, and a process may take minutes to start on it.
            "health_check_failure_threshold": 200,
            "worker_register_timeout_seconds": 900,
        },
    )
