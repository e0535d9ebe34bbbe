"""How things are here, at the moment they are sent: registers with all that the other side needs to act on them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec

from lading.kernel.digest import Digest
from lading.state import Database, Transaction
from lading.supply_chain.registry.manifest import DSSE_ENVELOPE
from lading.supply_chain.registry.reading import Reading
from lading.supply_chain.registry.replication.changes import (
    Change,
    ManifestChange,
    OwnerChange,
    StateChange,
    TagChange,
    VisibilityChange,
)
from lading.supply_chain.registry.replication.registers import Registers
from lading.supply_chain.registry.replication.sql import content
from lading.supply_chain.registry.replication.sql import registers as sql
from lading.supply_chain.registry.replication.stamps import Kind, Register
from lading.supply_chain.registry.sql import reading

_SIGNATURE_TAG: Final = re.compile(r"sha(?:256|512)-[0-9a-f]+\.(?:sig|att|sbom)")


class Thing(NamedTuple):
    """What an item names."""

    kind: Kind
    name: str


class Snapshots:
    """Reads changes from this region."""

    def __init__(self, database: Database, registry: Reading, registers: Registers) -> None:
        self._database = database
        self._registry = registry
        self._registers = registers

    def changes(self, things: Sequence[Thing]) -> dict[Thing, Change]:
        """What there is to say about things, all at one moment; nothing about what was never moved here."""
        found: dict[Thing, Change] = {}
        with self._database.write() as tx:
            self._registers.catch_up(tx)
            for kind in Kind:
                names = [thing.name for thing in things if thing.kind is kind]
                if not names:
                    continue
                registers, actors = sql.named(tx, kind, names), sql.actors(tx, kind, names)
                for name, register in registers.items():
                    change = _change(tx, register, actors.get(name, ""))
                    if change is not None:
                        found[Thing(kind, name)] = change
        return {thing: self._filled(change) for thing, change in found.items()}

    def _filled(self, change: Change) -> Change:
        """The bytes of a manifest are read outside of the transaction."""
        if not isinstance(change, ManifestChange) or not change.register.value:
            return change
        return msgspec.structs.replace(change, body=self._registry.manifest(Digest.parse(change.digest)))


def _change(tx: Transaction, register: Register, actor: str) -> Change | None:
    name = register.name
    match register.kind:
        case Kind.TAG:
            repository, _, tag = name.rpartition(":")
            return TagChange(register=register, actor=actor, repository=repository, tag=tag)
        case Kind.MANIFEST:
            repository, _, digest = name.partition("@")
            return _manifest(tx, register, actor, repository, digest)
        case Kind.STATE:
            row = content.state(tx, name)
            return None if row is None else _state(register, row)
        case Kind.OWNER:
            return OwnerChange(register=register, actor=actor, digest=name, team=register.value)
        case Kind.VISIBILITY:
            return VisibilityChange(register=register, actor=actor, repository=name, visibility=register.value)


def _manifest(tx: Transaction, register: Register, actor: str, repository: str, digest: str) -> Change | None:
    if not register.value:
        return ManifestChange(register=register, actor=actor, repository=repository, digest=digest)
    row, place = reading.manifest(tx, repository, digest), reading.place(tx, repository)
    if row is None or place is None:
        return None
    named = ""
    if row.served_with and not row.refers_to:
        tags = content.tags_of(tx, repository, digest)
        kind = "att" if row.artifact_type == DSSE_ENVELOPE else "sig"
        named = next(filter(_SIGNATURE_TAG.fullmatch, tags), "") or f"{row.served_with.replace(':', '-', 1)}.{kind}"
    return ManifestChange(
        register=register,
        actor=actor,
        repository=repository,
        digest=digest,
        team=place[0],
        visibility=place[1],
        media_type=row.media_type,
        named=named,
    )


def _state(register: Register, row: Any) -> StateChange | None:
    if row.state != register.value:
        return None
    return StateChange(
        register=register,
        actor=row.who,
        digest=register.name,
        state=row.state,
        why=row.why,
        decision=row.decision,
        until=row.until,
        replaced_by=row.replaced_by,
        since=row.since,
    )
