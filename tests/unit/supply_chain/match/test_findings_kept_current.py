import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.facts import Ledger, follow
from lading.facts.kinds.supply_chain import FindingsChanged
from lading.kernel.digest import Digest
from lading.state import Database, metadata
from lading.supply_chain.advisories import Advisories
from lading.supply_chain.inventory import ImageInventory, Package
from lading.supply_chain.match import Finding, Findings
from lading.supply_chain.match.follower import AdvisoryFollower


def osv(
    identity: str, name: str, fixed: str = "", *, aliases: tuple[str, ...] = (), at: int = 1, **fields: Any
) -> bytes:
    events = [{"introduced": "0"}, *([{"fixed": fixed}] if fixed else [])]
    affected = [{"package": {"ecosystem": "PyPI", "name": name}, "ranges": [{"type": "ECOSYSTEM", "events": events}]}]
    record = {"id": identity, "modified": f"2025-01-01T00:00:{at:02}Z", "aliases": list(aliases), "affected": affected}
    return json.dumps(record | fields).encode()


def image(number: int) -> Digest:
    return Digest.of(b"image %d" % number)


def inventory(number: int, *packages: str, layer: str = "sha256:base") -> ImageInventory:
    found = []
    for spec in packages:
        name, version = spec.split("==")
        found.append(
            Package(
                purl=f"pkg:pypi/{name}@{version}",
                ecosystem="PyPI",
                name=name,
                version=version,
                path=f"x/{name}",
                layer=layer,
            )
        )
    return ImageInventory(image=str(image(number)), cataloger_version="1", layers=(layer,), packages=tuple(found))


class Room:
    def __init__(self, database: Database, ledger: Ledger) -> None:
        self.database, self.ledger = database, ledger
        self.advisories = Advisories(database, ledger)
        self.findings = Findings(database, ledger, self.advisories)

    def facts(self) -> list[FindingsChanged]:
        with self.database.read() as tx:
            return [fact for entry in self.ledger.read(tx) if isinstance(fact := entry.fact, FindingsChanged)]


@pytest.fixture
def room(each_database: Database, ledger: Ledger) -> Room:
    return Room(each_database, ledger)


def test_a_new_advisory_reaches_every_image_that_has_the_package(room: Room) -> None:
    room.findings.match_image(image(1), inventory(1, "flask==1.0", "click==1.0"))
    room.findings.match_image(image(2), inventory(2, "flask==1.0"))
    room.findings.match_image(image(3), inventory(3, "flask==2.0"))

    imported = room.advisories.import_osv("own", [osv("PYSEC-1", "flask", "2.0", aliases=("CVE-2026-1000",))])
    changes = room.findings.match_advisories(imported.touched)

    assert sorted(change.image for change in changes) == sorted([str(image(1)), str(image(2))])
    assert [one.key for one in changes[0].opened] == ["CVE-2026-1000@pkg:pypi/flask@1.0"]
    assert [one.id for one in room.findings.of(image(2))] == ["CVE-2026-1000"]
    assert room.findings.of(image(3)) == []
    assert {fact.digest: (fact.opened, fact.by_severity, fact.advisories, fact.cause) for fact in room.facts()}[str(image(1))] == (
        ("CVE-2026-1000@pkg:pypi/flask@1.0",), {"unknown": 1}, ("PYSEC-1",), "advisories-changed",
    )  # fmt: skip


def test_facts_are_stated_only_when_something_changed(room: Room) -> None:
    room.advisories.import_osv("own", [osv("PYSEC-1", "flask", "2.0")])
    for _ in range(2):
        room.findings.match_image(image(1), inventory(1, "flask==1.0"))
    room.findings.match_advisories(["PYSEC-1"])
    room.findings.catch_up()

    assert len(room.facts()) == 1


def test_a_withdrawn_advisory_closes_its_findings(room: Room) -> None:
    room.advisories.import_osv("own", [osv("PYSEC-1", "flask", "2.0")])
    room.findings.match_image(image(1), inventory(1, "flask==1.0"))

    imported = room.advisories.import_osv(
        "own", [osv("PYSEC-1", "flask", "2.0", at=2, withdrawn="2025-02-02T00:00:00Z")]
    )
    changes = room.findings.match_advisories(imported.touched)

    assert [one.id for one in changes[0].closed] == ["PYSEC-1"]
    assert room.findings.of(image(1)) == []
    assert room.findings.images_with("PYSEC-1") == []


def test_an_image_that_lost_a_package_loses_its_findings(room: Room) -> None:
    room.advisories.import_osv("own", [osv("PYSEC-1", "flask", "2.0")])
    room.findings.match_image(image(1), inventory(1, "flask==1.0", "click==1.0"))

    assert room.findings.match_image(image(1), inventory(1, "click==1.0")) == []
    assert room.findings.images_with("flask") == []


def test_known_exploitation_and_scores_of_other_records_raise_a_finding(room: Room) -> None:
    room.advisories.import_osv("own", [osv("PYSEC-1", "flask", aliases=("CVE-2026-1000",))])
    room.findings.match_image(image(1), inventory(1, "flask==1.0"))

    kev = {"vulnerabilities": [{"cveID": "CVE-2026-1000"}], "dateReleased": "2026-01-01T00:00:00Z"}
    room.findings.match_advisories(room.advisories.import_kev(json.dumps(kev).encode()).touched)
    vector = [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]
    scored = room.advisories.import_osv(
        "other", [osv("GHSA-1", "elsewhere", aliases=("CVE-2026-1000",), severity=vector)]
    )
    changes = room.findings.match_advisories(scored.touched)

    found = room.findings.of(image(1))[0]
    assert (found.kev, found.score, found.severity.label) == (True, 9.8, "critical")
    assert changes[0].changed == (found,)
    assert [fact.by_severity for fact in room.facts()] == [{"unknown": 1}, {"unknown": 1}, {"critical": 1}]


def test_flaws_and_packages_are_found_by_every_name(room: Room) -> None:
    room.advisories.import_osv("own", [osv("PYSEC-1", "flask", "2.0", aliases=("CVE-2026-1000", "GHSA-1"))])
    room.findings.match_image(image(1), inventory(1, "flask==1.0", layer="sha256:top"))

    for name in ("PYSEC-1", "CVE-2026-1000", "GHSA-1"):
        (place,) = room.findings.images_with(name)
        assert (place.image, place.package, place.layer) == (str(image(1)), "flask", "sha256:top")
        assert place.finding is not None
        assert place.finding.fixed == "2.0"
    for name in ("flask", "flask==1.0".replace("==", "@"), "pkg:pypi/flask@1.0"):
        assert [place.version for place in room.findings.images_with(name)] == ["1.0"]
    assert room.findings.images_with("flask@3") == []
    assert room.findings.images_with("nothing") == []


def test_what_an_import_led_to_can_be_asked_whoever_matched_it(room: Room) -> None:
    room.findings.match_image(image(1), inventory(1, "flask==1.0", "click==1.0"))
    imported = room.advisories.import_osv("own", [osv("PYSEC-1", "flask", "2.0"), osv("PYSEC-2", "elsewhere")])
    room.findings.catch_up()

    assert room.findings.catch_up() == 0
    concerned = room.findings.concerned_by(imported.changed)
    assert {key: [one.id for one in group] for key, group in concerned.items()} == {str(image(1)): ["PYSEC-1"]}


def test_findings_are_given_to_policies_with_the_owner_of_the_layer(room: Room) -> None:
    class Owners:
        def owner(self, layer: str) -> str:
            return {"sha256:top": "shop"}.get(layer, "")

    room.advisories.import_osv("own", [osv("PYSEC-1", "flask", "2.0")])
    room.findings.match_image(image(1), inventory(1, "flask==1.0", layer="sha256:top"))

    assert [(one["id"], one["owner"], one["fixed"]) for one in room.findings.documents(image(1), Owners())] == [
        ("PYSEC-1", "shop", "2.0")
    ]


def test_the_follower_matches_what_was_imported_since_it_last_ran(room: Room) -> None:
    follower = AdvisoryFollower(room.findings)
    room.findings.match_image(image(1), inventory(1, "flask==1.0"))
    room.advisories.import_osv("own", [osv("PYSEC-1", "flask", "2.0")])

    for _ in range(2):
        follow(room.database, room.ledger, follower)
        follower.work()

    assert [one.id for one in room.findings.of(image(1))] == ["PYSEC-1"]
    assert room.findings.catch_up() == 0
    assert len(room.facts()) == 1


NAMES = st.sampled_from(["flask", "click", "jinja2"])
VERSIONS = st.sampled_from(["1.0", "1.5", "2.0", "odd"])
IDS = st.sampled_from(["PYSEC-1", "PYSEC-2", "GHSA-1", "GHSA-2", "OWN-1"])
ALIASES = st.lists(
    st.sampled_from(["CVE-2026-1000", "CVE-2026-2000", "GHSA-1", "PYSEC-1"]), max_size=2, unique=True
).map(tuple)
SEVERITY = st.sampled_from(["LOW", "CRITICAL", ""])
IMPORT = st.tuples(st.just("import"), IDS, NAMES, st.sampled_from(["", "1.5", "2.0"]), ALIASES, SEVERITY, st.booleans())
KEV = st.tuples(st.just("kev"), st.sampled_from(["CVE-2026-1000", "CVE-2026-2000"]))
IMAGE = st.tuples(st.just("image"), st.integers(1, 3), st.lists(st.tuples(NAMES, VERSIONS), max_size=3))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(IMPORT, KEV, IMAGE), min_size=2, max_size=14))
def test_findings_kept_current_equal_those_of_matching_everything_anew(steps: list[tuple[Any, ...]]) -> None:
    database, ledger = Database("sqlite://"), Ledger()
    metadata.create_all(database.engine)
    room = Room(database, ledger)
    images: dict[int, ImageInventory] = {}
    for at, step in enumerate(steps, 1):
        if step[0] == "image":
            images[step[1]] = inventory(step[1], *(f"{name}=={version}" for name, version in step[2]))
            room.findings.match_image(image(step[1]), images[step[1]])
        elif step[0] == "kev":
            content = {"vulnerabilities": [{"cveID": step[1]}], "dateReleased": "2026-01-01T00:00:00Z"}
            room.findings.match_advisories(room.advisories.import_kev(json.dumps(content).encode()).touched)
        else:
            _, identity, name, fixed, aliases, severity, withdrawn = step
            raw = osv(identity, name, fixed, aliases=aliases, at=at, database_specific={"severity": severity},
                      **({"withdrawn": "2026-01-01T00:00:00Z"} if withdrawn else {}))  # fmt: skip
            room.findings.match_advisories(room.advisories.import_osv("own", [raw]).touched)
    kept = {number: room.findings.of(image(number)) for number in images}
    with database.write() as tx:
        for table in (
            "match_flaws",
            "match_flaw_names",
            "match_groups",
            "match_members",
            "match_images",
            "match_image_groups",
            "match_overlaps",
            "match_packages",
        ):
            tx.exec_driver_sql(f"DELETE FROM {table}")
    anew: dict[int, list[Finding]] = {
        number: room.findings.match_image(image(number), taken) for number, taken in images.items()
    }
    database.close()

    assert kept == anew
