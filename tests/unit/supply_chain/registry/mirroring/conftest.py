"""Mirroring over memory: an upstream in dictionaries, a judge that approves what it was told to."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from lading.facts import Fact, Ledger
from lading.kernel.clock import ManualClock
from lading.kernel.digest import Digest
from lading.lifecycle.mirror import Mirroring
from lading.lifecycle.telling import Telling
from lading.state import Database
from lading.state.sealing import Sealer
from lading.supply_chain.registry.manifest import OCI_INDEX, OCI_MANIFEST
from lading.supply_chain.registry.mirroring.awaiting import Awaiting
from lading.supply_chain.registry.mirroring.bringing import Bringer
from lading.supply_chain.registry.mirroring.health import Health
from lading.supply_chain.registry.mirroring.standings import MirrorStandings, MirrorStatus
from lading.supply_chain.registry.mirroring.syncing import Schedule
from lading.supply_chain.registry.mirroring.upstream import Upstream
from lading.supply_chain.registry.mirroring.upstream_memory import MemoryUpstream
from lading.supply_chain.registry.mirroring.upstreams import Upstreams
from lading.supply_chain.registry.mirroring.wishes import Rank, Wish, Wishes
from lading.supply_chain.registry.registry import Registry
from lading.supply_chain.registry.serving import Serving
from lading.supply_chain.registry.states import ImageStates, State
from lading.supply_chain.registry.visibility import Visibilities

CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


def descriptor(media_type: str, content: bytes, **more: Any) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": str(Digest.of(content)), "size": len(content), **more}


@dataclass
class Judge:
    """Approves everything but what it refuses."""

    states: ImageStates
    database: Database
    refused: set[Digest] = field(default_factory=set)
    judged: list[Digest] = field(default_factory=list)

    def admit(self, image: Digest, repository: str, telling: Telling) -> None:
        del repository, telling
        self.judged.append(image)
        to, why = (State.QUARANTINED, "refused by rule-1") if image in self.refused else (State.APPROVED, "fine")
        with self.database.write() as tx:
            self.states.move(tx, image, to, who="system:admission", why=why, decision="d1")


class Mirror:
    """One upstream, `hub`, and all that mirrors it."""

    def __init__(self, database: Database, ledger: Ledger, clock: ManualClock, registry: Registry) -> None:
        self.database, self.ledger, self.clock, self.registry = database, ledger, clock, registry
        self.remote = MemoryUpstream()
        self.states = ImageStates(database, ledger, clock)
        self.serving = Serving(database, registry, self.states)
        self.judge = Judge(self.states, database)
        self.upstreams = Upstreams(database, ledger, Sealer.generate(), clock)
        self.health = Health(database, ledger, clock)
        self.wishes = Wishes(database, clock)
        self.standings = MirrorStandings(database, clock)
        self.awaiting = Awaiting(database, clock)
        self.bringer = Bringer(
            database=database, ledger=ledger, registry=registry, visibilities=Visibilities(database, ledger),
            health=self.health, connect=lambda _upstream: self.remote, clock=clock,
        )  # fmt: skip
        self.schedule = Schedule(
            database=database, ledger=ledger, health=self.health, wishes=self.wishes, bringer=self.bringer,
            connect=lambda _upstream: self.remote, clock=clock,
        )  # fmt: skip
        self.mirroring = self.story()
        self.add()

    def story(self, **more: Any) -> Mirroring:
        values = {"known": self.upstreams.all, "unnamed": None, "bringer": self.bringer, "judge": self.judge,
                  "states": self.states, "wishes": self.wishes, "clock": self.clock}  # fmt: skip
        return Mirroring(**(values | more))

    def add(self, **more: Any) -> Upstream:
        values = {"name": "hub", "url": "https://hub.example", "prefix": "hub", "team": "base", **more}
        return self.upstreams.add(Upstream(**values), "my-secret", actor="person:ada")

    def image(self, text: str, tag: str = "", repository: str = "library/os", **more: Any) -> Digest:
        """An image of one layer at the upstream."""
        config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Labels": {"a": text}}}).encode()
        for content in (config, text.encode()):
            self.remote.put_blob(repository, content)
        body = {
            "schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": descriptor(CONFIG, config),
            "layers": [descriptor(LAYER, text.encode())], **more,
        }  # fmt: skip
        return self.remote.put_manifest(repository, OCI_MANIFEST, json.dumps(body).encode(), tag=tag)

    def index(self, tag: str, *platforms: str, repository: str = "library/os") -> Digest:
        """An index of images at the upstream, one for each platform."""
        members = []
        for platform in platforms:
            system, _, machine = platform.partition("/")
            body = self.remote.manifest(repository, str(self.image(platform, repository=repository))).body
            members.append(descriptor(OCI_MANIFEST, body, platform={"os": system, "architecture": machine}))
        content = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": members}).encode()
        return self.remote.put_manifest(repository, OCI_INDEX, content, tag=tag)

    def wish(self, reference: str, repository: str = "hub/library/os") -> Any:
        """Want something, and see it through; gives the row of the wish."""
        wish = Wish(repository, reference, "hub", Rank.AWAITED)
        self.wishes.note(wish)
        self.mirroring.fulfil(wish)
        return self.wishes.row(repository, reference)

    def work(self) -> None:
        """Fulfil what waits."""
        for wish in self.wishes.waiting(1_000):
            self.mirroring.fulfil(wish)

    def told(self, kind: type[Fact]) -> list[Any]:
        with self.database.read() as tx:
            return [entry.fact for entry in self.ledger.read(tx, limit=10_000) if isinstance(entry.fact, kind)]

    @property
    def status(self) -> MirrorStatus:
        return self.standings.all()[0]

    def tagged(self, tag: str, repository: str = "hub/library/os") -> Digest:
        return self.registry.resolve(repository, tag).digest


@pytest.fixture
def make_mirror(ledger: Ledger, clock: ManualClock) -> Callable[[Any], Mirror]:
    def made(bench: Any) -> Mirror:
        return Mirror(bench.database, ledger, clock, bench.registry)

    return made


@pytest.fixture
def mirror(bench: Any, make_mirror: Callable[[Any], Mirror]) -> Mirror:
    return make_mirror(bench)


@pytest.fixture
def each_mirror(each_bench: Any, make_mirror: Callable[[Any], Mirror]) -> Mirror:
    return make_mirror(each_bench)
