"""Ports for servers that are killed and started again at the same address."""

import random
import socket

# Below those from which systems choose the ports of outgoing connections: a server that is down keeps its place.
_OURS = range(12_000, 32_000)


def free_port() -> int:
    """On the loopback. A server that cannot have it after all must say so, and choose again."""
    for port in random.SystemRandom().sample(_OURS, 1000):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise OSError("no free port among a thousand")


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
