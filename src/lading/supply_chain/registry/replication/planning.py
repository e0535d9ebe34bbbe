"""From facts to what a target lacks: a follower of the ledger for each target.

An item only names what changed, once however often it changed; how it is now is looked up when it is sent. Its lane
says what it may overtake: revocations wait for nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from lading.facts import Entry
from lading.facts.kinds.supply_chain import ImageMoved
from lading.state import Transaction
from lading.supply_chain.registry.replication.registers import KINDS, manifest_name, microseconds, moves, tag_name
from lading.supply_chain.registry.replication.sql import content
from lading.supply_chain.registry.replication.sql import targets as sql
from lading.supply_chain.registry.replication.stamps import Kind
from lading.supply_chain.registry.replication.targets import Sent, Target, TargetKind
from lading.supply_chain.registry.standing import State


class Lane(IntEnum):
    """Each lane has a connection and a thread of its own."""

    URGENT = 0
    BULK = 1


class Planner:
    """Notes for one target what has to be sent."""

    kinds: Sequence[str] | None = KINDS

    def __init__(self, target: Target) -> None:
        self.name = target.follower
        self._target = target

    def apply(self, tx: Transaction, entries: Sequence[Entry]) -> None:
        """Note what `entries` changed, in the transaction that moves the cursor."""
        if sql.target(tx, self._target.name) is None:
            return  # removed meanwhile
        rows: dict[tuple[Lane, Kind, str], dict[str, object]] = {}
        for entry in entries:
            for lane, kind, name in self._items(tx, entry):
                row = {"target": self._target.name, "lane": int(lane), "kind": str(kind), "name": name}
                first = rows.get((lane, kind, name), {}).get("since", microseconds(entry.at))
                rows[lane, kind, name] = row | {"seq": entry.seq, "since": first}
        sql.note_items(tx, list(rows.values()))

    def _items(self, tx: Transaction, entry: Entry) -> list[tuple[Lane, Kind, str]]:
        if isinstance(entry.fact, ImageMoved):
            return self._of_state(tx, entry.fact)
        return [(Lane.BULK, kind, name) for kind, name, _value in moves(entry) if self._gets(tx, kind, name)]

    def _gets(self, tx: Transaction, kind: Kind, name: str) -> bool:
        match kind:
            case Kind.TAG:
                return self._target.covers(name.rpartition(":")[0])
            case Kind.MANIFEST:
                return self._target.covers(name.partition("@")[0])
            case Kind.VISIBILITY:
                return self._target.kind is TargetKind.LADING and self._target.covers(name)
            case _:
                return self._target.kind is TargetKind.LADING and self._has(tx, name)

    def _of_state(self, tx: Transaction, fact: ImageMoved) -> list[tuple[Lane, Kind, str]]:
        if not self._has(tx, fact.digest):
            return []
        revoked = fact.after == State.REVOKED
        items: list[tuple[Lane, Kind, str]] = []
        if revoked or self._target.kind is TargetKind.LADING:
            items.append((Lane.URGENT if revoked else Lane.BULK, Kind.STATE, fact.digest))
        if self._target.states is Sent.APPROVED and fact.after == State.APPROVED:
            items += self._content(tx, fact.digest)
        return items

    def _content(self, tx: Transaction, digest: str) -> list[tuple[Lane, Kind, str]]:
        """An image that may be pulled from now on, with what is pulled with it and the indexes that list it."""
        items: list[tuple[Lane, Kind, str]] = []
        for row in content.belonging(tx, digest):
            if self._target.covers(row.repository):
                items.append((Lane.BULK, Kind.MANIFEST, manifest_name(row.repository, row.digest)))
                named = content.tags_of(tx, row.repository, row.digest)
                items += [(Lane.BULK, Kind.TAG, tag_name(row.repository, tag)) for tag in named]
        return items

    def _has(self, tx: Transaction, digest: str) -> bool:
        """Whether the target gets an image; of one that is in no repository (any more), whether it gets everything."""
        places = content.places_of(tx, digest)
        return any(map(self._target.covers, places)) if places else not self._target.patterns
