"""Which Ray a sweep uses: a private one, or the cluster it was told of; never another by chance."""

import socket

import pytest

from sweep.machines.ray_session import ray_session
from trainables.base.errors import UserError


def test_a_cluster_that_is_away_is_one_line_and_not_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:  # a port that nobody listens on, and nobody else can take
        closed.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{closed.getsockname()[1]}"
        monkeypatch.setenv("RAY_ADDRESS", address)
        with (
            pytest.raises(UserError, match=f"cannot join the Ray cluster at {address}.*ray up"),
            ray_session(),
        ):
            pass
