"""Keep the registers beside the ledger: every move that was made in this region is stamped, in the ledger's order.

The registers are a projection of the ledger that is brought up to its head when it is needed, in the transaction that
needs it and under the ledger's own lock. So what is compared with a move from elsewhere is never out of date.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from lading.facts import Entry, Ledger
from lading.facts.kinds.access import VisibilityChanged
from lading.facts.kinds.supply_chain import ImageMoved, ImagePushed, ManifestDeleted, OwnerChanged, TagMoved
from lading.state import Database, Transaction
from lading.supply_chain.registry.replication.sql import registers as sql
from lading.supply_chain.registry.replication.stamps import Kind, Register, Stamp, moved

PRESENT: Final = "present"
FROM_REGION: Final = "region:"
_KINDS: Final = (ImagePushed, TagMoved, ManifestDeleted, ImageMoved, OwnerChanged, VisibilityChanged)
KINDS: Final = tuple(kind.kind() for kind in _KINDS)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_BATCH: Final = 2_000


def microseconds(moment: datetime) -> int:
    """A moment as registers keep it."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def tag_name(repository: str, tag: str) -> str:
    """The name of a tag's register."""
    return f"{repository}:{tag}"


def manifest_name(repository: str, digest: str) -> str:
    """The name of a manifest's register."""
    return f"{repository}@{digest}"


class Registers:
    """The registers of this region."""

    def __init__(self, database: Database, ledger: Ledger, region: str) -> None:
        self.region = region
        self._database = database
        self._ledger = ledger

    def follow(self) -> None:
        """Bring the registers close to the head of the ledger, a few thousand facts a transaction."""
        more = True
        while more:
            with self._database.write() as tx:
                more = self._take(tx, _BATCH) == _BATCH

    def catch_up(self, tx: Transaction) -> None:
        """Bring the registers to the head of the ledger; nobody adds to it until the transaction ends."""
        self._ledger.head(tx, for_update=True)
        while self._take(tx, _BATCH) == _BATCH:
            pass

    def _take(self, tx: Transaction, limit: int) -> int:
        after = sql.position(tx)
        head = self._ledger.head(tx).seq
        if after >= head:
            return 0
        entries = self._ledger.read(tx, after=after, limit=limit, kinds=KINDS)
        entries = [entry for entry in entries if entry.seq <= head]
        # What was taken over from elsewhere was stamped when it was taken over.
        self._stamp(tx, [entry for entry in entries if not entry.actor.startswith(FROM_REGION)])
        sql.move_position(tx, entries[-1].seq if len(entries) == limit else head)
        return len(entries)

    def _stamp(self, tx: Transaction, entries: Sequence[Entry]) -> None:
        known: dict[tuple[Kind, str], Register | None] = {}
        told: dict[tuple[Kind, str], str] = {}
        steps = [(entry, kind, name, value) for entry in entries for kind, name, value in moves(entry)]
        for wanted in Kind:
            names = {name for _, kind, name, _ in steps if kind is wanted}
            known |= {(wanted, name): found for name, found in sql.named(tx, wanted, names).items()}
        for entry, kind, name, value in steps:
            stamp = Stamp(microseconds(entry.at), self.region)
            known[kind, name] = moved(known.get((kind, name)), kind, name, value, stamp)
            told[kind, name] = entry.actor
        for key, actor in told.items():
            found = known[key]
            if found is not None:
                sql.keep(tx, found, actor)


def moves(entry: Entry) -> list[tuple[Kind, str, str]]:
    """What a fact moves: kind, name and new value. Tagging a manifest says again that it is there."""
    fact = entry.fact
    match fact:
        case ImagePushed():
            return [(Kind.MANIFEST, manifest_name(fact.repository, fact.digest), PRESENT)]
        case TagMoved():
            tag = (Kind.TAG, tag_name(fact.repository, fact.tag), fact.digest)
            there = (Kind.MANIFEST, manifest_name(fact.repository, fact.digest), PRESENT)
            return [there, tag] if fact.digest else [tag]
        case ManifestDeleted():
            return [(Kind.MANIFEST, manifest_name(fact.repository, fact.digest), "")]
        case ImageMoved():
            return [(Kind.STATE, fact.digest, fact.after)]
        case OwnerChanged():
            return [(Kind.OWNER, fact.digest, fact.team)]
        case VisibilityChanged():
            return [(Kind.VISIBILITY, fact.repository, fact.visibility)]
    return []
