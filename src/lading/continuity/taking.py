"""Take a backup: hold, snapshot, items, sets, point. Pushes go on all the while."""

from __future__ import annotations

import fcntl
import heapq
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Final, Protocol

import msgspec

from lading.continuity.errors import BackupDamaged, CopyFailed, RepositoryBusy
from lading.continuity.gathering import Place, gather_after, gather_before
from lading.continuity.items import Kept, beside, read_lines, write_line
from lading.continuity.point import (
    ITEMS,
    FileKept,
    Manifest,
    Point,
    SetUsed,
    choose,
    points,
    read_manifest,
    seal,
    tags_of,
    write_manifest,
)
from lading.continuity.ports import Captured, Content, Holding, Metadata, Telling
from lading.continuity.repository import Inspection, Repository, Snapshot
from lading.continuity.sets import Sets, known_sets, worth_keeping
from lading.facts import Ledger
from lading.kernel.clock import Clock, timestamp
from lading.state import migrate

_MOST_MISSING: Final = 1_000
_AT_ONCE: Final = 500
_EXTEND_SECONDS: Final = 300.0
PATIENCE_SECONDS: Final = 6 * 3_600.0
_TURN_SECONDS: Final = 0.2


class Source(Repository, Inspection, Protocol):
    """What taking a backup needs of a repository."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a backup did. `added` bytes are new to the repository; `missing` items were lost before."""

    point: Point
    manifest: Manifest
    new_items: int
    added: int
    seconds: float


@dataclass
class _Written:
    """What went into the list of items, by the number of its set."""

    new: int = 0
    items: Counter[int] = field(default_factory=Counter)
    bytes: Counter[int] = field(default_factory=Counter)
    missing: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Parts:
    """What backups of one Lading are taken of, and how."""

    metadata: Metadata
    content: Content
    holding: Holding
    place: Place
    ledger: Ledger
    clock: Clock
    version: str
    blobs_in: str
    actor: str = "system:backup"


class Taking:
    """Takes backups of one Lading into one repository, one at a time.

    Args:
        directory: scratch in the data directory, so that files can be linked into it.
    """

    def __init__(self, repository: Source, parts: Parts, directory: Path) -> None:
        self._repository = repository
        self._parts = parts
        self._directory = directory

    def take(self, backup: str, telling: Telling, *, telemetry: bool = False, full: bool = False) -> Taken:
        """Take one.

        Args:
            telemetry: logs and samples too.
            full: read everything again, as if nothing had been saved before.

        Raises:
            RepositoryBusy: another backup of this data directory is under way.
            RepositoryAbsent, WrongPassword, RepositoryFailed, CopyFailed, ToolMissing: nothing was lost or changed;
                what was saved already is used by the next backup.
        """
        with exclusive(self._directory), self._held(backup):
            work = self._directory / "work"
            shutil.rmtree(work, ignore_errors=True)
            (work / "point" / "database").mkdir(parents=True, mode=0o700)
            try:
                return self._take(backup, work, telling, telemetry=telemetry, full=full)
            except OSError as error:
                raise CopyFailed(
                    f"The backup could not be staged in {work}: {error.strerror}.",
                    remedy="Free some space in the data directory; nothing was changed.",
                ) from error
            finally:
                shutil.rmtree(work, ignore_errors=True)

    def _take(self, backup: str, work: Path, telling: Telling, *, telemetry: bool, full: bool) -> Taken:
        parts, point = self._parts, work / "point"
        started = parts.clock.monotonic()
        snapshots = self._repository.snapshots()
        telling.step("Copy the database")
        gather_before(parts.place, point)
        at = timestamp(parts.clock.now())
        with parts.metadata.capture(point / "database") as captured:
            draft = self._draft(backup, at, captured)
            wanted = self._write_wanted(captured, work / "wanted.txt")
        telling.say(f"{wanted} blobs and sources are named at {at}, entry {draft.entries} of the ledger")
        gather_after(parts.place, point, telemetry=telemetry)
        telling.step("Save what is new")
        sets, known = ([], iter(())) if full else self._known(snapshots, work)
        saving = self._saving(draft, sets, work, telling)
        with closing(saving):
            written = self._save_items(work / "wanted.txt", known, saving, point / ITEMS)
        telling.step("Save the point")
        files = tuple(seal(point))
        manifest = _complete(draft, written, saving.used, files)
        write_manifest(point, manifest)
        saved = self._repository.save(point, tags_of(manifest), self._progress(backup, telling))
        seconds = parts.clock.monotonic() - started
        telling.say(
            f"{written.new} new items, {(saving.added + saved.added) / 1e6:.1f} MB added, {seconds:.1f} s", "done"
        )
        shown = points([Snapshot(saved.snapshot, tags_of(manifest))])[0]
        return Taken(shown, manifest, written.new, saving.added + saved.added, seconds)

    def _draft(self, backup: str, at: str, captured: Captured) -> Manifest:
        parts = self._parts
        head = parts.ledger.head(captured.tx)
        return Manifest(
            backup=backup,
            at=at,
            lading=parts.version,
            schema=migrate.revision_in(captured.tx),
            database=parts.metadata.kind,
            server=captured.server,
            entries=head.seq,
            head=head.hash.hex(),
            items=0,
            bytes=0,
            sets=(),
            files=(),
            blobs_in=parts.blobs_in,
        )

    def _write_wanted(self, captured: Captured, file: Path) -> int:
        """Keep what the snapshot names in a file: it is read while sets are saved, long after the snapshot's end."""
        count = 0
        with file.open("w", encoding="ascii") as handle:
            for item in chain(self._parts.content.named(captured.tx), self._parts.content.unnamed()):
                handle.write(write_line(Kept(item, 0)))
                count += 1
        return count

    def _known(self, snapshots: list[Snapshot], work: Path) -> tuple[list[SetUsed], Iterator[Kept]]:
        """The sets to go on using, and what they hold, sorted by path.

        The last point says it for its own sets. Sets that no point has were saved by a backup that was killed.
        """
        keep = worth_keeping(known_sets(snapshots))
        sets: list[SetUsed] = list(keep.values())
        number = {one.snapshot: index for index, one in enumerate(sets)}
        lists: list[Iterator[Kept]] = []
        listed: set[str] = set()
        if found := points(snapshots):
            last = work / "last"
            with suppress(BackupDamaged):
                self._repository.restore(choose(found).snapshot, last)
                manifest = read_manifest(last)
                before = {index: number.get(one.snapshot) for index, one in enumerate(manifest.sets)}
                listed = {one.snapshot for one in manifest.sets}
                (last / ITEMS).rename(work / "last.txt")
                lists.append(_renumbered(work / "last.txt", before))
            shutil.rmtree(last, ignore_errors=True)
        for one in sets:
            if one.snapshot not in listed:
                lists.append(self._listed(one.snapshot, number[one.snapshot], work))
        return sets, heapq.merge(*lists, key=lambda kept: kept.item.path)

    def _listed(self, snapshot: str, number: int, work: Path) -> Iterator[Kept]:
        """What a set holds, by the repository's own word."""
        file = work / f"set-{number}.txt"
        with file.open("w", encoding="ascii") as handle:
            handle.writelines(write_line(Kept(item, number)) for item in sorted(self._repository.files(snapshot)))
        return read_lines(file)

    def _saving(self, draft: Manifest, sets: list[SetUsed], work: Path, telling: Telling) -> Sets:
        def saved(made: SetUsed) -> None:
            self._parts.holding.extend_backup(draft.backup)
            telling.say(f"a set of {made.items} items, {made.bytes / 1e6:.1f} MB, is saved")

        progress = self._progress(draft.backup, telling)
        content = self._parts.content
        return Sets(self._repository, content, draft.backup, draft.at, sets, work / "set", progress, saved)

    def _save_items(self, wanted: Path, known: Iterator[Kept], saving: Sets, file: Path) -> _Written:
        """Write the list of items, saving those that are in no set."""
        written = _Written()
        with file.open("w", encoding="ascii") as handle:
            compared = beside((kept.item for kept in read_lines(wanted)), known)
            while some := list(islice(compared, _AT_ONCE)):
                fresh = iter(saving.add([item for item, has in some if has is None]))
                for item, has in some:
                    number = next(fresh) if has is None else has
                    if number is None:
                        written.missing.append(item.path)
                        continue
                    written.new += has is None
                    written.items[number] += 1
                    written.bytes[number] += item.size
                    handle.write(write_line(Kept(item, number)))
            saving.save()
        return written

    def _progress(self, backup: str, telling: Telling) -> _Progress:
        return _Progress(backup, self._parts, telling)

    @contextmanager
    def _held(self, backup: str) -> Iterator[None]:
        parts = self._parts
        parts.holding.begin_backup(backup, why="a backup is being taken", actor=parts.actor)
        try:
            yield
        finally:
            parts.holding.end_backup(backup, actor=parts.actor)


class _Progress:
    """Says how far saving is, every tenth, and keeps the hold from running out meanwhile."""

    def __init__(self, backup: str, parts: Parts, telling: Telling) -> None:
        self._backup = backup
        self._parts = parts
        self._telling = telling
        self._extended = parts.clock.monotonic()
        self._tenth = 0

    def __call__(self, share: float, done: int) -> None:
        now = self._parts.clock.monotonic()
        if now - self._extended > _EXTEND_SECONDS:
            self._extended = now
            self._parts.holding.extend_backup(self._backup)
        tenth = int(share * 10)
        if tenth != self._tenth and 0 < share < 1:
            self._telling.say(f"{share:.0%}, {done / 1e6:.1f} MB read", "detail")
        self._tenth = tenth


@contextmanager
def exclusive(directory: Path, *, patience: float = PATIENCE_SECONDS) -> Iterator[None]:
    """Keep other work out of a scratch directory; waits its turn; raises RepositoryBusy after `patience` seconds."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    deadline = time.monotonic() + patience
    with (directory / "lock").open("a") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if time.monotonic() >= deadline:
                    raise RepositoryBusy(
                        "Other work on the backups of this data directory is under way.",
                        remedy="See `lading backup status`.",
                    ) from error
            time.sleep(_TURN_SECONDS)
        yield


def _renumbered(file: Path, numbers: dict[int, int | None]) -> Iterator[Kept]:
    """The items of a list with the numbers that their sets have now; those whose set is not used are left out."""
    for kept in read_lines(file):
        number = numbers.get(kept.set)
        if number is not None:
            yield Kept(kept.item, number)


def _complete(draft: Manifest, written: _Written, sets: list[SetUsed], files: tuple[FileKept, ...]) -> Manifest:
    used = [
        msgspec.structs.replace(one, items=written.items[number], bytes=written.bytes[number])
        for number, one in enumerate(sets)
    ]
    return msgspec.structs.replace(
        draft,
        items=written.items.total(),
        bytes=written.bytes.total(),
        sets=tuple(used),
        files=files,
        missing=tuple(written.missing[:_MOST_MISSING]),
    )
