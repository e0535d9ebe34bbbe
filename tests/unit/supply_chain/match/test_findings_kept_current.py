import json
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lading.facts import Ledger, follow
from lading.facts.kinds.supply_chain import FindingsChanged
from lading.kernel.digest import Digest
from lading.state import Database, metadata
from lading.supply_chain.advisories import Advisories
from lading.supply_chain.inventory import ImageInventory, Package
from lading.supply_chain.match import Findings
from lading.supply_chain.match.follower import AdvisoryFollower
from lading.supply_chain.match.vex.statement import Scope
from lading.supply_chain.match.vexing import Vex


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
        self.vex = Vex(database, ledger, self.advisories)

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


def test_a_package_that_two_layers_bring_counts_once(room: Room) -> None:
    room.advisories.import_osv("own", [osv("PYSEC-1", "flask", "2.0", database_specific={"severity": "HIGH"})])
    room.findings.match_image(image(1), placed(1, [("flask", "1.0", ("sha256:base", "sha256:top"))]))

    (counted,) = room.findings.counts([str(image(1))]).values()
    assert (counted.packages, counted.by_severity, len(room.findings.of(image(1)))) == (1, {"high": 1}, 1)


def test_an_image_that_is_no_more_has_nothing_and_leaves_nothing(room: Room) -> None:
    room.advisories.import_osv("own", [osv("PYSEC-1", "flask", "2.0")])
    for number in (1, 2):
        room.findings.match_image(image(number), inventory(number, "flask==1.0"))
    room.findings.forget(image(1))

    assert [place.image for place in room.findings.images_with("PYSEC-1")] == [str(image(2))]
    room.findings.forget(image(2))
    with room.database.read() as tx:
        left = [
            tx.exec_driver_sql(f"SELECT COUNT(*) FROM match_{name}").scalar()
            for name in ("members", "groups", "images")
        ]
    assert left == [0, 0, 0]


NAMES = st.sampled_from(["flask", "click", "jinja2"])
VERSIONS = st.sampled_from(["1.0", "1.5", "2.0", "odd"])
LAYERS = st.sampled_from([("sha256:base",), ("sha256:top",), ("sha256:base", "sha256:top")])
IDS = st.sampled_from(["PYSEC-1", "PYSEC-2", "GHSA-1", "GHSA-2", "OWN-1"])
CVES = ["CVE-2026-1000", "CVE-2026-2000"]
ALIASES = st.lists(st.sampled_from([*CVES, "GHSA-1", "PYSEC-1"]), max_size=2, unique=True).map(tuple)
SEVERITY = st.sampled_from(["LOW", "CRITICAL", ""])
ELSEWHERE = st.sampled_from(["flask", "click", "elsewhere"])
IMPORT = st.tuples(
    st.just("import"), IDS, ELSEWHERE, st.sampled_from(["", "1.5", "2.0"]), ALIASES, SEVERITY, st.booleans()
)
BULLETIN = st.tuples(st.just("bulletin"), NAMES, st.booleans())
KEV = st.tuples(st.just("kev"), st.sampled_from(CVES))
EPSS = st.tuples(st.just("epss"), st.sampled_from(CVES), st.sampled_from(["0.1", "0.9"]))
IMAGE = st.tuples(st.just("image"), st.integers(1, 3), st.lists(st.tuples(NAMES, VERSIONS, LAYERS), max_size=4))
GONE = st.tuples(st.just("gone"), st.integers(1, 3))
VEX = st.tuples(st.just("vex"), st.sampled_from([*CVES, "GHSA-1"]), st.sampled_from(["fixed", "affected"]), NAMES)
STEPS = st.lists(st.one_of(IMPORT, IMPORT, BULLETIN, KEV, EPSS, IMAGE, IMAGE, GONE, VEX), min_size=2, max_size=14)


def placed(number: int, some: list[tuple[str, str, tuple[str, ...]]]) -> ImageInventory:
    packages = [
        package
        for name, version, layers in some
        for layer in layers
        for package in inventory(number, f"{name}=={version}", layer=layer).packages
    ]
    return ImageInventory(
        image=str(image(number)), cataloger_version="1", layers=("sha256:base", "sha256:top"), packages=tuple(packages)
    )


class History:
    """Random events, taken in one by one; some are matched at once, some only when the work is caught up with."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.images: dict[int, ImageInventory] = {}
        self.at = 0

    def happen(self, step: tuple[Any, ...]) -> None:
        self.at += 1
        getattr(self, f"_{step[0]}")(*step[1:])

    def _image(self, number: int, some: list[tuple[str, str, tuple[str, ...]]]) -> None:
        self.images[number] = placed(number, some)
        self.room.findings.match_image(image(number), self.images[number])

    def _gone(self, number: int) -> None:
        self.images.pop(number, None)
        self.room.findings.forget(image(number))

    def _kev(self, cve: str) -> None:
        content = {"vulnerabilities": [{"cveID": cve}], "dateReleased": "2026-01-01T00:00:00Z"}
        self.room.findings.match_advisories(self.room.advisories.import_kev(json.dumps(content).encode()).touched)

    def _epss(self, cve: str, score: str) -> None:
        self.room.advisories.import_epss(f"cve,epss\n{cve},{score}\n".encode())

    def _bulletin(self, name: str, withdrawn: bool) -> None:
        self._record("RHSA-1", name, "2.0", upstream=CVES, withdrawn=withdrawn)

    def _import(self, identity: str, name: str, fixed: str, aliases: tuple[str, ...], level: str, gone: bool) -> None:
        self._record(identity, name, fixed, aliases=aliases, withdrawn=gone, database_specific={"severity": level})
        if self.at % 2:
            self.room.findings.catch_up()

    def _record(self, identity: str, name: str, fixed: str, *, withdrawn: bool, **fields: Any) -> None:
        said = {"withdrawn": "2026-01-01T00:00:00Z"} if withdrawn else {}
        self.room.advisories.import_osv("own", [osv(identity, name, fixed, at=self.at, **fields, **said)])

    def _vex(self, flaw: str, status: str, name: str) -> None:
        document = {"@context": "https://openvex.dev/ns", "author": "a", "timestamp": f"2026-01-01T00:00:{self.at:02}Z",
                    "statements": [{"vulnerability": {"name": flaw}, "status": status, "products": [f"pkg:pypi/{name}"]}]}  # fmt: skip
        self.room.vex.take(json.dumps(document).encode(), scope=Scope(), lasting=timedelta(days=9), actor="ann")

    def state(self) -> tuple[Any, ...]:
        """Everything that can be asked about the images."""
        findings, every = self.room.findings, [str(image(number)) for number in range(1, 4)]
        return (
            {number: findings.all_of(image(number)) for number in self.images},
            findings.counts(every),
            {name: findings.images_with(name) for name in (*CVES, "GHSA-1", "PYSEC-1", "RHSA-1", "flask")},
        )


def check_history(database: Database, steps: list[tuple[Any, ...]]) -> None:
    with database.write() as tx:
        for table in reversed(metadata.sorted_tables):
            tx.execute(table.delete())
    history = History(Room(database, Ledger()))
    for step in steps:
        history.happen(step)
    history.room.findings.catch_up()
    kept = history.state()
    with database.write() as tx:
        for table in (
            "match_flaws", "match_flaw_names", "match_groups", "match_members", "match_images", "match_image_groups",
            "match_overlaps", "match_packages",
        ):  # fmt: skip
            tx.exec_driver_sql(f"DELETE FROM {table}")
    for number, taken in history.images.items():
        history.room.findings.match_image(image(number), taken)

    assert kept == history.state()
    for number in history.images:
        by_severity = Counter(one.severity.label for one in history.room.findings.of(image(number)))
        assert history.state()[1][str(image(number))].by_severity == dict(by_severity)


@settings(max_examples=100, deadline=None)
@given(STEPS)
def test_findings_kept_current_equal_those_of_matching_everything_anew(steps: list[tuple[Any, ...]]) -> None:
    database = Database("sqlite://")
    metadata.create_all(database.engine)
    check_history(database, steps)
    database.close()


@pytest.mark.postgres
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_they_are_the_same_on_postgresql(postgres_url: str, steps: list[tuple[Any, ...]]) -> None:
    database = Database(postgres_url)
    metadata.create_all(database.engine)
    check_history(database, steps)
    database.close()
