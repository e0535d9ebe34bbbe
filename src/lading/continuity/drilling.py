"""Drill a restore: everything as in a restore, into a scratch place, compared and thrown away.

What it costs is measured: the recovery time is the time until the ledger of the restored database is verified, the
recovery point is the age of the backup when the drill began, which is what would have been lost.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from lading.continuity.errors import BackupDamaged, CopyFailed
from lading.continuity.items import Item
from lading.continuity.point import Point, choose, points
from lading.continuity.ports import Books, Content, Metadata, Telling
from lading.continuity.repository import Repository
from lading.continuity.restoring import assemble
from lading.continuity.sets import MOST_BYTES
from lading.kernel.clock import Clock, parse_timestamp

# The database of the drill: made for it, and removed after it.
ScratchMetadata = Callable[[], AbstractContextManager[Metadata]]


@dataclass(frozen=True, slots=True)
class Drilled:
    """What a drill found."""

    point: Point
    rto_seconds: float
    rpo_seconds: float
    compared: int
    bytes: int
    entries: int
    missing: int


def drill(
    repository: Repository,
    work: Path,
    *,
    scratch: ScratchMetadata,
    content: Content,
    books: Books,
    clock: Clock,
    telling: Telling,
    backup: str = "",
) -> Drilled:
    """Restore the last point, or the one named, compare every digest, verify the ledger.

    Raises:
        BackupDamaged, IntegrityFailure: the backup would not have helped.
        CopyFailed: there is no room or no database for a drill.
    """
    started, now = clock.monotonic(), clock.now()
    point = choose(points(repository.snapshots()), backup=backup)
    shutil.rmtree(work, ignore_errors=True)
    try:
        work.mkdir(parents=True, mode=0o700)
        _demand_room(work, point)
        with scratch() as metadata:
            made = assemble(
                repository,
                point,
                work,
                metadata=metadata,
                content=content,
                books=books,
                deal=_throw_away,
                telling=telling,
            )
            made.database.close()
        rto = clock.monotonic() - started
    except OSError as error:
        raise CopyFailed(
            f"The drill could not write to {work}: {error.strerror}.", remedy="Free some space, or set another place."
        ) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    rpo = max(0.0, (now - parse_timestamp(point.at)).total_seconds())
    missing = len(made.manifest.missing)
    telling.say(f"{made.compared} digests compared; RTO {rto:.1f} s, RPO {rpo:.0f} s", "done")
    if missing:
        raise BackupDamaged(
            f"Backup {point.backup} restores, but for {missing} items that storage had lost before it was taken.",
            remedy="Push the images that name them again.",
            details=made.manifest.missing[:10],
        )
    return Drilled(point, rto, rpo, made.compared, made.manifest.bytes, made.entries, missing)


def _throw_away(_item: Item, file: Path) -> None:
    file.unlink()


def _demand_room(work: Path, point: Point) -> None:
    need = min(point.bytes, MOST_BYTES)
    free = shutil.disk_usage(work).free
    if free < need:
        raise CopyFailed(
            f"A drill needs about {need / 1e6:.0f} MB in {work}, and {free / 1e6:.0f} MB are free.",
            remedy="Free some space, or name another place with LADING_BACKUP_SCRATCH.",
        )
