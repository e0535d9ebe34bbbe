"""One leader at a time, whoever dies: on a file lock with SQLite, on a session's lock with PostgreSQL."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from lading.kernel.errors import Unavailable
from lading.state import Database, leadership
from lading.state.leadership import Leadership


class Candidate:
    """A process that wants to lead."""

    def __init__(self, url: str, directory: Path, leading: list[str], name: str) -> None:
        self.database = Database(url)
        self.stop = threading.Event()
        self.error: Unavailable | None = None
        self._leading = leading
        self._name = name
        self.stubborn = threading.Event()
        self.stop_after_loss = False
        self._leadership = Leadership(self.database, directory, "worker")
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def end(self) -> None:
        self.stop.set()
        self._thread.join()
        self.database.close()

    def _run(self) -> None:
        try:
            self._leadership.lead(self.stop, self._work)
        except Unavailable as error:
            self.error = error

    def _work(self, over: threading.Event) -> None:
        self._leading.append(self._name)
        over.wait()
        if self.stop_after_loss:
            self.stop.set()
        while self.stubborn.is_set():
            time.sleep(0.01)
        self._leading.remove(self._name)


def until(check: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leadership, "_TRY_SECONDS", 0.05)
    monkeypatch.setattr(leadership, "_CHECK_SECONDS", 0.05)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def candidates(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Candidate, Candidate, list[str]]]:
    """The one that leads, the one that stands by, and who leads now."""
    url = f"sqlite:///{tmp_path / 'a.db'}" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    leading: list[str] = []
    first = Candidate(url, tmp_path, leading, "first")
    until(lambda: leading == ["first"])
    second = Candidate(url, tmp_path, leading, "second")
    yield first, second, leading
    first.stubborn.clear()
    first.end()
    second.end()


def test_the_second_leads_when_the_first_ends(candidates: tuple[Candidate, Candidate, list[str]]) -> None:
    first, _second, leading = candidates
    time.sleep(0.3)
    assert leading == ["first"]
    first.stop.set()
    until(lambda: leading == ["second"])


def end_leader(url: str) -> None:
    """What a lost connection is to the server."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted")


@pytest.mark.postgres
def test_who_lost_the_connection_ends_its_work_and_the_other_leads(postgres_url: str, tmp_path: Path) -> None:
    leading: list[str] = []
    first = Candidate(postgres_url, tmp_path, leading, "first")
    until(lambda: leading == ["first"])
    first.stop_after_loss = True
    second = Candidate(postgres_url, tmp_path, leading, "second")
    end_leader(postgres_url)
    until(lambda: leading == ["second"])
    first.end()
    second.end()


@pytest.mark.postgres
def test_work_that_does_not_end_ends_the_process(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leadership, "_END_SECONDS", 0.2)
    leading: list[str] = []
    only = Candidate(postgres_url, tmp_path, leading, "only")
    until(lambda: leading == ["only"])
    only.stubborn.set()
    end_leader(postgres_url)
    until(lambda: only.error is not None)
    only.stubborn.clear()
    only.end()
