"""The repository: where backups are kept, as snapshots of directories. Encrypted, deduplicated, append-only in use."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lading.continuity.items import Item

# Called now and then while something is saved: share done (0 to 1), bytes done.
Progress = Callable[[float, int], None]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A directory as it was saved. `tags` say what it is."""

    id: str
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Saved:
    """What saving did: `added` bytes were new to the repository, after deduplication and compression."""

    snapshot: str
    added: int


class Repository(Protocol):
    """Snapshots that can be saved and read back.

    Every method raises RepositoryAbsent, WrongPassword and RepositoryFailed.
    """

    def identity(self) -> str:
        """The id of the repository: another one means that it is not the one that was used before."""
        ...

    def create(self) -> str:
        """Make a new, empty repository and return its id; raises RepositoryFailed when there is one."""
        ...

    def save(self, directory: Path, tags: Mapping[str, str], progress: Progress) -> Saved:
        """Save everything in a directory, whole or not at all; durable on return.

        Args:
            tags: names to values, neither with `,` or `=`.
        """
        ...

    def snapshots(self) -> list[Snapshot]:
        """All snapshots, oldest first."""
        ...

    def restore(self, snapshot: str, target: Path) -> None:
        """Write what a snapshot holds into a directory; raises BackupDamaged when some of it cannot be read."""
        ...


class Inspection(Protocol):
    """Looking into a repository without restoring; raises what `Repository` does, and BackupDamaged."""

    def files(self, snapshot: str) -> Iterator[Item]:
        """The files of a snapshot with their sizes, in any order."""
        ...

    def check(self, *, read_data: bool) -> None:
        """Check that everything the snapshots need is there; with `read_data`, read and check every byte.

        Raises:
            BackupDamaged: something is missing or changed; the details name it.
            RepositoryBusy: somebody holds the repository.
        """
        ...


class Upkeep(Protocol):
    """Making room in a repository; raises what `Repository` does, and RepositoryBusy."""

    def forget(self, snapshots: list[str]) -> None:
        """Remove snapshots; the space they took stays until `prune`. Those that are gone are passed over."""
        ...

    def prune(self) -> None:
        """Give back the space that no snapshot needs."""
        ...


class Vault(Repository, Inspection, Upkeep, Protocol):
    """All that can be done with a repository."""
