"""Servers for faults: no engine unless a test brings one, and none of them outlives its test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from e2e.conftest import Server

NOBODY = "unix:///nonexistent/docker.sock"


@pytest.fixture
def new_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Makes servers on homes of their own; those that were started are stopped at the end."""
    made: list[Server] = []

    def make(engine: str = NOBODY, home: Path | None = None, **environment: str) -> Server:
        home = home or tmp_path / f"server-{len(made)}"
        home.mkdir(exist_ok=True)
        server = Server(home, engine)
        server.environment |= environment
        made.append(server)
        return server

    yield make
    for server in made:
        server.client.close()
        server.stop()
