"""Deleted images leave nothing behind, what others share stays, and pushing again brings everything back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.facts import Ledger, follow
from lading.kernel.clock import ManualClock
from lading.kernel.digest import Digest
from lading.lifecycle.forget import Forgetting
from lading.state import Database, metadata
from lading.supply_chain.advisories.feeds import Advisories
from lading.supply_chain.attest.attestations import Attestations
from lading.supply_chain.attest.keys_local import PrivateKey
from lading.supply_chain.foreign.reports import Reports
from lading.supply_chain.inventory.errors import NotInventoried
from lading.supply_chain.inventory.inventories import Inventories
from lading.supply_chain.match.findings import Findings
from lading.supply_chain.registry.access import Visitor
from lading.supply_chain.registry.blobs import MemoryBlobs
from lading.supply_chain.registry.collecting import Collections, Order
from lading.supply_chain.registry.holding import Holds
from lading.supply_chain.registry.manifest import OCI_MANIFEST
from lading.supply_chain.registry.registry import Registry
from lading.supply_chain.registry.states import ImageStates
from lading.wiring.adapters import RegistryArtifacts, RegistryLayers
from tar_layers import distribution, tar
from unit.lifecycle.conftest import House
from unit.lifecycle.test_reports_of_other_tools import FIXTURES, take

ROBOT = Visitor("robot:shop/ci", "shop")
REPOSITORIES = ("shop/web", "shop/copy")
NAMES = ("flask", "click", "jinja2")
LAYERS = {
    (name, version): tar(distribution(name, version)) for name in NAMES for version in ("1.0", "2.0")
}  # fmt: skip
KEPT = (
    "match_images", "match_image_groups", "match_groups", "match_members", "match_overlaps", "match_packages",
    "match_flaws", "match_flaw_names", "match_since", "match_licences", "inventory_images", "inventory_layers",
    "foreign_reports", "foreign_names", "attest_attestations",
)  # fmt: skip


def counts(database: Database, *tables: str) -> dict[str, int]:
    """Table -> rows, of those that have some."""
    with database.read() as tx:
        found = {name: tx.exec_driver_sql(f"SELECT COUNT(*) FROM {name}").scalar_one() for name in tables or KEPT}
    return {name: count for name, count in found.items() if count}


def forget(house: House, forgetting: Forgetting | None = None) -> None:
    once = forgetting or house.forgetting
    follow(house.database, house.ledger, once)
    while once.step():
        pass


class NothingRuns:
    def images(self) -> list[str]:
        return []


def collect(database: Database, ledger: Ledger, blobs: MemoryBlobs, clock: ManualClock) -> None:
    """Collect everything that nothing names, at once."""
    clock.sleep(1)
    holds = Holds(database, ledger, clock)
    Collections(database, ledger, blobs, holds, NothingRuns(), clock).run(Order(grace=0), actor="person:ada")


@pytest.fixture
def image(house: House) -> Digest:
    """An image with findings, a report and attestations that no longer runs."""
    made = Digest.parse(house.ship("jinja2==3.1.2").images["shop/web"])
    house.learn("CVE-1", "jinja2", "3.1.3", severity="LOW")
    take(house, made, (FIXTURES / "trivy-flaws.json").read_bytes())
    house.deployments.remove("shop", why="a test", actor="person:ada", say=lambda _text: None)
    return made


def delete(house: House, image: Digest) -> None:
    house.registry.delete_manifest("shop/web", image, ROBOT)


def test_a_deleted_image_is_found_nowhere_and_leaves_nothing(house: House, image: Digest) -> None:
    assert [place.image for place in house.findings.images_with("CVE-1")] == [str(image)]
    delete(house, image)
    forget(house)

    assert house.findings.images_with("CVE-1") == []
    assert house.reports.of(image) == []
    with pytest.raises(NotInventoried):
        house.inventories.of(image)
    assert set(counts(house.database)) == {"inventory_layers"}


def test_layers_are_forgotten_when_their_content_is_collected(house: House, image: Digest, clock: ManualClock) -> None:
    referrers = house.registry.referrers("shop/web", image)["manifests"]
    for digest in (image, *(Digest.parse(one["digest"]) for one in referrers)):
        delete(house, digest)
    forget(house)
    assert set(counts(house.database)) == {"inventory_layers"}
    collect(house.database, house.ledger, house.blobs, clock)
    forget(house)

    assert counts(house.database) == {}


def test_an_image_that_another_repository_has_stays_known(house: House, image: Digest) -> None:
    content = house.registry.manifest(image)
    for blob in (house.registry.layers(image)[0].digest, Digest.parse(json.loads(content)["config"]["digest"])):
        with house.registry.open_blob(blob) as stream:
            house.registry.put_blob("shop/copy", stream.read(), ROBOT)
    house.registry.put_manifest("shop/copy", "1", OCI_MANIFEST, content, ROBOT)
    delete(house, image)
    forget(house)

    assert [one.id for one in house.findings.of(image)] == ["CVE-1"]


def test_what_runs_stays_known_until_it_ends(house: House) -> None:
    image = Digest.parse(house.ship("jinja2==3.1.2").images["shop/web"])
    delete(house, image)
    forget(house)
    assert house.inventories.files(image)

    house.deployments.remove("shop", why="a test", actor="person:ada", say=lambda _text: None)
    forget(house, house.forgetting_again())

    assert "inventory_images" not in counts(house.database)


def test_a_process_that_is_killed_before_it_forgot_does_so_when_it_starts_again(house: House, image: Digest) -> None:
    forget(house)
    delete(house, image)
    follow(house.database, house.ledger, house.forgetting)

    forget(house, house.forgetting_again())

    assert set(counts(house.database)) == {"inventory_layers"}


def test_history_and_state_outlive_the_image(house: House, image: Digest) -> None:
    before = house.states.state(image)
    delete(house, image)
    forget(house)

    assert house.states.state(image) == before


class Bench:
    """A registry whose images are read and matched, and what forgets them."""

    def __init__(self, database: Database) -> None:
        clock = ManualClock()
        self.database, self.ledger, self.blobs = database, Ledger(clock), MemoryBlobs()
        states = ImageStates(database, self.ledger, clock)
        self.registry = Registry(database, self.ledger, self.blobs, states, clock)
        self.inventories = Inventories(database, self.ledger, RegistryLayers(self.registry), clock=clock)
        self.advisories = Advisories(database, self.ledger, clock=clock)
        self.findings = Findings(database, self.ledger, self.advisories, clock=clock)
        self.rooms = (
            self.findings,
            Reports(database, self.ledger, clock),
            Attestations(RegistryArtifacts(self.registry), PrivateKey.generate(), database, self.ledger, clock),
        )
        self.clock = clock
        self.start()
        self.at = 0

    def start(self) -> None:
        """A new process, whatever the old one had in mind."""
        self.forgetting = Forgetting(self.database, self.registry, NothingRuns(), self.inventories, self.rooms)

    def push(self, repository: str, layers: tuple[tuple[str, str], ...]) -> None:
        described = []
        for content in (b"{}", *(LAYERS[one] for one in layers)):
            digest = self.registry.put_blob(repository, content, ROBOT)
            kind = "config.v1+json" if content == b"{}" else "layer.v1.tar"
            media_type = f"application/vnd.oci.image.{kind}"
            described.append({"mediaType": media_type, "digest": str(digest), "size": len(content)})
        body = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": described[0], "layers": described[1:]}
        content = json.dumps(body).encode()
        digest = self.registry.put_manifest(repository, str(Digest.of(content)), OCI_MANIFEST, content, ROBOT).digest
        self.findings.match_image(digest, self.inventories.take(digest))

    def delete(self, which: int) -> None:
        if rows := self.registry.images():
            row = rows[which % len(rows)]
            self.registry.delete_manifest(row.repository, Digest.parse(row.digest), ROBOT)

    def learn(self, name: str, fixed: str, withdrawn: bool) -> None:
        self.at += 1
        events = [{"introduced": "0"}, {"fixed": fixed}]
        record: dict[str, Any] = {"id": f"PYSEC-{name}", "modified": f"2026-01-01T00:00:{self.at:02}Z", "affected": [
            {"package": {"ecosystem": "PyPI", "name": name}, "ranges": [{"type": "ECOSYSTEM", "events": events}]}
        ]}  # fmt: skip
        if withdrawn:
            record["withdrawn"] = "2026-01-02T00:00:00Z"
        self.advisories.import_osv("own", [json.dumps(record).encode()])
        self.findings.catch_up()

    def forget(self) -> None:
        follow(self.database, self.ledger, self.forgetting)
        self.forgetting.step()

    def collect(self) -> None:
        collect(self.database, self.ledger, self.blobs, self.clock)

    def settle(self) -> None:
        self.start()
        follow(self.database, self.ledger, self.forgetting)
        while self.forgetting.step():
            pass

    def known(self) -> dict[str, Any]:
        """Everything that can be asked, and how much is kept for it."""
        images = sorted({row.digest for row in self.registry.images()})
        return {
            "findings": {one: self.findings.all_of(Digest.parse(one)) for one in images},
            "counts": self.findings.counts(images),
            "inventories": {one: self.inventories.of(Digest.parse(one)) for one in images},
            "where": {name: self.findings.images_with(name) for name in (*NAMES, "PYSEC-flask", "PYSEC-click")},
            "rows": counts(self.database),
        }

    def know_anew(self) -> None:
        """Throw away what is known of images, and read and match them as if they were pushed now."""
        with self.database.write() as tx:
            for table in KEPT:
                tx.exec_driver_sql(f"DELETE FROM {table}")
        for digest in sorted({row.digest for row in self.registry.images()}):
            image = Digest.parse(digest)
            self.findings.match_image(image, self.inventories.take(image))


PUSH = st.tuples(
    st.just("push"),
    st.sampled_from(REPOSITORIES),
    st.lists(st.sampled_from(sorted(LAYERS)), min_size=1, max_size=3, unique=True).map(tuple),
)
DELETE = st.tuples(st.just("delete"), st.integers(0, 3))
LEARN = st.tuples(st.just("learn"), st.sampled_from(NAMES), st.sampled_from(["1.5", "3.0"]), st.booleans())
OTHER = st.sampled_from([("forget",), ("start",), ("collect",), ("settle",)])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.one_of(PUSH, PUSH, DELETE, DELETE, LEARN, OTHER), min_size=3, max_size=12))
def test_what_is_known_after_deletions_is_what_knowing_the_rest_anew_gives(steps: list[tuple[Any, ...]]) -> None:
    database = Database("sqlite://")
    metadata.create_all(database.engine)
    bench = Bench(database)
    for name, *arguments in steps:
        getattr(bench, name)(*arguments)
    bench.settle()
    bench.collect()
    bench.settle()
    kept = bench.known()
    bench.know_anew()

    assert kept == bench.known()
    database.close()
