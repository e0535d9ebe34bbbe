"""Copies of a SQLite database, through its online backup interface.

All pages are copied in one step, which is one read transaction: writers go on in the write-ahead log, and what they
write is not in the copy. The pages keep their places, so that restic finds most of them unchanged from backup to backup
(VACUUM INTO would move them).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from lading.continuity.errors import CopyFailed
from lading.continuity.ports import Captured
from lading.state import Database

_NAME: Final = "lading.db"


class SqliteMetadata:
    """A database file."""

    kind = "sqlite"

    def __init__(self, file: Path) -> None:
        self._file = file

    @contextmanager
    def capture(self, directory: Path) -> Iterator[Captured]:
        copy = directory / _NAME
        opened = f"file:{self._file}?mode=ro"
        try:
            with (
                closing(sqlite3.connect(opened, uri=True, timeout=30)) as source,
                closing(sqlite3.connect(copy)) as target,
            ):
                source.backup(target, pages=-1)
                # Alone, without a log beside it: one file is the whole copy.
                target.execute("PRAGMA journal_mode=DELETE")
                found = target.execute("PRAGMA quick_check(1)").fetchone()[0]
        except sqlite3.Error as error:
            raise CopyFailed(
                f"The database {self._file} cannot be copied: {error}.", remedy="Check the disk and its free space."
            ) from error
        if found != "ok":
            raise CopyFailed(
                f"The database {self._file} is damaged: {found}.",
                remedy="Restore the last good backup; `lading backup ls` shows them.",
            )
        with closing(Database(f"sqlite:///{copy}", read_only=True)) as database, database.read() as tx:
            yield Captured(tx, sqlite3.sqlite_version)

    def is_empty(self) -> bool:
        return True

    def load(self, directory: Path, data: Path) -> Database:
        file = data / _NAME
        try:
            (directory / _NAME).rename(file)
        except OSError as error:
            raise CopyFailed(f"The copy of the database cannot be moved to {file}: {error.strerror}.") from error
        return Database(f"sqlite:///{file}")
