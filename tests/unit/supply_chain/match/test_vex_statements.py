import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.facts import Ledger
from lading.facts.kinds.supply_chain import FindingsChanged, VexEnded, VexTaken
from lading.kernel.clock import ManualClock
from lading.kernel.digest import Digest
from lading.kernel.errors import NotFound
from lading.state import Database
from lading.supply_chain.advisories import Advisories
from lading.supply_chain.inventory import ImageInventory, Package
from lading.supply_chain.match import Findings
from lading.supply_chain.match.errors import VexInvalid
from lading.supply_chain.match.vex.reading import read_document
from lading.supply_chain.match.vex.statement import Scope, Statement
from lading.supply_chain.match.vexing import Vex

WEB, WORKER = Digest.of(b"web"), Digest.of(b"worker")
YEAR = timedelta(days=365)
NOW = datetime(2026, 11, 1, tzinfo=UTC)
EVERYWHERE = Scope(repositories=("*",))


class Homes:
    def homes(self, image: str) -> Sequence[tuple[str, str]]:
        return {str(WEB): (("shop/web", "shop"),), str(WORKER): (("mail/worker", "mail"),)}.get(image, ())


class Room:
    def __init__(self, database: Database, ledger: Ledger, clock: ManualClock) -> None:
        self.database, self.ledger, self.clock = database, ledger, clock
        self.advisories = Advisories(database, ledger, clock=clock)
        self.findings = Findings(database, ledger, self.advisories, homes=Homes(), clock=clock)
        self.vex = Vex(database, ledger, self.advisories, homes=Homes(), clock=clock)

    def facts(self) -> list[Any]:
        with self.database.read() as tx:
            return [entry.fact for entry in self.ledger.read(tx)]


@pytest.fixture
def room(each_database: Database, ledger: Ledger) -> Room:
    made = Room(each_database, ledger, ManualClock(NOW))
    affected = [{"package": {"ecosystem": "PyPI", "name": "flask"},
                 "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.0"}]}]}]  # fmt: skip
    record = {"id": "PYSEC-1", "modified": "2026-01-01T00:00:00Z", "aliases": ["GHSA-1"], "affected": affected}
    alias = {"id": "GHSA-1", "modified": "2026-01-01T00:00:00Z", "aliases": ["CVE-2026-1000"], "affected": []}
    made.advisories.import_osv("own", [json.dumps(one).encode() for one in (record, alias)])
    for image in (WEB, WORKER):
        package = Package(purl="pkg:pypi/flask@1.0", ecosystem="PyPI", name="flask", version="1.0", path="x", layer="l")
        made.findings.match_image(
            image, ImageInventory(image=str(image), cataloger_version="1", layers=("l",), packages=(package,))
        )
    made.findings.catch_up()
    return made


def openvex(status: str = "not_affected", *products: Any, at: str = "2026-10-01T00:00:00Z", **said: Any) -> bytes:
    if status == "not_affected":
        said.setdefault("justification", "vulnerable_code_not_in_execute_path")
    statement = {"vulnerability": {"name": "CVE-2026-1000"}, "status": status, "products": list(products)} | said
    document = {"@context": "https://openvex.dev/ns/v0.2.0", "@id": f"https://vex.test/{status}-{at}", "author": "security@shop",
                "timestamp": at, "statements": [statement]}  # fmt: skip
    return json.dumps(document).encode()


def test_a_finding_that_does_not_matter_is_set_aside_and_still_listed(room: Room) -> None:
    room.vex.take(openvex("not_affected", {"@id": f"pkg:oci/web@{WEB}"}), scope=Scope(), lasting=YEAR, actor="ann")

    assert room.findings.of(WEB) == []
    (aside,) = room.findings.set_aside(WEB)
    assert aside.id == "CVE-2026-1000"
    assert aside.vex is not None
    assert (aside.vex.justification, aside.vex.author) == ("vulnerable_code_not_in_execute_path", "security@shop")
    assert [one.id for one in room.findings.of(WORKER)] == ["CVE-2026-1000"]
    counts = room.findings.counts([str(WEB), str(WORKER)])
    assert (counts[str(WEB)].by_severity, counts[str(WORKER)].by_severity) == ({}, {"unknown": 1})
    assert [(place.image, place.finding.is_set_aside) for place in room.findings.images_with("PYSEC-1") if place.finding] == sorted(
        [(str(WEB), True), (str(WORKER), False)]
    )  # fmt: skip
    taken, changed = room.facts()[-2:]
    assert isinstance(taken, VexTaken)
    assert isinstance(changed, FindingsChanged)
    assert (changed.digest, changed.closed, changed.cause) == (
        str(WEB), ("CVE-2026-1000@pkg:pypi/flask@1.0",), "vex-changed",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("products", "scope", "web", "worker"),
    [
        (["pkg:pypi/flask"], Scope(), True, True),
        (["pkg:pypi/flask@1.0"], Scope(), True, True),
        (["pkg:pypi/flask@1.1"], Scope(), False, False),
        (["pkg:npm/flask@1.0"], Scope(), False, False),
        (["pkg:oci/web?repository_url=registry.test/shop/web"], Scope(), True, False),
        ([{"@id": f"pkg:oci/web@{WEB}", "subcomponents": [{"@id": "pkg:pypi/flask@1.0"}]}], Scope(), True, False),
        ([{"@id": f"pkg:oci/web@{WEB}", "subcomponents": [{"@id": "pkg:pypi/click"}]}], Scope(), False, False),
        ([{"@id": "https://shop.test/web", "hashes": {"sha-256": str(WEB)[7:]}}], Scope(), True, False),
        ([], Scope(repositories=("shop/*",)), True, False),
        ([], Scope(teams=("mail",)), False, True),
        ([], Scope(images=(str(WEB),)), True, False),
        (["pkg:pypi/flask"], Scope(teams=("mail",), repositories=("shop/*",)), False, False),
    ],
)
def test_a_statement_counts_in_its_scope_only(
    room: Room, products: list[Any], scope: Scope, web: bool, worker: bool
) -> None:
    room.vex.take(openvex("fixed", *products), scope=scope, lasting=YEAR, actor="ann")

    assert (room.findings.of(WEB) == [], room.findings.of(WORKER) == []) == (web, worker)


def test_the_youngest_statement_wins_and_the_most_alarming_of_one_moment(room: Room) -> None:
    def take(status: str, at: str) -> None:
        room.vex.take(openvex(status, "pkg:pypi/flask", at=at), scope=Scope(), lasting=YEAR, actor="ann")

    take("not_affected", "2026-10-02T00:00:00Z")
    take("affected", "2026-10-01T00:00:00Z")
    assert room.findings.of(WEB) == []
    take("affected", "2026-10-02T00:00:00Z")
    (found,) = room.findings.of(WEB)
    assert found.vex is not None
    assert found.vex.status == "affected"


def test_statements_end_by_themselves_or_when_removed_and_findings_count_again(room: Room) -> None:
    room.vex.take(openvex("fixed", "pkg:pypi/flask"), scope=Scope(), lasting=timedelta(days=1), actor="ann")
    (two,) = room.vex.take(openvex("not_affected", "pkg:pypi/flask"), scope=Scope(), lasting=YEAR, actor="ann")
    room.clock.advance(timedelta(days=2))

    assert (room.vex.end(), room.vex.end()) == (1, 0)
    assert room.findings.of(WEB) == []
    room.vex.remove(two.id, actor="ann")
    assert len(room.findings.of(WEB)) == len(room.findings.of(WORKER)) == 1
    ended = [fact for fact in room.facts() if isinstance(fact, VexEnded)]
    assert [fact.why for fact in ended] == ["expired", "removed"]
    again = [
        fact
        for fact in room.facts()
        if isinstance(fact, FindingsChanged) and fact.opened and fact.cause == "vex-changed"
    ]
    assert {fact.digest for fact in again} == {str(WEB), str(WORKER)}
    with pytest.raises(NotFound):
        room.vex.remove(two.id, actor="ann")


def test_the_end_of_the_only_statement_is_told_to_every_image(room: Room) -> None:
    room.vex.take(openvex("fixed", "pkg:pypi/flask"), scope=Scope(), lasting=timedelta(days=1), actor="ann")
    room.clock.advance(timedelta(days=2))

    assert len(room.findings.of(WEB)) == 1
    room.vex.end()
    last = room.facts()[-1]
    assert isinstance(last, FindingsChanged)
    assert last.opened == ("CVE-2026-1000@pkg:pypi/flask@1.0",)


def read(raw: bytes, scope: Scope = EVERYWHERE) -> list[Statement]:
    return read_document(raw, scope=scope, until=NOW + YEAR, now=NOW)


def test_cyclonedx_is_read_like_openvex() -> None:
    document = {
        "bomFormat": "CycloneDX", "specVersion": "1.5", "serialNumber": "urn:uuid:1",
        "metadata": {"timestamp": "2026-10-01T00:00:00Z", "supplier": {"name": "shop"}},
        "components": [{"bom-ref": "f", "purl": "pkg:pypi/flask@1.0"}],
        "vulnerabilities": [
            {"id": "CVE-2026-1000", "references": [{"id": "GHSA-1"}], "affects": [{"ref": "urn:cdx:1/1#f"}],
             "analysis": {"state": "not_affected", "justification": "code_not_reachable", "response": ["will_not_fix"]}},
            {"id": "CVE-2026-2", "affects": [{"ref": "pkg:pypi/click@1"}], "analysis": {"state": "in_triage"}},
            {"id": "CVE-2026-3"},
        ],
    }  # fmt: skip
    first, second = read(json.dumps(document).encode(), Scope())

    assert (first.names, first.status, first.justification, first.author) == (
        ("CVE-2026-1000", "GHSA-1"), "not_affected", "code_not_reachable", "shop",
    )  # fmt: skip
    assert [one.package for one in first.products] == ["pkg:pypi/flask@1.0"]
    assert (second.status, second.made) == ("under_investigation", "2026-10-01T00:00:00.000000Z")


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "refused"),
        (b"[]", "no JSON object"),
        (b"{}", "neither OpenVEX"),
        (b"[" * 100_000, "refused"),
        (openvex("not_affected", justification=""), "without a justification"),
        (openvex("probably"), "status 'probably'"),
        (openvex("fixed", vulnerability={}), "names no vulnerability"),
        (openvex("fixed", products="x"), "does not hold objects"),
        (b'{"@context":"https://openvex.dev/ns","author":"a","statements":[]}', "no statement"),
        (b'{"@context":"https://openvex.dev/ns","statements":[]}', "author"),
    ],
)
def test_what_is_not_clear_is_refused(raw: bytes, why: str) -> None:
    with pytest.raises(VexInvalid, match=why):
        read(raw)


@pytest.mark.parametrize("products", [[], [{"@id": "https://shop.test/web"}], ["pkg:oci/web@latest"]])
def test_a_statement_without_scope_is_refused(products: list[Any]) -> None:
    with pytest.raises(VexInvalid, match="which image or package"):
        read(openvex("fixed", *products), Scope())


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=9),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
                        st.sampled_from(["vulnerability", "name", "products", "status", "@id", "hashes", "sha-256", "analysis",
                                         "state", "affects", "ref", "aliases", "identifiers", "purl", "subcomponents"]), inner, max_size=4),
                    max_leaves=12))  # fmt: skip
def test_no_document_makes_reading_fail_otherwise(inner: Any) -> None:
    for document in (
        {"@context": "openvex", "author": "a", "statements": [inner]},
        {"bomFormat": "CycloneDX", "vulnerabilities": [inner], "metadata": inner, "components": [inner]},
    ):
        try:
            read(json.dumps(document).encode())
        except VexInvalid:
            continue
