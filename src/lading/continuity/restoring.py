"""Restore a point: everything into a staging directory, every digest checked, the ledger verified, then into place.

`assemble` is what restores and drills share. What becomes of each checked item is decided by who calls it: a restore
gives it to storage, a drill throws it away.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from lading.continuity.errors import BackupDamaged, RestoreRefused
from lading.continuity.items import Item, read_lines, write_line
from lading.continuity.point import ITEMS, Manifest, Point, read_manifest
from lading.continuity.ports import Books, Content, Metadata, Telling
from lading.continuity.repository import Repository
from lading.kernel.digest import Digest
from lading.state import Database, migrate

STAGING: Final = "restoring"
_OURS: Final = "database-may-be-cleared"
_SETTINGS: Final = "lading.toml"
# What may be in a data directory that counts as empty: locks, scratch, what file systems put there, settings.
_NOTHING: Final = frozenset({"run", "backup", "lost+found", STAGING, _SETTINGS})
_OPEN_LISTS: Final = 200

Deal = Callable[[Item, Path], None]


@dataclass(frozen=True, slots=True)
class Assembled:
    """What was put together: the manifest, the open database, the files compared, the ledger's entries."""

    manifest: Manifest
    database: Database
    compared: int
    entries: int


def assemble(
    repository: Repository,
    point: Point,
    staging: Path,
    *,
    metadata: Metadata,
    content: Content,
    books: Books,
    deal: Deal,
    telling: Telling,
) -> Assembled:
    """Put a point together below `staging/data`.

    Raises:
        BackupDamaged: something is missing, or a digest is another.
        IntegrityFailure: the ledger or its checkpoints do not hold.
        RestoreRefused: the point needs another kind of database or a newer Lading.
    """
    telling.step("Restore the point")
    repository.restore(point.snapshot, staging / "point")
    manifest = read_manifest(staging / "point")
    _demand_fit(manifest, metadata)
    telling.say(f"backup {manifest.backup} of {manifest.at}: {manifest.items} items, {manifest.bytes / 1e6:.1f} MB")
    data = staging / "data"
    if (staging / "point" / "data").is_dir():
        (staging / "point" / "data").rename(data)
    data.mkdir(exist_ok=True, mode=0o700)
    telling.step("Restore blobs and sources")
    compared = _deal_items(repository, manifest, staging, deal, telling)
    telling.step("Load the database")
    database = metadata.load(staging / "point" / "database", data)
    try:
        _demand_named(database, content, staging / "point" / ITEMS, manifest)
        telling.step("Verify the ledger")
        entries = books.verify(database, data)
        if entries < manifest.entries:
            raise BackupDamaged(f"The restored ledger has {entries} entries; the backup had {manifest.entries}.")
        telling.say(f"{entries} entries and their checkpoints hold")
    except BaseException:
        database.close()
        raise
    return Assembled(manifest, database, compared, entries)


def prepare_staging(data: Path, metadata: Metadata, *, replace: bool) -> Path:
    """An empty staging directory in a data directory that may be restored into.

    A restore that was killed left its staging directory behind: what it had done already is no hindrance.

    Raises:
        RestoreRefused: the data directory or the database holds something, and nobody said that it may be replaced.
    """
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    staging = data / STAGING
    if not replace and not (staging / _OURS).exists() and not metadata.is_empty():
        raise RestoreRefused(
            "The database is not empty.",
            remedy="Name an empty one with LADING_DATABASE_URL, or add --replace to lose what it holds.",
        )
    held = sorted(path.name for path in data.iterdir() if path.name not in _NOTHING)
    if held and not staging.exists() and not replace:
        raise RestoreRefused(
            f"The data directory {data} is not empty.",
            remedy="Restore into another (LADING_DATA), or add --replace to move what it holds aside.",
            details=tuple(held[:10]),
        )
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(mode=0o700)
    # From here on what is in the database is of this restore, or was given up.
    (staging / _OURS).touch()
    return staging


def refuse_half_restored(data: Path) -> None:
    """Raises RestoreRefused when a restore into this data directory began and did not end."""
    if (data / STAGING).exists():
        raise RestoreRefused(
            f"A restore into {data} was not finished.",
            remedy=f"Run the same `lading backup restore` again, or remove {data / STAGING} to give it up.",
        )


def move_into_place(staging: Path, data: Path, stamp: str) -> None:
    """Make what was staged the data directory; what is in the way goes to `replaced-STAMP`, settings stay.

    The database comes last, and the staging directory goes after it: until then no server starts.
    """
    made = staging / "data"
    aside = made / "restored-aside"
    if (staging / "point" / "aside").is_dir():
        (staging / "point" / "aside").rename(aside)
    if (data / _SETTINGS).exists() and (made / _SETTINGS).exists():
        aside.mkdir(exist_ok=True, mode=0o700)
        (made / _SETTINGS).rename(aside / _SETTINGS)
    names = sorted((path.name for path in made.iterdir()), key=lambda name: (name.startswith("lading.db"), name))
    replaced = data / f"replaced-{stamp}"
    for path in list(data.iterdir()):
        if path.name not in _NOTHING and not path.name.startswith("replaced-"):
            replaced.mkdir(exist_ok=True, mode=0o700)
            path.rename(replaced / path.name)
    for name in names:
        (made / name).rename(data / name)
    _flush(data)
    shutil.rmtree(staging)


def _flush(directory: Path) -> None:
    """Everything that was written and renamed is on the disk."""
    os.sync()
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _demand_fit(manifest: Manifest, metadata: Metadata) -> None:
    if manifest.database != metadata.kind:
        raise RestoreRefused(
            f"The backup is of a {manifest.database} database, and the settings name a {metadata.kind} database.",
            remedy="Set LADING_DATABASE_URL to an empty PostgreSQL database."
            if manifest.database == "postgresql"
            else "Unset LADING_DATABASE_URL.",
        )
    if manifest.schema and manifest.schema not in migrate.revisions():
        raise RestoreRefused(
            f"The backup has schema {manifest.schema} of Lading {manifest.lading}, which this version does not know.",
            remedy="Restore it with that version or a newer one.",
        )


def _deal_items(repository: Repository, manifest: Manifest, staging: Path, deal: Deal, telling: Telling) -> int:
    """Restore set after set, check every item that the point needs, and deal it; returns how many."""
    compared = 0
    lists = _split(staging / "point" / ITEMS, staging / "lists")
    needed = [(number, one) for number, one in enumerate(manifest.sets) if one.items]
    for place, (number, one) in enumerate(needed, start=1):
        target = staging / "set"
        repository.restore(one.snapshot, target)
        for kept in read_lines(lists[number]) if number in lists else ():
            _check(kept.item, target / kept.item.path)
            deal(kept.item, target / kept.item.path)
            compared += 1
        shutil.rmtree(target)
        telling.say(f"set {place} of {len(needed)}: {one.items} items, {one.bytes / 1e6:.1f} MB", "detail")
    if compared != manifest.items:
        raise BackupDamaged(f"The backup has {compared} items of {manifest.items}.")
    return compared


def _split(items: Path, directory: Path) -> dict[int, Path]:
    """The list of items as one list for each set."""
    directory.mkdir()
    handles: dict[int, IO[str]] = {}
    found: dict[int, Path] = {}
    try:
        for kept in read_lines(items):
            if kept.set not in handles:
                if len(handles) >= _OPEN_LISTS:
                    handles.pop(next(iter(handles))).close()
                found[kept.set] = directory / f"{kept.set}.txt"
                handles[kept.set] = found[kept.set].open("a", encoding="ascii")
            handles[kept.set].write(write_line(kept))
    finally:
        for handle in handles.values():
            handle.close()
    return found


def _check(item: Item, file: Path) -> None:
    """Raises BackupDamaged unless the file is there and is the item."""
    try:
        with file.open("rb") as handle:
            found = _hash(handle, item.digest.algorithm)
    except OSError as error:
        raise BackupDamaged(f"{item.path} is not in the backup: {error.strerror}.") from error
    if found != item.digest:
        raise BackupDamaged(
            f"{item.path} is not what its digest says.",
            remedy="The backup or the storage it was taken of is damaged; try an earlier one.",
            details=(f"it has digest {found}",),
        )


def _hash(handle: IO[bytes], algorithm: str) -> Digest:
    return Digest(algorithm, hashlib.file_digest(handle, algorithm).hexdigest())  # type: ignore[arg-type]


def _demand_named(database: Database, content: Content, items: Path, manifest: Manifest) -> None:
    """Raises BackupDamaged when the restored rows name something that the point does not have."""
    listed: Iterator[Item] = (kept.item for kept in read_lines(items))
    here = next(listed, None)
    lost: list[str] = []
    with database.read() as tx:
        for item in content.named(tx):
            while here is not None and here.path < item.path:
                here = next(listed, None)
            if here != item:
                lost.append(item.path)
    known = set(manifest.missing)
    unknown = [path for path in lost if path not in known]
    if unknown:
        raise BackupDamaged(
            f"The restored database names {len(unknown)} items that the backup does not have.",
            details=tuple(unknown[:10]),
        )
