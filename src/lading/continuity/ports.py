"""What a backup and a restore need of the other rooms."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lading.continuity.items import Item
from lading.state import Database, Transaction


class Telling(Protocol):
    """Somebody who watches long work."""

    def step(self, name: str) -> None:
        """What follows belongs to a new step."""
        ...

    def say(self, text: str, level: str = "info") -> None:
        """Something happened."""
        ...


@dataclass(frozen=True, slots=True)
class Captured:
    """A copy of the database. `tx` reads the rows as they were at the moment of the copy; `server` is the version."""

    tx: Transaction
    server: str


class Metadata(Protocol):
    """The database as a thing that can be copied and loaded. `kind` is `sqlite` or `postgresql`."""

    @property
    def kind(self) -> str:
        """Which kind of database it is."""
        ...

    def capture(self, directory: Path) -> AbstractContextManager[Captured]:
        """Write a copy into an empty directory, as of one moment, while others go on writing.

        Raises:
            CopyFailed: the database or the disk fails.
            ToolMissing: the program that copies is missing or older than the database.
        """
        ...

    def is_empty(self) -> bool:
        """Whether nothing would be lost by loading; a database in a file is a new one in each data directory."""
        ...

    def load(self, directory: Path, data: Path) -> Database:
        """Load a copy, whole or not at all, instead of what the database holds, and open it.

        Args:
            data: the data directory being restored, which a database in a file becomes a part of.

        Raises:
            CopyFailed: the copy cannot be loaded.
            ToolMissing: the program that loads is missing or older than the database.
        """
        ...


class Content(Protocol):
    """The immutable files that the database names."""

    def named(self, tx: Transaction) -> Iterator[Item]:
        """Every item that the rows seen by `tx` name, sorted by path."""
        ...

    def unnamed(self) -> Iterator[Item]:
        """Items that are kept without a row that names them, sorted by path, all of them after those of `named`."""
        ...

    def stage(self, item: Item, file: Path) -> bool:
        """Make a file of an item, as a hard link where possible; False when storage lost it or has another size.

        Raises Unavailable when storage fails.
        """
        ...

    def place(self, item: Item, file: Path, data: Path) -> None:
        """Give a checked file to the storage of a data directory that is being restored; `file` may be moved away."""
        ...


class Holding(Protocol):
    """Keeps garbage collection off while a backup is under way."""

    def begin_backup(self, backup: str, *, why: str, actor: str) -> object:
        """From now on nothing is deleted that is stored already, for an hour."""
        ...

    def extend_backup(self, backup: str) -> None:
        """For another hour; raises Conflict when the hold had ended."""
        ...

    def end_backup(self, backup: str, *, actor: str) -> None:
        """Deleting may go on."""
        ...


class Books(Protocol):
    """The ledger and the holds of a restored database, with the checkpoints and keys beside it."""

    def verify(self, database: Database, data: Path) -> int:
        """Recompute the chain and hold it against every checkpoint; returns the number of entries.

        Raises:
            IntegrityFailure: something was changed, is missing, or is signed by an unknown key.
        """
        ...

    def release(self, database: Database, backup: str, actor: str) -> None:
        """Release the hold that stood while the backup was taken and was copied with everything else."""
        ...
