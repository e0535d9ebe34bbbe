"""`rpmdb.sqlite`: the table `Packages` with a header in each row, read in memory by SQLite itself, on a short leash.

The file may be made to harm: nothing but reading columns is authorised, a schema is not trusted, and steps and sizes
are bounded. A database in write-ahead mode is read as one without: what its log holds is another file, and told there.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Final

from lading.supply_chain.inventory.catalogers.rpm.errors import DatabaseUnreadable

MAGIC: Final = b"SQLite format 3\0"
_MODES: Final = slice(18, 20)
_MOST_STEPS: Final = 200
_STEP: Final = 100_000
_MOST_VALUE: Final = 1 << 28
_WAL_MAGIC: Final = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")
_WAL_HEAD: Final = 32


def headers(content: bytes) -> Iterator[bytes]:
    """The headers in the order of their numbers.

    Raises (while iterating):
        DatabaseUnreadable: it is damaged, or no database of rpm.
    """
    try:
        with closing(_opened(content)) as database:
            yield from _rows(database, len(content))
    except (sqlite3.Error, OverflowError, MemoryError) as error:
        raise DatabaseUnreadable(f"SQLite: {str(error)[:100]}") from error


def pending(log: bytes) -> bool:
    """Whether a write-ahead log holds changes: it has a frame that its own salt vouches for."""
    if log[:4] not in _WAL_MAGIC or len(log) <= _WAL_HEAD + 24:
        return bool(log.strip(b"\0"))
    return log[16:24] == log[_WAL_HEAD + 8 : _WAL_HEAD + 16]


def _opened(content: bytes) -> sqlite3.Connection:
    image = bytearray(content)
    image[_MODES] = b"\x01\x01"
    database = sqlite3.connect(":memory:", isolation_level=None)
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return int(steps > _MOST_STEPS)

    database.deserialize(image)
    database.set_progress_handler(step, _STEP)
    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MOST_VALUE)
    database.execute("PRAGMA trusted_schema=OFF")
    database.execute("PRAGMA cell_size_check=ON")
    database.set_authorizer(_only_reading)
    return database


def _only_reading(action: int, *_: object) -> int:
    return sqlite3.SQLITE_OK if action in (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ) else sqlite3.SQLITE_DENY


def _rows(database: sqlite3.Connection, left: int) -> Iterator[bytes]:
    kinds = database.execute("SELECT type, rootpage FROM sqlite_master WHERE name = 'Packages'").fetchall()
    # A view or a virtual table of that name would run what it likes; both have no root page.
    if [kind for kind, root in kinds if kind == "table" and root] != ["table"]:
        raise DatabaseUnreadable("it has no table of packages")
    for (blob,) in database.execute("SELECT blob FROM Packages ORDER BY hnum"):
        if not isinstance(blob, bytes):
            raise DatabaseUnreadable("a row holds no header")
        left -= len(blob)
        if left < 0:
            raise DatabaseUnreadable("its rows share pages")
        yield blob
