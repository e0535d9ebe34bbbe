"""The way to any OCI registry: images, tags and referrers that may be pulled here, and nothing else.

A registry knows nothing of states. What is revoked here is deleted there, in every repository that it was copied to,
where the registry lets us; what was never approved never goes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from lading.kernel.digest import Digest
from lading.state import Database
from lading.supply_chain.registry.copying import copy_image
from lading.supply_chain.registry.errors import Denied, ManifestUnknown, RemoteDenied
from lading.supply_chain.registry.manifest import read_manifest
from lading.supply_chain.registry.reading import Reading
from lading.supply_chain.registry.replication.remote import PushedTo
from lading.supply_chain.registry.replication.snapshot import Thing
from lading.supply_chain.registry.replication.source import LocalSource
from lading.supply_chain.registry.replication.sql import content
from lading.supply_chain.registry.replication.stamps import Kind
from lading.supply_chain.registry.replication.targets import Target
from lading.supply_chain.registry.replication.transfer import Transfer
from lading.supply_chain.registry.replication.way import Carried, End, Said
from lading.supply_chain.registry.serving import Serving
from lading.supply_chain.registry.sql import reading
from lading.supply_chain.registry.standing import State, StateReader

_SETTLED: Final = Carried(Said(End.SETTLED))


class RegistryWay:
    """Sends to one registry."""

    def __init__(
        self,
        target: Target,
        *,
        remote: PushedTo,
        transfer: Transfer,
        registry: Reading,
        states: StateReader,
        serving: Serving,
        database: Database,
    ) -> None:
        self._target = target
        self._remote = remote
        self._transfer = transfer
        self._registry = registry
        self._states = states
        self._serving = serving
        self._database = database

    def tell(self, things: Sequence[Thing]) -> Mapping[Thing, Said]:
        return {thing: Said(End.CARRY) for thing in things}

    def carry(self, thing: Thing) -> Carried:
        match thing.kind:
            case Kind.STATE:
                return self._withdraw(Digest.parse(thing.name))
            case Kind.MANIFEST:
                repository, _, digest = thing.name.partition("@")
                return self._copy(repository, digest, digest)
            case Kind.TAG:
                repository, _, tag = thing.name.rpartition(":")
                return self._tag(repository, tag)
            case _:
                return _SETTLED

    def _copy(self, repository: str, digest: str, reference: str) -> Carried:
        """Copy what is served; delete what was deleted here."""
        place = self._target.place(repository)
        with self._database.read() as tx:
            row = reading.manifest(tx, repository, digest)
        if row is None:
            if self._remote.has_manifest(place, digest):
                self._remote.remove(place, digest)
            return _SETTLED
        if not self._served(repository, digest):
            return _SETTLED
        if reference == digest and row.refers_to == "" and self._remote.has_manifest(place, digest):
            return _SETTLED
        sink = _Sink(self, repository)
        copy_image(LocalSource(self._registry), repository, digest, sink, to=place, tag=reference)
        return Carried(Said(End.SETTLED), sink.moved)

    def _tag(self, repository: str, tag: str) -> Carried:
        place = self._target.place(repository)
        with self._database.read() as tx:
            digest = reading.tagged(tx, repository, tag)
        if digest is None:
            if self._remote.tagged(place, tag) and not self._remote.remove(place, tag):
                return Carried(Said(End.SETTLED, "the registry deletes no tags"))
            return _SETTLED
        if not self._served(repository, digest) or self._remote.tagged(place, tag) == digest:
            return _SETTLED
        return self._copy(repository, digest, tag)

    def _withdraw(self, digest: Digest) -> Carried:
        state = self._states.state(digest)
        if state is None or state.state is not State.REVOKED:
            return _SETTLED
        with self._database.read() as tx:
            places = [name for name in content.places_of(tx, str(digest)) if self._target.covers(name)]
        kept = []
        for repository in places:
            place = self._target.place(repository)
            try:
                if self._remote.has_manifest(place, str(digest)) and not self._remote.remove(place, str(digest)):
                    kept.append(place)
            except RemoteDenied:
                kept.append(place)
        if kept:
            why = f"it is revoked here, and {self._target.url} does not let us delete it from {', '.join(kept[:5])}"
            return Carried(Said(End.REFUSED, why))
        return _SETTLED

    def _served(self, repository: str, digest: str) -> bool:
        try:
            self._serving.check_manifest(repository, Digest.parse(digest))
        except Denied:
            return False
        return True

    def send_blob(self, repository: str, digest: Digest) -> int:
        """Bring a blob of ours over, or have it mounted from another repository that we copy there."""
        with self._database.read() as tx:
            size = reading.blob_size(tx, repository, str(digest)) or 0
            others = content.repositories_with(tx, [str(digest)]).get(str(digest), [])
        source = next((name for name in others if name != repository and self._target.covers(name)), "")
        return self._transfer.send(
            self._target.place(repository),
            digest,
            size,
            mount_from=self._target.place(source) if source else "",
            look=True,
        )

    def put_manifest(self, repository: str, place: str, reference: str, media_type: str, body: bytes) -> Digest:
        """Put a manifest that is served; an index may list what is not, and then it does not go either."""
        algorithm = reference.partition(":")[0] if ":" in reference else "sha256"
        digest = read_manifest(body, media_type, algorithm).digest
        if not self._served(repository, str(digest)):
            raise ManifestUnknown(f"{repository}@{digest} may not be pulled, and an image that is copied lists it.")
        return self._remote.put_manifest(place, reference, media_type, body)


class _Sink:
    """The registry as the place that an image of one of our repositories is copied to."""

    def __init__(self, way: RegistryWay, repository: str) -> None:
        self._way = way
        self._repository = repository
        self.moved = 0

    def has_blob(self, repository: str, digest: Digest) -> bool:
        del repository, digest
        return False

    def put_blob(self, repository: str, digest: Digest, chunks: object) -> None:
        # The transfer reads it by itself: it may have to go on in the middle.
        del repository, chunks
        self.moved += self._way.send_blob(self._repository, digest)

    def put_manifest(self, repository: str, reference: str, media_type: str, body: bytes) -> Digest:
        return self._way.put_manifest(self._repository, repository, reference, media_type, body)
