"""Where flaws, packages and licences are, and since when, answered the same on every database."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
import sqlalchemy as sa

from lading.facts import Ledger
from lading.kernel.clock import ManualClock, timestamp
from lading.kernel.digest import Digest
from lading.state import Database
from lading.supply_chain.advisories import Advisories
from lading.supply_chain.inventory import ImageInventory, Package
from lading.supply_chain.match import Findings, sql
from lading.supply_chain.match.vex.statement import Scope
from lading.supply_chain.match.vexing import Vex
from lading.supply_chain.match.whereabouts import Found, Sought, Whereabouts

FIRST, SECOND = Digest.of(b"first"), Digest.of(b"second")


def advisory(identity: str = "PYSEC-1", fixed: str = "2.0", alias: str = "CVE-1", at: int = 1) -> bytes:
    ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": fixed}]}]
    affected = [{"package": {"ecosystem": "PyPI", "name": "flask"}, "ranges": ranges}]
    record = {"id": identity, "modified": f"2026-01-01T00:00:{at:02}Z", "aliases": [alias], "affected": affected}
    return json.dumps(record).encode()


def flask(path: str = "x", layer: str = "sha256:base", licenses: tuple[str, ...] = ("MIT AND Zlib",)) -> Package:
    return Package(
        purl="pkg:pypi/flask@1.0", ecosystem="PyPI", name="flask", version="1.0", path=path, layer=layer,
        licenses=licenses,
    )  # fmt: skip


class Room:
    def __init__(self, database: Database, ledger: Ledger, clock: ManualClock) -> None:
        self.database, self.clock = database, clock
        self.advisories = Advisories(database, ledger, clock=clock)
        self.findings = Findings(database, ledger, self.advisories, clock=clock)
        self.vex = Vex(database, ledger, self.advisories, clock=clock)
        self.where = Whereabouts(database, clock=clock)

    def match(self, image: Digest, *packages: Package) -> str:
        """Match an image a day later than what was before; says when."""
        self.clock.sleep(timedelta(days=1).total_seconds())
        inventory = ImageInventory(image=str(image), cataloger_version="1", layers=(), packages=packages)
        self.findings.match_image(image, inventory)
        return timestamp(self.clock.now())

    def learn(self, record: bytes) -> str:
        """Take an advisory in a day later; says when."""
        self.clock.sleep(timedelta(days=1).total_seconds())
        self.advisories.import_osv("test", [record])
        self.findings.catch_up()
        return timestamp(self.clock.now())

    def ask(self, sought: Sought) -> list[Found]:
        return self.where.places(sought, self.where.images(sought))

    def since(self, name: str) -> dict[str, str]:
        return {found.image: found.since for found in self.ask(self.where.flaw(name))}


@pytest.fixture
def room(each_database: Database, ledger: Ledger, clock: ManualClock) -> Room:
    return Room(each_database, ledger, clock)


def test_flaws_packages_and_licences_are_found_by_every_name(room: Room) -> None:
    room.learn(advisory())
    room.match(FIRST, flask())

    where = room.where
    for sought in (
        where.flaw("PYSEC-1"), where.flaw("CVE-1"), where.package("flask"), where.package("flask@1.0"),
        where.package("pkg:pypi/flask@1.0"), where.licence("zlib"), where.licence("MIT and ZLIB"),
    ):  # fmt: skip
        (row,) = room.ask(sought)
        assert (row.image, row.package, row.layer, row.path) == (str(FIRST), "flask", "sha256:base", "x")
    (row,) = room.ask(where.flaw("CVE-1"))
    assert (row.what, row.fixed, row.since != "") == ("CVE-1", "2.0", True)
    for sought in (where.flaw("CVE-2"), where.package("flask@2.0"), where.licence("GPL-2.0-only")):
        assert where.images(sought) == []


def test_nothing_is_found_any_more_when_the_image_has_it_no_more(room: Room) -> None:
    room.learn(advisory())
    room.match(FIRST, flask())
    room.match(SECOND, flask())
    room.match(FIRST)
    room.findings.forget(SECOND)

    where = room.where
    for sought in (where.flaw("CVE-1"), where.package("flask"), where.licence("mit")):
        assert where.images(sought) == []


def test_an_image_has_a_flaw_since_it_came_or_since_the_flaw_became_known(room: Room) -> None:
    room.match(FIRST, flask())
    known = room.learn(advisory())
    came = room.match(SECOND, flask())

    assert room.since("CVE-1") == {str(FIRST): known, str(SECOND): came}

    room.match(SECOND, flask())
    room.learn(advisory(fixed="3.0", at=2))
    assert room.since("CVE-1") == {str(FIRST): known, str(SECOND): came}


def test_a_flaw_that_comes_again_is_a_new_one(room: Room) -> None:
    room.match(FIRST, flask())
    room.learn(advisory())
    room.learn(advisory(fixed="0.5", at=2))
    assert room.since("CVE-1") == {}
    again = room.learn(advisory(at=3))
    assert room.since("CVE-1") == {str(FIRST): again}


def test_a_moment_that_nobody_kept_is_not_made_up(room: Room) -> None:
    """As after an update from a version that kept none."""
    room.learn(advisory())
    room.match(FIRST, flask())
    with room.database.write() as tx:
        tx.execute(sa.delete(sql.since))
        tx.execute(sa.update(sql.images).values(matched=""))
    came = room.match(SECOND, flask())
    assert room.since("CVE-1") == {str(FIRST): "", str(SECOND): came}


def test_a_package_at_several_paths_and_layers_is_told_once(room: Room) -> None:
    room.learn(advisory())
    room.match(FIRST, flask("b"), flask("a"), flask("c", "sha256:top"))
    for sought in (room.where.flaw("CVE-1"), room.where.package("flask"), room.where.licence("MIT")):
        assert [(row.path, row.layer) for row in room.ask(sought)] == [("a", "sha256:base")]


def test_only_the_images_that_are_asked_about_are_read(room: Room) -> None:
    room.learn(advisory())
    room.match(FIRST, flask())
    room.match(SECOND, flask())
    for sought in (room.where.flaw("CVE-1"), room.where.package("flask"), room.where.licence("MIT")):
        assert sorted(room.where.images(sought)) == sorted([str(FIRST), str(SECOND)])
        assert [row.image for row in room.where.places(sought, [str(SECOND)])] == [str(SECOND)]


def test_many_packages_of_one_flaw_are_found_as_few_are(room: Room) -> None:
    some = [
        Package(purl=f"pkg:pypi/flask@0.{n}", ecosystem="PyPI", name="flask", version=f"0.{n}", path=str(n), layer="l")
        for n in range(150)
    ]
    room.learn(advisory())
    room.match(FIRST, *some)
    assert len(room.ask(room.where.flaw("CVE-1"))) == len(room.ask(room.where.package("flask"))) == 150


def test_licences_of_a_layer_are_those_that_were_read_last(room: Room) -> None:
    room.match(FIRST, flask())
    room.match(SECOND, flask(licenses=("Apache-2.0 WITH LLVM-exception",)))

    assert room.where.images(room.where.licence("MIT")) == []
    for name in ("apache-2.0", "LLVM-exception", "Apache-2.0 WITH LLVM-exception"):
        assert {row.what for row in room.ask(room.where.licence(name))} == {"Apache-2.0 WITH LLVM-exception"}
    assert room.where.images(room.where.licence("with")) == []


def test_licences_of_strangers_are_bounded(room: Room) -> None:
    long = "x" * 5_000
    room.match(FIRST, flask(licenses=("A\0B", long, "", *(f"L-{n} AND M-{n}" for n in range(100)))))

    for name in ("ab", long, "l-9", "m-9"):
        assert room.where.images(room.where.licence(name)) == [str(FIRST)]
    assert room.where.images(room.where.licence("L-99")) == []
    assert {len(row.what) for row in room.ask(room.where.licence(long))} == {300}


def test_what_a_statement_says_of_a_flaw_stands_beside_it(room: Room) -> None:
    room.learn(advisory())
    room.match(FIRST, flask())
    document = {
        "@context": "https://openvex.dev/ns/v0.2.0", "@id": "urn:x:1", "author": "us", "version": 1,
        "timestamp": timestamp(room.clock.now()),
        "statements": [{
            "vulnerability": {"name": "CVE-1"}, "products": [{"@id": "pkg:pypi/flask@1.0"}], "status": "not_affected",
            "justification": "vulnerable_code_not_present",
        }],
    }  # fmt: skip
    room.vex.take(json.dumps(document).encode(), scope=Scope(), lasting=timedelta(days=30), actor="ann")
    assert [row.vex for row in room.ask(room.where.flaw("CVE-1"))] == ["not_affected"]
