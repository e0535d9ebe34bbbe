"""A point: one moment of a Lading that can be had again, and the manifest that says what belongs to it.

manifest.json   this page's `Manifest`, with the SHA-256 of every other file of the point
items.txt       every item with its size and the number of the set that has it, sorted by path
database/       the copy of the database
data/           files of the data directory: keys, checkpoints, spool, settings, telemetry when asked for
aside/          what lies outside of the data directory: rules, the settings file, the settings in force
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from lading.continuity.errors import BackupDamaged, BackupUnknown
from lading.continuity.repository import Snapshot

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
ITEMS: Final = "items.txt"
POINT: Final = "point"
SET: Final = "set"
DIGITS: Final = 12
_MOST_MANIFEST: Final = 64 << 20


class SetUsed(msgspec.Struct, frozen=True, kw_only=True):
    """A set; its place in a point's list is its number in `items.txt`.

    In a point, `items` and `bytes` count what the point needs of it; 0 means that it is listed for its number only.
    """

    snapshot: str
    items: int
    bytes: int


class FileKept(msgspec.Struct, frozen=True, kw_only=True):
    """One file of the point itself."""

    path: str
    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a point is made of. `missing` are items that the database names and storage had lost already."""

    format: int = FORMAT
    backup: str
    at: str
    lading: str
    schema: str
    database: str
    server: str
    entries: int
    head: str
    items: int
    bytes: int
    sets: tuple[SetUsed, ...]
    files: tuple[FileKept, ...]
    missing: tuple[str, ...] = ()
    blobs_in: str = ""


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """A point as the list of snapshots shows it."""

    backup: str
    at: str
    snapshot: str
    entries: int
    items: int
    bytes: int
    complete: bool = True
    sets: tuple[str, ...] = ()


def tags_of(manifest: Manifest) -> dict[str, str]:
    """What the snapshot of a point is marked with, so that listing points reads nothing else."""
    return {
        "kind": POINT,
        "backup": manifest.backup,
        "at": manifest.at,
        "entries": str(manifest.entries),
        "items": str(manifest.items),
        "bytes": str(manifest.bytes),
        "complete": "no" if manifest.missing else "yes",
        # What a point needs must not be forgotten; twelve digits tell one set from the others.
        "sets": "+".join(one.snapshot[:DIGITS] for one in manifest.sets if one.items),
    }


def points(snapshots: Iterable[Snapshot]) -> list[Point]:
    """The points among snapshots, oldest moment first."""
    found = [
        Point(
            backup=item.tags.get("backup", ""),
            at=item.tags.get("at", ""),
            snapshot=item.id,
            entries=_number(item.tags.get("entries", "")),
            items=_number(item.tags.get("items", "")),
            bytes=_number(item.tags.get("bytes", "")),
            complete=item.tags.get("complete", "yes") == "yes",
            sets=tuple(filter(None, item.tags.get("sets", "").split("+"))),
        )
        for item in snapshots
        if item.tags.get("kind") == POINT
    ]
    return sorted(found, key=lambda point: (point.at, point.snapshot))


def choose(found: list[Point], *, backup: str = "", at: str = "") -> Point:
    """The point with the id that `backup` begins, or the last one not after `at`, or the last one.

    Raises:
        BackupUnknown: there is none.
    """
    if backup:
        named = [point for point in found if point.backup.startswith(backup) or point.snapshot.startswith(backup)]
        if len(named) != 1:
            many = "more than one backup" if named else "no backup"
            raise BackupUnknown(f"There is {many} {backup[:64]}.", remedy="See `lading backup ls`.")
        return named[0]
    early = [point for point in found if not at or point.at <= at]
    if not early:
        raise BackupUnknown(
            f"There is no backup of {at} or before." if at else "There is no backup yet.",
            remedy="See `lading backup ls`." if found else "Take one: `lading backup create`.",
        )
    return early[-1]


def seal(directory: Path) -> Iterator[FileKept]:
    """Every file below a directory with its hash, by path."""
    for path in sorted(path for path in directory.rglob("*") if path.is_file() and not path.is_symlink()):
        name = path.relative_to(directory).as_posix()
        if name != MANIFEST:
            yield FileKept(path=name, size=path.stat().st_size, sha256=_hash(path))


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Write the manifest; the last thing that is done to a point before it is saved."""
    (directory / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=1))


def read_manifest(directory: Path) -> Manifest:
    """The manifest of a restored point, after every file of the point was held against it.

    Raises:
        BackupDamaged: the manifest is missing or unreadable, or a file is missing or changed.
    """
    file = directory / MANIFEST
    try:
        if file.stat().st_size > _MOST_MANIFEST:
            raise BackupDamaged("The manifest of the backup is too large to be one.")
        manifest = msgspec.json.decode(file.read_bytes(), type=Manifest)
    except (OSError, msgspec.MsgspecError) as error:
        raise BackupDamaged(f"The manifest of the backup cannot be read: {error}.") from error
    if manifest.format != FORMAT:
        raise BackupDamaged(
            f"The backup has format {manifest.format}, which this version of Lading does not know.",
            remedy=f"Restore it with Lading {manifest.lading} or newer.",
        )
    for kept in manifest.files:
        path = directory / kept.path
        if not path.resolve().is_relative_to(directory.resolve()) or not path.is_file() or _hash(path) != kept.sha256:
            raise BackupDamaged(f"{kept.path} of backup {manifest.backup} is missing or not what was saved.")
    return manifest


def _hash(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0
