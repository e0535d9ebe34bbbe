"""A real Docker Engine for the tests: one private dockerd for the whole run, shared by all test processes."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lading.orchestration.engines.docker.install import is_installed
from lading.orchestration.engines.docker.private import PrivateEngine


@pytest.fixture(scope="session")
def docker_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the engine. The last test process that used it stops it, by its process id."""
    if os.geteuid() != 0 or not is_installed():
        pytest.skip("no root or no dockerd; scripts/install_test_tools.sh installs it")
    shared = Path(tempfile.gettempdir()) / f"lading-engine-{os.environ.get('PYTEST_XDIST_TESTRUNUID', os.getpid())}"
    shared.mkdir(exist_ok=True)
    engine = PrivateEngine(shared / "e")
    users = shared / "users"
    with _locked(shared):
        _count(users, +1)
        engine.ensure(lambda _text: None)
    yield engine.address
    with _locked(shared):
        if _count(users, -1) == 0:
            engine.remove(lambda _text: None)
            shutil.rmtree(shared, ignore_errors=True)


class _locked:
    def __init__(self, directory: Path) -> None:
        self._handle = (directory / "lock").open("w")

    def __enter__(self) -> None:
        fcntl.flock(self._handle, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        self._handle.close()


def _count(path: Path, change: int) -> int:
    path.parent.mkdir(exist_ok=True)
    number = (int(path.read_text()) if path.exists() else 0) + change
    path.write_text(str(number))
    return number
