"""A repository that somebody else holds: a long check makes backups and restores wait, not fail."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep

import pytest

from lading.continuity.restic import ResticRepository

PASSWORD = {"RESTIC_PASSWORD": "long and secret"}


@pytest.fixture
def location(tmp_path: Path) -> Path:
    return tmp_path / "repository"


@pytest.fixture
def repository(location: Path, tmp_path: Path) -> ResticRepository:
    made = ResticRepository(str(location), PASSWORD, tmp_path / "cache")
    made.create()
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_bytes(b"content")
    return made


@contextmanager
def checked(location: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A check that holds the repository and was stopped on its way."""
    environment = {**os.environ, **PASSWORD, "RESTIC_REPOSITORY": str(location)}
    command = ["restic", "--no-cache", "check", "--read-data"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        while not any("tmp" not in lock.name for lock in (location / "locks").iterdir()):
            assert process.poll() is None, "the check ended before it could be stopped"
        process.send_signal(signal.SIGSTOP)
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.wait()


def test_a_backup_waits_for_a_check(location: Path, repository: ResticRepository, tmp_path: Path) -> None:
    taken: list[str] = []
    with checked(location) as check:
        _meanwhile(check, lambda: taken.append(repository.save(tmp_path / "kept", {"kind": "test"}, _unheard).snapshot))
    assert [one.id for one in repository.snapshots()] == taken


def test_a_restore_waits_for_a_check(location: Path, repository: ResticRepository, tmp_path: Path) -> None:
    saved = repository.save(tmp_path / "kept", {"kind": "test"}, _unheard)
    with checked(location) as check:
        _meanwhile(check, lambda: repository.restore(saved.snapshot, tmp_path / "restored"))
    assert (tmp_path / "restored" / "file").read_bytes() == b"content"


def _meanwhile(check: subprocess.Popen[bytes], work: Callable[[], object]) -> None:
    """Begin work while the check stands still, and let both come to their end."""
    thread = threading.Thread(target=work)
    thread.start()
    sleep(1)
    assert thread.is_alive(), "the work did not wait"
    check.send_signal(signal.SIGCONT)
    thread.join()


def _unheard(share: float, done: int) -> None:
    """Progress that nobody listens to."""
