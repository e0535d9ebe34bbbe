"""One database behind one small surface: `write()` and `read()`.

`write()` is serialised on SQLite (BEGIN IMMEDIATE) and durable when it returns (synchronous=FULL). `read()` sees one
snapshot. Transactions are short: no network call and no file reading happens inside one.
"""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.pool import QueuePool, StaticPool

from lading.kernel.errors import Conflict, InvalidInput, LadingError, Unavailable
from lading.state.together import Together

Transaction = sa.Connection
T = TypeVar("T")

_BUSY_TIMEOUT_MS: Final = 30_000
_KINDS: Final = ("sqlite://", "postgresql+psycopg://")
# A server or network that died is noticed within seconds, not when the kernel gives up after a quarter of an hour.
_POSTGRES_PATIENCE: Final = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
_PASSWORD: Final = re.compile(r"//([^:/@]+):[^@]*@")


class Database:
    """A SQLite file, a SQLite database in memory (`sqlite://`) or a PostgreSQL database.

    Args:
        url: an SQLAlchemy URL; `postgresql://` is read as psycopg 3.
        read_only: open so that no statement can write, whatever the caller does (the pull endpoint).

    Raises:
        Unavailable: when the database cannot be opened; the message names it without its password.
        InvalidInput: the URL names another kind of database.
    """

    def __init__(self, url: str, *, read_only: bool = False) -> None:
        self.url = url.replace("postgresql://", "postgresql+psycopg://", 1)
        if not self.url.startswith(_KINDS):
            raise InvalidInput(
                f"{self.label!r} names neither a SQLite nor a PostgreSQL database.",
                remedy="Write it as postgresql://USER@HOST/DATABASE, or leave it empty for SQLite.",
            )
        self.read_only = read_only
        self.is_sqlite = self.url.startswith("sqlite")
        # A database in memory is one connection: threads take turns. Everywhere else the database sees to that.
        self._turn: AbstractContextManager[object] = threading.RLock() if self._is_in_memory() else nullcontext()
        # SQLite has one writer, and lets the others sleep longer and longer: threads of one process queue here instead.
        self._writer: AbstractContextManager[object] = threading.RLock() if self.is_sqlite else nullcontext()
        self._engine = self._sqlite_engine() if self.is_sqlite else self._postgres_engine()
        self._together = Together(self.write, self._translated)

    @property
    def label(self) -> str:
        """The URL for people and logs, without a password."""
        return _PASSWORD.sub(r"//\1:…@", self.url)

    @property
    def engine(self) -> sa.Engine:
        """The SQLAlchemy engine, for migrations only."""
        return self._engine

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """A transaction that may write: committed and durable on leaving, rolled back on an exception.

        Raises:
            Unavailable: the database does not answer, is full, or stayed locked for 30 s.
            Conflict: a uniqueness or foreign-key rule was broken.
        """
        with self._writer, self._turn, self._translated(), self._engine.connect() as connection:
            if self.is_sqlite:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            with connection.begin() if not connection.in_transaction() else connection.get_transaction():  # type: ignore[union-attr]
                yield connection

    def write_together(self, work: Callable[[Transaction], T]) -> T:
        """What `work` returns, written and durable; for small writes that many threads make at once.

        Where a commit has to wait for the disk alone (SQLite), those of several threads share one. Raises what `work`
        raises, and what `write` does.
        """
        if self.is_sqlite and not self._is_in_memory():
            return self._together.run(work)
        with self.write() as tx:
            return work(tx)

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """One consistent snapshot; writes in it are lost.

        Raises:
            Unavailable: the database does not answer.
        """
        with self._turn, self._translated(), self._engine.connect() as connection:
            if self.is_sqlite:
                connection.exec_driver_sql("BEGIN")
            try:
                yield connection
            finally:
                connection.rollback()

    def close(self) -> None:
        """Give back every connection."""
        self._engine.dispose()

    def _is_in_memory(self) -> bool:
        return self.is_sqlite and self.url.partition("///")[2] in ("", ":memory:")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except LadingError:
            raise
        except sa.exc.IntegrityError as error:
            raise Conflict(f"The database {self.label} refused a row: {error.orig}.") from error
        except (OperationalError, DBAPIError) as error:
            raise Unavailable(
                f"The database {self.label} does not answer: {_first_line(error.orig)}.",
                remedy="Check that it runs, that its disk is not full and that LADING_DATABASE_URL names it.",
            ) from error
        except SQLAlchemyError as error:
            raise Unavailable(f"The database {self.label} failed: {_first_line(error)}.") from error

    def _sqlite_engine(self) -> sa.Engine:
        path = self.url.partition("///")[2]
        in_memory = self._is_in_memory()
        if not in_memory and not self.read_only:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        url, args = self.url, {"check_same_thread": False, "timeout": _BUSY_TIMEOUT_MS / 1000}
        if self.read_only and not in_memory:
            url, args = f"sqlite:///file:{path}?mode=ro&uri=true", args | {"uri": True}
        engine = sa.create_engine(
            url,
            connect_args=args,
            poolclass=StaticPool if in_memory else QueuePool,
            **({} if in_memory else {"pool_size": 8, "max_overflow": 32}),
        )
        event.listen(engine, "connect", self._prepare_sqlite)
        # sqlite3 must not begin transactions by itself: `write` and `read` say which kind they want.
        event.listen(engine, "begin", lambda _connection: None)
        return engine

    def _prepare_sqlite(self, connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in (
            f"busy_timeout={_BUSY_TIMEOUT_MS}",
            "query_only=ON" if self.read_only else "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "cache_size=-65536",
            "temp_store=MEMORY",
        ):
            connection.execute(f"PRAGMA {pragma}")

    def _postgres_engine(self) -> sa.Engine:
        engine = sa.create_engine(
            self.url, pool_size=8, max_overflow=32, pool_pre_ping=True, connect_args=_POSTGRES_PATIENCE
        )
        if self.read_only:
            return engine.execution_options(postgresql_readonly=True)
        return engine


def _first_line(error: object) -> str:
    return (str(error).strip().splitlines() or ["no reason given"])[0]
