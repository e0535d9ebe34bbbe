"""A whole Lading in memory: real rooms and the default rules over adapters that need no engine, network or apt."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from lading.facts import Fact, Ledger
from lading.kernel.clock import ManualClock
from lading.kernel.digest import Digest
from lading.lifecycle.admit import Admission
from lading.lifecycle.bases import BaseOrder, Bases, NoMirror
from lading.lifecycle.document import Documents
from lading.lifecycle.forget import Forgetting
from lading.lifecycle.patch import Patches, PatchResult
from lading.lifecycle.report import Testimony
from lading.lifecycle.revoke import Revocation
from lading.lifecycle.ship import ShipRequest, ShipResult, Ships, Site
from lading.lifecycle.steps import BuildSteps
from lading.orchestration.engines.memory.engine import MemoryEngine
from lading.orchestration.ingress.ingress import MemoryIngress
from lading.orchestration.rollout.deployments import Deployments
from lading.policy.decide import Policy
from lading.policy.explain import Explainer
from lading.policy.pack import Pack, load_pack
from lading.policy.replay import Replay
from lading.state import Database
from lading.supply_chain.advisories.feeds import Advisories
from lading.supply_chain.attest.attestations import Attestations
from lading.supply_chain.attest.keys_local import PrivateKey
from lading.supply_chain.build.base import BaseRequest, MadeBase, Say
from lading.supply_chain.build.base_memory import MemoryBases
from lading.supply_chain.build.builder import BuildRequest, Built, Credentials, Progress
from lading.supply_chain.build.builder_memory import MemoryBuilder
from lading.supply_chain.build.context import pack_directory
from lading.supply_chain.build.sources import Sources
from lading.supply_chain.checks.checking import Checking
from lading.supply_chain.foreign.reports import Reports
from lading.supply_chain.inventory.inventories import Inventories
from lading.supply_chain.lineage.lineages import Lineages
from lading.supply_chain.match.findings import Findings
from lading.supply_chain.match.order import EcosystemOrder
from lading.supply_chain.registry.access import Visitor
from lading.supply_chain.registry.blobs import MemoryBlobs
from lading.supply_chain.registry.copying import copy_image
from lading.supply_chain.registry.layout import LayoutSource
from lading.supply_chain.registry.local import RegistrySink
from lading.supply_chain.registry.registry import Registry
from lading.supply_chain.registry.states import ImageStates
from lading.wiring.adapters import (
    InventoryBillOfMaterials,
    RegistryArtifacts,
    RegistryBeginnings,
    RegistryLayers,
    RegistryOwners,
)

F = TypeVar("F", bound=Fact)
ACTOR = "person:anna"
WEB = """name: shop
x-lading: {team: shop}
services:
  web:
    build: {context: web}
    user: "10001"
    healthcheck: {test: ["CMD", "/probe"]}
"""
STORE = """  store:
    image: base/store:12
    user: "10002"
    healthcheck: {test: ["CMD", "/probe"]}
"""
DOCKERFILE = "FROM scratch\nCOPY site /opt/app/lib/python3.11/site-packages\nUSER 10001\n"


class InstallingBuilder:
    """A builder that installs what `requirements.txt` pins, as `pip install` would, and pushes what came out."""

    name = MemoryBuilder.name

    def __init__(self, directory: Path, sink: RegistrySink) -> None:
        self._directory = directory
        self._inner = MemoryBuilder(directory)
        self._sink = sink

    def version(self) -> str:
        return self._inner.version()

    def build(self, request: BuildRequest, credentials: Credentials, progress: Progress) -> Built:
        with tempfile.TemporaryDirectory() as scratch:
            directory = Path(scratch) / "context"
            shutil.copytree(request.directory, directory)
            for line in (directory / "requirements.txt").read_text(encoding="utf-8").splitlines():
                name, _, version = line.replace(">=", "==").partition("==")
                metadata = directory / "site" / f"{name}-{version}.dist-info" / "METADATA"
                metadata.parent.mkdir(parents=True)
                metadata.write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")
            built = self._inner.build(replace(request, directory=directory), credentials, progress)
        layout = LayoutSource(self._directory / request.image.path / built.digest.hex)
        copy_image(layout, "", str(built.digest), self._sink, to=request.image.path, tag=request.image.tag)
        return built


class Archive:
    """Distribution packages that get new versions."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.publish("7.0.1-1")

    def publish(self, store: str) -> None:
        """From now on, bases are made with this version of `store`."""
        essential = dict.fromkeys(("base-files", "dash", "dpkg", "libc6"), "1.0-1")
        self._bases = MemoryBases(self._directory, {**essential, "store": store})

    def make(self, request: BaseRequest, say: Say) -> MadeBase:
        return self._bases.make(request, say)

    def again(self, made: MadeBase, say: Say) -> Digest:
        return self._bases.again(made, say)


@dataclass
class Heard:
    """Everything that a story told."""

    steps: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def step(self, name: str) -> None:
        self.steps.append(name)

    def say(self, text: str, level: str = "info") -> None:
        del level
        self.said.append(text)


class _AllBut(set[str]):
    """A set of images that has all but those of some digests."""

    def __contains__(self, image: object) -> bool:
        return str(image).partition("@")[2] not in set(self)


class House:
    """The rooms, wired as a server does, and short words for what tests do with them."""

    def __init__(self, database: Database, ledger: Ledger, clock: ManualClock, pack: Pack, directory: Path) -> None:
        self.database, self.ledger, self._directory = database, ledger, directory
        self.states = ImageStates(database, ledger, clock)
        self.blobs = MemoryBlobs()
        self.registry = Registry(database, ledger, self.blobs, self.states, clock)
        self.advisories = Advisories(database, ledger, clock=clock)
        self.findings = Findings(database, ledger, self.advisories, clock=clock)
        self.inventories = inventories = Inventories(database, ledger, RegistryLayers(self.registry), clock=clock)
        owners, key = RegistryOwners(self.registry), PrivateKey.generate()
        self.attestations = Attestations(RegistryArtifacts(self.registry), key, database, ledger, clock)
        self.policy = Policy(database, ledger, pack, clock)
        self.reports = Reports(database, ledger, clock)
        self.lineages = Lineages(database, RegistryBeginnings(self.registry), clock)
        self.checking = Checking(inventories, self.registry, clock, bases=self.lineages)
        explainer = Explainer(self.policy, Replay(database), EcosystemOrder())
        self.documents = documents = Documents(
            self.registry,
            self.states,
            inventories,
            self.findings,
            self.attestations,
            owners,
            clock,
            self.advisories,
            self.reports,
            self.checking,
            self.lineages,
        )
        self.admission = Admission(
            database=database, ledger=ledger, states=self.states, inventories=inventories, findings=self.findings,
            documents=documents, policy=self.policy, attestations=self.attestations,
            bill_of_materials=InventoryBillOfMaterials(inventories, self.registry), indexes=self.registry,
            clock=clock, lineages=self.lineages,
        )  # fmt: skip
        self.testimony = Testimony(
            reports=self.reports, attestations=self.attestations, admission=self.admission, states=self.states,
            relatives=self.registry,
        )  # fmt: skip
        self.forgetting = self.forgetting_again()
        self.archive = Archive(directory / "bases")
        self.bases = Bases(
            database=database, ledger=ledger, maker=self.archive, registry=self.registry, admission=self.admission,
            explainer=explainer, mirror=NoMirror(), pull="127.0.0.1:5001", version="1",
        )  # fmt: skip
        self.engine = MemoryEngine()
        self.deployments = Deployments(database, ledger, self.engine, MemoryIngress(), clock=clock)
        self.sources = Sources(directory / "sources")
        self.ships = Ships(
            database=database, ledger=ledger, sources=self.sources,
            builder=InstallingBuilder(
                directory / "images", RegistrySink(self.registry, Visitor("robot:shop/builder", "shop"))
            ),
            bases=self.bases, steps=BuildSteps(self.registry, inventories), admission=self.admission, documents=documents, policy=self.policy, explainer=explainer,
            deployments=self.deployments, clock=clock,
            site=Site(push="127.0.0.1:5000", pull="127.0.0.1:5001", credentials=lambda _team: Credentials("u", "s")),
        )  # fmt: skip
        self.patches = Patches(
            database=database, ledger=ledger, findings=self.findings, registry=self.registry,
            deployments=self.deployments, sources=self.sources, ships=self.ships, bases=self.bases, clock=clock,
            is_known=lambda name: bool(self.advisories.named(name)),
        )  # fmt: skip
        self.revocation = Revocation(database, ledger, self.states, self.registry, self.deployments, clock)
        self.heard = Heard()

    def forgetting_again(self) -> Forgetting:
        """What a new process forgets with."""
        memories = (self.findings, self.reports, self.attestations, self.lineages)
        return Forgetting(self.database, self.registry, self, self.inventories, memories)

    def images(self) -> list[str]:
        """The images that run."""
        return [row.image for row in self.deployments.containers()]

    def request(self, files: Mapping[str, str], **said: Any) -> ShipRequest:
        """Upload a source."""
        with tempfile.TemporaryDirectory(dir=self._directory) as scratch:
            for name, text in files.items():
                path = Path(scratch) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            with pack_directory(Path(scratch)) as archive:
                source = str(self.sources.keep(archive.path))
        return ShipRequest(source=source, name="shop", **said)

    def ship(self, *pins: str, compose: str = WEB, **said: Any) -> ShipResult:
        """Ship the shop with these requirements."""
        files = {"compose.yaml": compose, "web/Dockerfile": DOCKERFILE, "web/requirements.txt": "\n".join(pins)}
        return self.ships.ship("ship-1", self.request(files, **said), ACTOR, self.heard)

    def make_base(self) -> None:
        """The base image `base/store:12` of team platform."""
        order = BaseOrder(distribution="debian:12", include=["store"], tag="base/store:12", team="platform")
        self.bases.make(order, ACTOR, self.heard)

    def learn(
        self, identity: str, package: str, fixed: str, *, ecosystem: str = "PyPI", severity: str = "CRITICAL"
    ) -> None:
        """A flaw becomes known, and is matched with what is kept."""
        events = [{"introduced": "0"}, *([{"fixed": fixed}] if fixed else [])]
        record = {
            "id": identity,
            "modified": "2026-01-01T00:00:00Z",
            "database_specific": {"severity": severity},
            "affected": [
                {
                    "package": {"ecosystem": ecosystem, "name": package},
                    "ranges": [{"type": "ECOSYSTEM", "events": events}],
                }
            ],
        }
        self.advisories.import_osv("test", [json.dumps(record).encode()])
        self.findings.catch_up()

    def patch(self, advisory: str, *, auto: bool = True) -> PatchResult:
        return self.patches.patch("patch-1", advisory, auto=auto, actor=ACTOR, telling=self.heard)

    def break_all_but(self, images: Mapping[str, str]) -> None:
        """From now on, only containers of these images become healthy."""
        self.engine.broken = _AllBut(images.values())

    def running(self) -> dict[str, str]:
        """Workload -> digest of the image that the engine really runs."""
        found = self.engine.observe("shop")
        return {item.workload: item.image.partition("@")[2] for item in found if item.state == "running"}

    def versions(self) -> dict[str, str]:
        """Packages of the running shop/web and store, by name."""
        found: dict[str, str] = {}
        for workload, image in self.running().items():
            inventory = self.inventories.of(Digest.parse(image))
            found |= {f"{workload}:{item.name}": item.version for item in inventory.packages}
        return found

    def told(self, kind: type[F]) -> list[F]:
        """The facts of a kind, in order."""
        with self.database.read() as tx:
            return [entry.fact for entry in self.ledger.read(tx, limit=10_000) if isinstance(entry.fact, kind)]


@pytest.fixture(scope="session")
def default_pack() -> Pack:
    return load_pack()


@pytest.fixture
def house(database: Database, ledger: Ledger, clock: ManualClock, default_pack: Pack, tmp_path: Path) -> House:
    return House(database, ledger, clock, default_pack, tmp_path)
