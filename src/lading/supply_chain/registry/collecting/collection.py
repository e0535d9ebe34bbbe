"""One garbage collection: page by page, each page one short transaction that also keeps how far it came."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from typing import Any, Final, Protocol

import msgspec

from lading.facts import Ledger
from lading.facts.kinds.collecting import GarbageCollected
from lading.kernel.clock import Clock, SystemClock, parse_timestamp, timestamp
from lading.kernel.digest import Digest
from lading.kernel.errors import InvalidInput
from lading.kernel.ids import new_id
from lading.state import Database, Transaction
from lading.supply_chain.registry.blobs import BlobStore
from lading.supply_chain.registry.collecting import sql
from lading.supply_chain.registry.holding import Holds, Protection
from lading.supply_chain.registry.manifest import MOST_NESTING
from lading.supply_chain.registry.sql import writing

_PAGE: Final = 500
_SHARE: Final = 1.0
"""After each page it rests as long as the page took, so that pushes get their turn at the database."""


class InUse(Protocol):
    """What runs."""

    def images(self) -> Collection[str]:
        """The digests of the images of running containers."""
        ...


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a collection is asked for.

    `grace` seconds pass before content that nothing names is given up: a push may be on its way to name it. `rate` is
    the most blobs to delete in a second, 0 for as fast as storage goes.
    """

    grace: float = 86_400.0
    rate: float = 0.0


class Deletion(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a collection gives up, and why."""

    what: str
    digest: str
    size: int
    repository: str
    why: str


class Collected(msgspec.Struct, frozen=True, kw_only=True):
    """A collection as it stands: `bytes` is what storage got back."""

    id: str
    actor: str
    started: str
    ended: str
    phase: str
    links: int
    blobs: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a collection is."""

    phase: str
    links: int
    blobs: int
    bytes: int


Say = Callable[[Progress], None]


class Collections:
    """Garbage collections of one registry; one goes on at a time, and an interrupted one goes on where it was.

    Args:
        storage: where the content lies.
        in_use: what runs; what a running image is made of stays, even when its manifest was deleted.
    """

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        storage: BlobStore,
        holds: Holds,
        in_use: InUse,
        clock: Clock | None = None,
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._storage = storage
        self._holds = holds
        self._in_use = in_use
        self._clock = clock or SystemClock()
        self._kept_for: frozenset[str] | None = None
        self._kept: set[str] = set()

    def recent(self, *, limit: int = 20) -> list[Collected]:
        """Collections, youngest first."""
        with self._database.read() as tx:
            return [_collected(row) for row in sql.recent(tx, limit)]

    def run(self, order: Order, *, actor: str, say: Say = lambda _progress: None) -> Collected:
        """Collect until nothing is left to collect; an unfinished collection is finished first, as it was ordered.

        Raises:
            InvalidInput: the grace or the rate is negative.
            StorageFailed: content could not be deleted; what was done so far stands, and the next call goes on.
        """
        _check(order)
        with self._database.write() as tx:
            row = sql.unfinished(tx)
            if row is None:
                now = self._clock.now()
                before = timestamp(now - timedelta(seconds=order.grace))
                identifier = new_id()
                values = {"id": identifier, "actor": actor, "started": timestamp(now), "before": before}
                sql.begin(tx, values | {"phase": "links"})
                row = sql.unfinished(tx)
        assert row is not None
        state = dict(row._mapping)
        if state["phase"] == "links":
            self._drop_links(state, order, say)
        self._delete_blobs(state, order, say)
        return self._end(state)

    def explain(self, order: Order) -> Iterator[Deletion]:
        """What a collection would give up now, and why; changes nothing."""
        _check(order)
        before = timestamp(self._clock.now() - timedelta(seconds=order.grace))
        yield from self._explain_links(before)
        yield from self._explain_blobs(before)

    def take_in_strays(self, listed: Iterator[tuple[Digest, int]]) -> int:
        """Know content that storage holds and the database does not (`listed`); it is collected after the grace.

        Such content is left when a database was restored from an older backup than its blobs.
        """
        taken, page = 0, dict[str, int]()
        for digest, size in listed:
            page[str(digest)] = size
            if len(page) == _PAGE:
                taken += self._take_in(page)
                page = {}
        return taken + self._take_in(page)

    # Links

    def _drop_links(self, state: dict[str, Any], order: Order, say: Say) -> None:
        while True:
            started = self._clock.monotonic()
            with self._database.write() as tx:
                rows = sql.stale_links(tx, state["before"], (state["after"], state["digest"]), _PAGE)
                kept = self._protected(tx, self._holds.protection(tx))
                for repository, group in groupby(rows, key=lambda row: str(row.repository)):
                    digests = [row.digest for row in group if row.digest not in kept]
                    state["links"] += sql.drop_links(tx, repository, digests, state["before"])
                if len(rows) < _PAGE:
                    state |= {"phase": "blobs", "after": "", "digest": ""}
                else:
                    state |= {"after": rows[-1].repository, "digest": rows[-1].digest}
                self._note(tx, state)
            say(_progress(state))
            if state["phase"] == "blobs":
                return
            self._rest(started, len(rows), order)

    def _explain_links(self, before: str) -> Iterator[Deletion]:
        after, rows = ("", ""), None
        while rows is None or len(rows) == _PAGE:
            with self._database.read() as tx:
                rows = sql.stale_links(tx, before, after, _PAGE)
                kept = self._protected(tx, self._holds.protection(tx))
            for row in rows:
                if row.digest not in kept:
                    since = row.linked[:16].replace("T", " ")
                    why = f"no manifest of {row.repository} names it, and nobody asked for it since {since}"
                    yield Deletion(what="link", digest=row.digest, size=row.size, repository=row.repository, why=why)
            if rows:
                after = (rows[-1].repository, rows[-1].digest)

    # Blobs

    def _delete_blobs(self, state: dict[str, Any], order: Order, say: Say) -> None:
        while True:
            started = self._clock.monotonic()
            with self._database.write() as tx:
                rows = sql.unused_blobs(tx, state["before"], (state["after"], state["digest"]), _PAGE)
                protection = self._holds.protection(tx)
                kept = self._protected(tx, protection)
                chosen = [
                    row.digest for row in rows if row.digest not in kept and not protection.covers_blob(row.stored)
                ]
                gone = sql.forget_blobs(tx, chosen, state["before"]) if chosen else []
                # Within the transaction: who wants to store one of them again waits until it is gone for good.
                self._storage.delete_many([Digest.parse(row.digest) for row in gone])
                state["blobs"] += len(gone)
                state["bytes"] += sum(row.size for row in gone)
                if len(rows) < _PAGE:
                    state |= {"phase": "done", "after": "", "digest": ""}
                else:
                    state |= {"after": rows[-1].stored, "digest": rows[-1].digest}
                self._note(tx, state)
            say(_progress(state))
            if state["phase"] == "done":
                return
            self._rest(started, len(gone), order)

    def _explain_blobs(self, before: str) -> Iterator[Deletion]:
        after, rows = ("", ""), None
        while rows is None or len(rows) == _PAGE:
            with self._database.read() as tx:
                rows = sql.unused_blobs(tx, before, after, _PAGE, but_links_before=before)
                protection = self._holds.protection(tx)
                kept = self._protected(tx, protection)
            for row in rows:
                if row.digest not in kept and not protection.covers_blob(row.stored):
                    why = f"nothing names it; it was stored at {row.stored[:16].replace('T', ' ')}"
                    yield Deletion(what="blob", digest=row.digest, size=row.size, repository="", why=why)
            if rows:
                after = (rows[-1].stored, rows[-1].digest)

    # How it is done

    def _protected(self, tx: Transaction, protection: Protection) -> set[str]:
        """What running and held images are made of, themselves included."""
        images = frozenset(self._in_use.images()) | protection.images
        if images != self._kept_for:
            kept, waiting = set(images), set(images)
            for _ in range(MOST_NESTING):
                waiting = _in_pages(tx, waiting) - kept
                kept |= waiting
                if not waiting:
                    break
            self._kept_for, self._kept = images, kept
        return self._kept

    def _rest(self, started: float, deleted: int, order: Order) -> None:
        took = self._clock.monotonic() - started
        least = deleted / order.rate if order.rate else 0.0
        self._clock.sleep(max(took * _SHARE, least - took))

    def _note(self, tx: Transaction, state: dict[str, Any]) -> None:
        fields = ("phase", "after", "digest", "links", "blobs", "bytes")
        sql.note(tx, state["id"], {name: state[name] for name in fields})

    def _end(self, state: dict[str, Any]) -> Collected:
        now = self._clock.now()
        seconds = (now - parse_timestamp(state["started"])).total_seconds()
        with self._database.write() as tx:
            sql.note(tx, state["id"], {"ended": timestamp(now)})
            numbers = {name: int(state[name]) for name in ("links", "blobs", "bytes")}
            fact = GarbageCollected(collection=state["id"], seconds=seconds, **numbers)
            self._ledger.append(tx, [fact], actor=state["actor"])
        return _collected_from(state | {"ended": timestamp(now)})

    def _take_in(self, page: dict[str, int]) -> int:
        if not page:
            return 0
        with self._database.write() as tx:
            unknown = set(page) - sql.known_blobs(tx, page)
            now = timestamp(self._clock.now())
            for digest in sorted(unknown):
                writing.announce_blob(tx, digest, page[digest], now, new_id())
        return len(unknown)


def _in_pages(tx: Transaction, digests: set[str]) -> set[str]:
    ordered, found = sorted(digests), set[str]()
    for start in range(0, len(ordered), _PAGE):
        found |= sql.parts_of(tx, ordered[start : start + _PAGE])
    return found


def _check(order: Order) -> None:
    if order.grace < 0 or order.rate < 0:
        raise InvalidInput("Grace and rate cannot be negative.", remedy="Give seconds and blobs a second, 0 or more.")


def _progress(state: dict[str, Any]) -> Progress:
    return Progress(state["phase"], state["links"], state["blobs"], state["bytes"])


def _collected(row: sql.Row) -> Collected:
    return _collected_from(dict(row._mapping))


def _collected_from(state: dict[str, Any]) -> Collected:
    return Collected(**{name: state[name] for name in Collected.__struct_fields__})
