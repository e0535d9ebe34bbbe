"""The way to another Lading region: changes by its API, blobs by its push endpoint.

A manifest is offered with its body. The region answers which parts it lacks, so nothing is asked for blob by blob; the
parts are brought, and the manifest is offered again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from lading.kernel.digest import Digest
from lading.supply_chain.registry.errors import Denied, ManifestInvalid
from lading.supply_chain.registry.manifest import IMAGES, INDEXES, read_manifest
from lading.supply_chain.registry.replication.changes import (
    SETTLED,
    Change,
    ManifestChange,
    Outcome,
    RegionLink,
    Result,
    TagChange,
)
from lading.supply_chain.registry.replication.registers import manifest_name
from lading.supply_chain.registry.replication.snapshot import Snapshots, Thing
from lading.supply_chain.registry.replication.stamps import Kind
from lading.supply_chain.registry.replication.targets import Sent, Target
from lading.supply_chain.registry.replication.transfer import Transfer
from lading.supply_chain.registry.replication.way import Carried, End, Said
from lading.supply_chain.registry.serving import Serving

_MOST_AT_ONCE: Final = 4 << 20
_MOST_DEPTH: Final = 8
_MOST_OFFERS: Final = 5
# A state comes before the image it is of, which then is not new there and waits for no judgement.
_ORDER: Final = {Kind.STATE: 0, Kind.MANIFEST: 1, Kind.VISIBILITY: 2, Kind.OWNER: 3, Kind.TAG: 4}


class RegionWay:
    """Sends to one region."""

    def __init__(
        self, target: Target, *, link: RegionLink, snapshots: Snapshots, transfer: Transfer, serving: Serving
    ) -> None:
        self._target = target
        self._link = link
        self._snapshots = snapshots
        self._transfer = transfer
        self._serving = serving

    def tell(self, things: Sequence[Thing]) -> Mapping[Thing, Said]:
        ordered = sorted(things, key=lambda thing: _ORDER[thing.kind])
        found = self._snapshots.changes(ordered)
        ends: dict[Thing, Said] = {}
        batch: list[tuple[Thing, Change]] = []
        size = 0
        for thing in ordered:
            change = found.get(thing)
            if change is None or not self._goes(change):
                ends[thing] = Said(End.SETTLED)
                continue
            weight = len(change.body) if isinstance(change, ManifestChange) else 0
            if batch and size + weight > _MOST_AT_ONCE:
                ends |= self._told(batch)
                batch, size = [], 0
            batch.append((thing, change))
            size += weight
        return ends | self._told(batch)

    def carry(self, thing: Thing) -> Carried:
        moved, said = self._carry(thing, 0)
        return Carried(said, moved)

    def _told(self, batch: Sequence[tuple[Thing, Change]]) -> dict[Thing, Said]:
        if not batch:
            return {}
        outcomes = self._link.tell([change for _, change in batch])
        return {thing: _said(change, outcome) for (thing, change), outcome in zip(batch, outcomes, strict=True)}

    def _carry(self, thing: Thing, depth: int) -> tuple[int, Said]:
        if depth > _MOST_DEPTH:
            raise ManifestInvalid(f"The index {thing.name} is nested too deeply.")
        moved = 0
        for _ in range(_MOST_OFFERS):
            change = self._snapshots.changes([thing]).get(thing)
            if change is None or not isinstance(change, ManifestChange) or not self._goes(change):
                return moved, Said(End.SETTLED)
            outcome = self._link.tell([change])[0]
            if outcome.result is not Result.WANTED:
                return moved, _said(change, outcome)
            moved += self._bring(change, set(outcome.missing), depth)
        return moved, Said(End.LATER, "its parts vanish there as fast as they are brought")

    def _bring(self, change: ManifestChange, missing: set[str], depth: int) -> int:
        moved = 0
        manifest = read_manifest(change.body, change.media_type, change.digest.partition(":")[0])
        for part in manifest.parts:
            if str(part.digest) not in missing:
                continue
            missing.discard(str(part.digest))
            if part.role == "manifest" and part.media_type in IMAGES | INDEXES:
                name = manifest_name(change.repository, str(part.digest))
                moved += self._carry(Thing(Kind.MANIFEST, name), depth + 1)[0]
            else:
                moved += self._transfer.send(change.repository, part.digest, part.size)
        return moved

    def _goes(self, change: Change) -> bool:
        """Whether the target gets it now. What is approved later is noted down again then."""
        if self._target.states is Sent.ANY or not change.register.value:
            return True
        if isinstance(change, TagChange | ManifestChange):
            digest = change.register.value if isinstance(change, TagChange) else change.digest
            try:
                self._serving.check_manifest(change.repository, Digest.parse(digest))
            except Denied:
                return False
        return True


def _said(change: Change, outcome: Outcome) -> Said:
    if outcome.result in SETTLED:
        return Said(End.SETTLED)
    if outcome.result is Result.WANTED:
        if isinstance(change, TagChange):
            first = Thing(Kind.MANIFEST, manifest_name(change.repository, change.register.value))
            return Said(End.LATER, "its manifest goes first", first)
        return Said(End.CARRY)
    if outcome.result is Result.REFUSED:
        return Said(End.REFUSED, outcome.why)
    return Said(End.LATER, outcome.why)
