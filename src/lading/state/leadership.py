"""One process at a time does what only one may do: the leader, of all processes on one database.

On PostgreSQL the leader is the session that holds an advisory lock: when its process, host or connection dies, the
server gives the lock to another. On SQLite all processes share a data directory, and a lock on a file there serves.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from lading.kernel.errors import Unavailable
from lading.state.database import Database

_TRY_SECONDS: Final = 1.0
_CHECK_SECONDS: Final = 1.0
_END_SECONDS: Final = 60.0
_log: Final = logging.getLogger(__name__)

# Whether the leadership is still held; asked once a second.
Held = Callable[[], bool]


class Leadership:
    """The right to do something alone, named by `name`.

    Args:
        directory: where the lock lies on SQLite.
    """

    def __init__(self, database: Database, directory: Path, name: str) -> None:
        self._database = database
        self._file = directory / f"{name}.leader"
        self._name = name

    def lead(self, stop: threading.Event, work: Callable[[threading.Event], None]) -> None:
        """Do `work` whenever this process leads, until `stop` is set.

        `work` runs in a thread and is given an event that is set when it has to end: on `stop`, or because the
        leadership was lost. It returns soon after; it may be called again later.

        Raises:
            Unavailable: `work` did not end within a minute after the leadership was lost; the process must end, because
                another leads by now.
        """
        waiting = False
        while not stop.is_set():
            with self._try() as held:
                if held is not None:
                    _log.info("this process leads", extra={"of": self._name})
                    self._work(stop, held, work)
                elif not waiting:
                    _log.info("another process leads; standing by", extra={"of": self._name})
                waiting = held is None
            stop.wait(_TRY_SECONDS)

    def _work(self, stop: threading.Event, held: Held, work: Callable[[threading.Event], None]) -> None:
        over = threading.Event()
        worker = threading.Thread(target=work, args=(over,), name=f"leading-{self._name}", daemon=True)
        worker.start()
        while worker.is_alive() and not stop.wait(_CHECK_SECONDS):
            if not held():
                _log.warning("this process leads no longer", extra={"of": self._name})
                break
        over.set()
        worker.join(_END_SECONDS)
        if worker.is_alive():
            raise Unavailable(
                f"The {self._name} lost its lead and could not end what it was doing.", remedy="It is started again."
            )

    def _try(self) -> AbstractContextManager[Held | None]:
        return self._on_sqlite() if self._database.is_sqlite else self._on_postgres()

    @contextmanager
    def _on_sqlite(self) -> Iterator[Held | None]:
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._file.open("a") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield None
            else:
                yield lambda: True

    @contextmanager
    def _on_postgres(self) -> Iterator[Held | None]:
        connection: sa.Connection | None = None
        try:
            connection = self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            taken = connection.execute(sa.text("SELECT pg_try_advisory_lock(:key)"), {"key": self._key}).scalar()
        except SQLAlchemyError as error:
            _log.warning("the lead could not be asked for", extra={"of": self._name, "error": str(error)[:200]})
            taken = False
        try:
            yield self._still_connected(connection) if taken and connection is not None else None
        finally:
            if connection is not None:
                # The lock belongs to the session: it ends with the connection, which must not go back to the pool.
                connection.invalidate()
                connection.close()

    @property
    def _key(self) -> int:
        """The number of the lock, in the range of PostgreSQL's bigint."""
        return int.from_bytes(hashlib.sha256(f"lading leader {self._name}".encode()).digest()[:8], "big", signed=True)

    def _still_connected(self, connection: sa.Connection) -> Held:
        def held() -> bool:
            try:
                connection.execute(sa.text("SELECT 1"))
            except SQLAlchemyError:
                return False
            return True

        return held
