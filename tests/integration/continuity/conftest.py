"""Servers with backups set up, and clients that push to them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from e2e.conftest import Server
from integration.server.conftest import new_server
from pushing import Pusher

__all__ = ["new_server"]


@pytest.fixture(autouse=True)
def _restic() -> None:
    if shutil.which("restic") is None:
        pytest.skip("no restic; scripts/install_test_tools.sh installs it")


@pytest.fixture
def backup_settings(tmp_path: Path) -> dict[str, str]:
    """The settings of a repository in a directory, outside of any data directory."""
    password = tmp_path / "backup-password"
    password.write_text(os.urandom(16).hex())
    password.chmod(0o600)
    return {"LADING_BACKUP_REPOSITORY": str(tmp_path / "repository"), "LADING_BACKUP_PASSWORD_FILE": str(password)}


@pytest.fixture
def new_pusher() -> Iterator[Callable[[Server], Pusher]]:
    made: list[Pusher] = []

    def make(server: Server) -> Pusher:
        server.client.post("/api/v1/teams", {"team": "shop"})
        token = server.client.post("/api/v1/teams/shop/robots", {"name": "ci"})["token"]
        made.append(Pusher(server.push, "shop/ci", token))
        return made[-1]

    yield make
    for pusher in made:
        pusher.close()
