"""Which Ray a sweep uses: a private one or the cluster at RAY_ADDRESS, never another by accident."""

import socket

import pytest

from sweep.machines.ray_session import ray_session
from trainables.base.errors import UserError


def test_an_unreachable_cluster_fails_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:  # a port in use that does not listen
        closed.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{closed.getsockname()[1]}"
        monkeypatch.setenv("RAY_ADDRESS", address)
        with (
            pytest.raises(UserError, match=f"cannot join the Ray cluster at {address}.*ray up"),
            ray_session(),
        ):
            pass
