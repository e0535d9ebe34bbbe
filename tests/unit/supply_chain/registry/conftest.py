"""A registry over memory, and images made by hand."""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import dataclass
from typing import Any

import pytest

from lading.facts import Entry, Ledger
from lading.kernel.clock import ManualClock
from lading.kernel.digest import Digest
from lading.state import Database
from lading.supply_chain.registry.access import Visitor
from lading.supply_chain.registry.blobs import MemoryBlobs
from lading.supply_chain.registry.manifest import OCI_INDEX, OCI_MANIFEST
from lading.supply_chain.registry.registry import Registry
from lading.supply_chain.registry.serving import Serving
from lading.supply_chain.registry.states import ImageStates, State

CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
ROBOT = Visitor("robot:shop/ci", "shop")


def layer(text: str) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        info = tarfile.TarInfo("file")
        info.size = len(text)
        archive.addfile(info, io.BytesIO(text.encode()))
    return made.getvalue()


def descriptor(media_type: str, content: bytes, **more: Any) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": str(Digest.of(content)), "size": len(content), **more}


@dataclass
class Bench:
    """Everything that a test of the registry needs."""

    database: Database
    ledger: Ledger
    clock: ManualClock
    blobs: MemoryBlobs
    states: ImageStates
    registry: Registry
    serving: Serving

    def image(
        self, text: str = "hello", *, repository: str = "shop/web", tag: str = "", visitor: Visitor = ROBOT, **more: Any
    ) -> Digest:
        """Push an image of one layer; `more` goes into its manifest."""
        config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Labels": {"a": text}}}).encode()
        parts = [config, layer(text)]
        for part in parts:
            self.registry.put_blob(repository, part, visitor)
        body = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": descriptor(CONFIG, config),
            "layers": [descriptor(LAYER, parts[1])],
            **more,
        }
        return self.push(body, repository=repository, tag=tag, visitor=visitor)

    def artifact(self, content: bytes, *, repository: str = "shop/web", tag: str = "", **more: Any) -> Digest:
        """Push something that no engine runs."""
        for part in (b"{}", content):
            self.registry.put_blob(repository, part, ROBOT)
        body = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": descriptor("application/vnd.oci.empty.v1+json", b"{}"),
            "layers": [descriptor("application/vnd.dsse.envelope.v1+json", content)],
            **more,
        }
        return self.push(body, repository=repository, tag=tag)

    def index(self, *members: Digest, platforms: tuple[str, ...] = (), tag: str = "", **more: Any) -> Digest:
        entries = []
        for number, member in enumerate(members):
            entry = descriptor(OCI_MANIFEST, self.registry.manifest(member))
            if platforms:
                system, _, machine = platforms[number].partition("/")
                entry["platform"] = {"os": system, "architecture": machine}
            entries.append(entry)
        return self.push({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries, **more}, tag=tag)

    def push(
        self, body: dict[str, Any], *, repository: str = "shop/web", tag: str = "", visitor: Visitor = ROBOT
    ) -> Digest:
        content = json.dumps(body).encode()
        reference = tag or str(Digest.of(content))
        return self.registry.put_manifest(repository, reference, body["mediaType"], content, visitor).digest

    def move(self, digest: Digest, to: State, **more: Any) -> None:
        with self.database.write() as tx:
            self.states.move(tx, digest, to, who="person:ada", why=more.pop("why", "because"), **more)

    def subject(self, digest: Digest) -> dict[str, Any]:
        return descriptor(OCI_MANIFEST, self.registry.manifest(digest))

    def facts(self) -> list[Entry]:
        with self.database.read() as tx:
            return self.ledger.read(tx)


def make_bench(database: Database, ledger: Ledger, clock: ManualClock) -> Bench:
    blobs = MemoryBlobs()
    states = ImageStates(database, ledger, clock)
    registry = Registry(database, ledger, blobs, states, clock)
    return Bench(database, ledger, clock, blobs, states, registry, Serving(database, registry, states))


@pytest.fixture
def bench(database: Database, ledger: Ledger, clock: ManualClock) -> Bench:
    return make_bench(database, ledger, clock)


@pytest.fixture
def each_bench(each_database: Database, ledger: Ledger, clock: ManualClock) -> Bench:
    return make_bench(each_database, ledger, clock)
