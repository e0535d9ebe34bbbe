"""Regions in one process: each with a database, a registry and a push endpoint of its own; what is between them is
signed and opened as on the wire, and can be cut."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from lading.entrypoints.registry.push import push_app
from lading.facts import Entry, Ledger, follow
from lading.kernel.clock import ManualClock
from lading.kernel.digest import Digest
from lading.state import Database, metadata
from lading.state.sealing import Sealer
from lading.supply_chain.attest.keys_local import PrivateKey
from lading.supply_chain.attest.keys_public import PublicKey
from lading.supply_chain.registry.access import Access, FixedAuthenticator, Place, Visitor
from lading.supply_chain.registry.replication.changes import Change, Description, Outcome
from lading.supply_chain.registry.replication.errors import TargetFailed
from lading.supply_chain.registry.replication.link_direct import DirectRegionLink
from lading.supply_chain.registry.replication.pace import Pace
from lading.supply_chain.registry.replication.planning import Lane, Planner
from lading.supply_chain.registry.replication.receiving import Receiver
from lading.supply_chain.registry.replication.regions import Regions
from lading.supply_chain.registry.replication.registers import Registers
from lading.supply_chain.registry.replication.remote import PushedTo
from lading.supply_chain.registry.replication.sending import Sender
from lading.supply_chain.registry.replication.snapshot import Snapshots
from lading.supply_chain.registry.replication.status import Standings
from lading.supply_chain.registry.replication.targets import Order, Target, TargetKind, Targets
from lading.supply_chain.registry.replication.transfer import Transfer
from lading.supply_chain.registry.replication.way_region import RegionWay
from lading.supply_chain.registry.replication.way_registry import RegistryWay
from unit.supply_chain.registry.conftest import Bench, make_bench


def verify(pem: str, message: bytes, signature: bytes) -> bool:
    return PublicKey.from_pem(pem).verify(message, signature)


class InProcess(httpx.BaseTransport):
    """HTTP to an application in this process, while `open` says that the line holds."""

    def __init__(self, app: Starlette, is_open: Callable[[], bool]) -> None:
        self._app = app
        self._is_open = is_open
        self.seen: list[tuple[str, str, int]] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if not self._is_open():
            raise httpx.ConnectError("the line is cut")
        content = request.read()
        self.seen.append((request.method, request.url.raw_path.decode(), len(content)))

        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(self._app)) as client:
                return await client.request(request.method, request.url, headers=request.headers, content=content)

        found = asyncio.run(ask())
        return httpx.Response(found.status_code, headers=found.headers, content=found.content)


class AnyTeam(FixedAuthenticator):
    """As the real one decides about other regions: they bring blobs into any repository."""

    def may(self, visitor: Visitor, access: Access, place: Place) -> bool:
        return access is Access.PUSH or super().may(visitor, access, place)


class CutLink:
    """A link that fails while the line is cut."""

    def __init__(self, link: DirectRegionLink, is_open: Callable[[], bool]) -> None:
        self._link = link
        self._is_open = is_open

    def describe(self) -> Description:
        return self._link.describe()

    def tell(self, changes: Sequence[Change]) -> list[Outcome]:
        if not self._is_open():
            raise TargetFailed("The line is cut.")
        return self._link.tell(changes)


class SetTeams:
    """Teams as names."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def ensure(self, team: str, *, actor: str) -> None:
        del actor
        self.names.add(team)


@dataclass
class Region:
    """One Lading, as far as replication knows it."""

    name: str
    bench: Bench
    registers: Registers
    regions: Regions
    receiver: Receiver
    targets: Targets
    standings: Standings
    key: PrivateKey
    sealer: Sealer
    app: Starlette
    cut: set[str] = field(default_factory=set)
    senders: dict[str, Sender] = field(default_factory=dict)
    wires: dict[str, InProcess] = field(default_factory=dict)

    def accept(self, other: Region, **terms: Any) -> None:
        chosen: dict[str, Any] = {"patterns": (), "approvals": True, "deletions": True} | terms
        self.regions.accept(
            other.name, key_id=other.key.key_id, key=other.key.public_pem(), actor="person:admin", **chosen
        )

    def send_to(self, other: Region, **order: Any) -> Target:
        """Replicate to a region that accepted this one."""
        chosen = {"name": other.name, "kind": TargetKind.LADING, "url": "http://api", "push": "http://push"} | order
        target = self.targets.add(Order(**chosen), "secret", actor="person:admin")
        link = DirectRegionLink(
            Description(region=other.name, version="1", key_id="", key="", push=""),
            other.regions,
            other.receiver,
            sender=self.name,
            key=self.key,
            verify=verify,
        )

        def is_open() -> bool:
            return other.name not in self.cut and self.name not in other.cut

        wire = self.wires[other.name] = InProcess(other.app, is_open)
        remote = PushedTo("http://push", "region", "secret", transport=wire)
        way = RegionWay(
            target,
            link=CutLink(link, is_open),
            snapshots=Snapshots(self.bench.database, self.bench.registry, self.registers),
            transfer=self.transfer(other.name, remote),
            serving=self.bench.serving,
        )
        self._sender(target, way)
        return target

    def push_to(self, name: str, app: Starlette, **order: Any) -> Target:
        """Push to a registry."""
        chosen = {"name": name, "kind": TargetKind.OCI, "url": "http://registry"} | order
        target = self.targets.add(Order(**chosen), "secret", actor="person:admin")
        wire = self.wires[name] = InProcess(app, lambda: name not in self.cut)
        remote = PushedTo("http://registry", "region", "secret", transport=wire)
        way = RegistryWay(
            target,
            remote=remote,
            transfer=self.transfer(name, remote),
            registry=self.bench.registry,
            states=self.bench.states,
            serving=self.bench.serving,
            database=self.bench.database,
        )
        self._sender(target, way)
        return target

    def _sender(self, target: Target, way: Any) -> None:
        bench = self.bench
        self.senders[target.name] = Sender(
            target, dict.fromkeys(Lane, way), database=bench.database, ledger=bench.ledger, clock=bench.clock
        )

    def transfer(self, target: str, remote: PushedTo) -> Transfer:
        return Transfer(
            target=target,
            source=self.bench.registry,
            remote=remote,
            database=self.bench.database,
            sealer=self.sealer,
            pace=Pace(0, self.bench.clock),
            clock=self.bench.clock,
            stop=threading.Event(),
        )

    def plan(self) -> None:
        self.registers.follow()
        for name in self.senders:
            follow(self.bench.database, self.bench.ledger, Planner(self.targets.get(name)))

    def replicate(self, *lanes: Lane, rounds: int = 6) -> None:
        """Send until nothing moves; the clock goes on so that pauses end."""
        for _ in range(rounds):
            self.plan()
            for sender in self.senders.values():
                for lane in lanes or Lane:
                    if not sender.rests(lane):
                        sender.round(lane)
            self.bench.clock.sleep(2)

    def facts(self, kind: type | None = None) -> list[Entry]:
        return [entry for entry in self.bench.facts() if kind is None or isinstance(entry.fact, kind)]

    def waiting(self, target: str) -> int:
        return next(item.waiting for item in self.standings.targets() if item.target == target)


def make_region(name: str, database: Database, clock: ManualClock) -> Region:
    ledger = Ledger(clock)
    bench = make_bench(database, ledger, clock)
    registers, sealer = Registers(database, ledger, name), Sealer.generate()
    targets = Targets(database, ledger, sealer, clock)
    return Region(
        name=name,
        bench=bench,
        registers=registers,
        regions=Regions(database, ledger, clock),
        receiver=Receiver(
            database=database,
            ledger=ledger,
            registry=bench.registry,
            states=bench.states,
            registers=registers,
            teams=SetTeams(),
            clock=clock,
        ),
        targets=targets,
        standings=Standings(database, ledger, targets, clock),
        key=PrivateKey.generate(),
        sealer=sealer,
        app=push_app(bench.registry, AnyTeam({"region": ("secret", "")})),
    )


@pytest.fixture
def make(clock: ManualClock) -> Iterator[Callable[[str], Region]]:
    """Regions that know each other."""
    made: list[Database] = []

    def make(name: str) -> Region:
        database = Database("sqlite://")
        metadata.create_all(database.engine)
        made.append(database)
        return make_region(name, database, clock)

    yield make
    for database in made:
        database.close()


def connect(*regions: Region) -> None:
    """Everybody accepts and sends to everybody."""
    for one in regions:
        for other in regions:
            if one is not other:
                one.accept(other)
    for one in regions:
        for other in regions:
            if one is not other:
                one.send_to(other)


def everything(region: Region) -> dict[str, Any]:
    """Every tag, digest, referrer and state of a region; who moved a state as all regions say it."""
    bench = region.bench
    found: dict[str, Any] = {"tags": {}, "manifests": set(), "states": {}, "referrers": {}}
    for repository in bench.registry.repositories():
        for tag in bench.registry.tags(repository):
            found["tags"][f"{repository}:{tag}"] = str(bench.registry.resolve(repository, tag).digest)
    with bench.database.read() as tx:
        rows = tx.exec_driver_sql("SELECT repository, digest FROM registry_manifests").all()
    for repository, digest in rows:
        found["manifests"].add((repository, digest))
        listed = bench.registry.referrers(repository, Digest.parse(digest))["manifests"]
        found["referrers"][repository, digest] = sorted(item["digest"] for item in listed)
        for item in bench.registry.layers(Digest.parse(digest)):
            with bench.registry.open_blob(item.digest) as stream:
                assert Digest.of(stream.read(), item.digest.algorithm) == item.digest
    for digest, state in bench.states.states([digest for _, digest in rows]).items():
        who = state.who if state.who.startswith("region:") else f"region:{region.name}/{state.who}"
        found["states"][digest] = (state.state, who, state.why, state.until, state.replaced_by)
    return found
