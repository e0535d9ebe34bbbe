"""Holds: place, extend, release, and what garbage collection and retention have to leave alone.

A hold of kind `backup` stands while a backup copies the blobs that its snapshot of the metadata names. It runs out by
itself, so that a backup that was killed holds nothing up for longer than an hour. A hold of kind `legal` stands on one
image, with a reason and perhaps an end.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import msgspec

from lading.facts import Ledger
from lading.facts.kinds.holding import HoldPlaced, HoldReleased
from lading.kernel.clock import Clock, SystemClock, parse_timestamp, timestamp
from lading.kernel.digest import Digest
from lading.kernel.errors import Conflict, InvalidInput, NotFound
from lading.state import Database, Transaction
from lading.supply_chain.registry.holding import sql

BACKUP: Final = "backup"
LEGAL: Final = "legal"

# The blobs' times were taken by other processes, perhaps on other machines.
_CLOCKS_DIFFER: Final = timedelta(minutes=5)


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """One hold. `name` is a backup's id or an image's digest; `until` is empty for one that is released by hand."""

    kind: str
    name: str
    until: str
    why: str
    who: str
    made: str


@dataclass(frozen=True, slots=True)
class Protection:
    """What may not be deleted at this moment.

    `stored_before`: no blob that was stored before this moment (RFC 3339, to be compared as text) is deleted, whether
    anything refers to it or not; empty when no backup is under way. `images` are digests under legal hold: they, their
    tags, what they are made of and what is served with them stay.
    """

    stored_before: str
    images: frozenset[str]

    def covers_blob(self, stored: str) -> bool:
        """Whether a blob stored at `stored` stays because of a backup under way."""
        return stored < self.stored_before


class Holds:
    """The holds of one registry."""

    def __init__(self, database: Database, ledger: Ledger, clock: Clock | None = None) -> None:
        self._database = database
        self._ledger = ledger
        self._clock = clock or SystemClock()

    def protection(self, tx: Transaction) -> Protection:
        """What may not be deleted, to be asked for in the writing transaction that decides on deletions.

        A hold that is placed meanwhile waits until that transaction ends; so whoever placed one knows that every later
        decision honours it.
        """
        sql.shut_out_writers(tx)
        rows = sql.in_force(tx, timestamp(self._clock.now()))
        backups = [parse_timestamp(row.made) + _CLOCKS_DIFFER for row in rows if row.kind == BACKUP]
        return Protection(
            stored_before=timestamp(max(backups)) if backups else "",
            images=frozenset(row.name for row in rows if row.kind == LEGAL),
        )

    def begin_backup(self, backup: str, *, why: str, actor: str, lasting: timedelta = timedelta(hours=1)) -> Hold:
        """Let every blob stay that is stored now, until released or `lasting` has passed without `extend_backup`."""
        return self._place(BACKUP, backup, timestamp(self._clock.now() + lasting), why, actor)

    def extend_backup(self, backup: str, *, lasting: timedelta = timedelta(hours=1)) -> None:
        """Let the hold of a backup end later.

        Raises:
            Conflict: it had run out, so blobs may have been deleted since; the backup cannot go on.
        """
        now = self._clock.now()
        with self._database.write() as tx:
            sql.shut_out_readers(tx)
            row = sql.find(tx, BACKUP, backup)
            if row is None or row.until <= timestamp(now):
                raise Conflict(
                    f"The hold of backup {backup} had run out, so blobs may have been deleted since.",
                    remedy="Take the backup again.",
                )
            sql.extend(tx, BACKUP, backup, timestamp(now + lasting))

    def end_backup(self, backup: str, *, actor: str) -> None:
        """Release the hold of a backup, and forget those that ran out; nothing happens when there is none."""
        with self._database.write() as tx:
            if sql.delete(tx, BACKUP, backup):
                self._ledger.append(tx, [HoldReleased(hold=BACKUP, name=backup)], actor=actor)
            sql.delete_ended(tx, BACKUP, timestamp(self._clock.now()))

    def hold(self, image: Digest, *, why: str, actor: str, until: datetime | None = None) -> Hold:
        """Place an image under legal hold; one that is held already gets the new reason and end.

        Raises:
            InvalidInput: there is no reason, or the end lies in the past.
        """
        if not why.strip():
            raise InvalidInput("A hold needs a reason.", remedy="Say why, such as the number of the case.")
        if until is not None and until <= self._clock.now():
            raise InvalidInput(f"The hold would end at {timestamp(until)}, which is over.", remedy="Give a later end.")
        return self._place(LEGAL, str(image), timestamp(until) if until else "", why, actor)

    def release(self, image: Digest, *, actor: str) -> None:
        """End the legal hold of an image; raises NotFound when there is none."""
        with self._database.write() as tx:
            sql.shut_out_readers(tx)
            if not sql.delete(tx, LEGAL, str(image)):
                raise NotFound(f"Image {image} is not under hold.", remedy="See `lading image holds`.")
            self._ledger.append(tx, [HoldReleased(hold=LEGAL, name=str(image))], actor=actor)

    def all(self, kind: str = "") -> list[Hold]:
        """The holds in force, oldest first."""
        with self._database.read() as tx:
            rows = sql.in_force(tx, timestamp(self._clock.now()), kind)
        return [
            Hold(kind=row.kind, name=row.name, until=row.until, why=row.why, who=row.who, made=row.made) for row in rows
        ]

    def _place(self, kind: str, name: str, until: str, why: str, actor: str) -> Hold:
        with self._database.write() as tx:
            sql.shut_out_readers(tx)
            # Taken after the wait: what was decided on before is over by now.
            made = timestamp(self._clock.now())
            hold = Hold(kind=kind, name=name, until=until, why=why, who=actor, made=made)
            sql.save(tx, msgspec.structs.asdict(hold))
            self._ledger.append(tx, [HoldPlaced(hold=kind, name=name, why=why, until=until)], actor=actor)
        return hold
