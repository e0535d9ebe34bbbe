"""How flaws stand: kept rows agree with what a naive look at everything says, on every database."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lading.facts import Ledger
from lading.kernel.clock import ManualClock, timestamp
from lading.kernel.digest import Digest
from lading.kernel.errors import InvalidInput
from lading.kernel.severity import Severity
from lading.state import Database, metadata
from lading.supply_chain.advisories import Advisories
from lading.supply_chain.inventory import ImageInventory, Package
from lading.supply_chain.match import Findings, sql
from lading.supply_chain.match.standing.asking import Asking
from lading.supply_chain.match.standing.bearing import Flawed, Stands, stands
from lading.supply_chain.match.standing.keeping import Standing
from lading.supply_chain.match.standing.wanted import SORTS, Sort, Wanted, cursor, key
from lading.supply_chain.match.vex.statement import Scope
from lading.supply_chain.match.vexing import Vex

NAMES = ("flask", "jinja2", "django", "click")
LEVELS = ("LOW", "MODERATE", "HIGH", "CRITICAL")
TEAMS = ("shop", "mail", "platform")


def advisory(number: int, name: str, fixed: str = "", level: str = "HIGH", at: int = 1) -> bytes:
    """A flaw `CVE-2020-NUMBER` of every version below `fixed`, or of every version."""
    events = [{"introduced": "0"}, *([{"fixed": fixed}] if fixed else [])]
    record = {
        "id": f"PYSEC-{number}", "modified": f"2026-01-01T00:00:{at:02}Z", "aliases": [f"CVE-2020-{number:04}"],
        "affected": [{"package": {"ecosystem": "PyPI", "name": name}, "ranges": [{"type": "ECOSYSTEM", "events": events}]}],
        "database_specific": {"severity": level},
    }  # fmt: skip
    return json.dumps(record).encode()


def package(name: str, version: str = "1.0", layer: str = "sha256:a") -> Package:
    return Package(
        purl=f"pkg:pypi/{name}@{version}", ecosystem="PyPI", name=name, version=version, path=f"lib/{name}", layer=layer
    )


@dataclass
class Fleet:
    """Images with homes, layers with owners, and what runs, as a program with lists would keep it."""

    database: Database
    clock: ManualClock
    contents: dict[str, tuple[Package, ...]] = field(default_factory=dict)
    at_home: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    containers: dict[str, set[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ledger = Ledger(self.clock)
        self.advisories = Advisories(self.database, ledger, clock=self.clock)
        self.findings = Findings(self.database, ledger, self.advisories, clock=self.clock)
        self.vex = Vex(self.database, ledger, self.advisories, homes=self, clock=self.clock)
        self.standing = Standing(self.database, homes=self, owners=self, runs=self, clock=self.clock)
        self.asking = Asking(self.database, homes=self, clock=self.clock)

    # the ports

    def homes(self, image: str) -> Sequence[tuple[str, str]]:
        return self.at_home.get(image, [])

    def owner(self, layer: str) -> str:
        return self.owners.get(layer, "")

    def teams_running(self, images: Sequence[str]) -> dict[str, set[str]]:
        return {image: self.containers[image] for image in images if self.containers.get(image)}

    # what happens

    def match(self, image: str, team: str, *packages: Package) -> str:
        digest = Digest.of(image.encode())
        self.contents[str(digest)] = packages
        self.at_home[str(digest)] = [(f"{team}/{image}", team)]
        made = ImageInventory(image=str(digest), cataloger_version="1", layers=(), packages=packages)
        self.findings.match_image(digest, made)
        return str(digest)

    def learn(self, *records: bytes) -> None:
        self.advisories.import_osv("test", list(records))
        self.findings.catch_up()

    def moved(self, image: str) -> None:
        """What a fact about the image does."""
        from lading.supply_chain.match.standing import stale_sql

        with self.database.write() as tx:
            stale_sql.mark(tx, "image", [image])

    # what somebody finds who looks at everything

    def naive(self, wanted: Wanted) -> list[Stands]:
        found: dict[str, dict[tuple[str, str], Flawed]] = {}
        running: dict[str, bool] = {}
        for image, packages in self.contents.items():
            runs = self.containers.get(image, set())
            teams = {team for _, team in self.homes(image)} | runs
            if not teams or (wanted.teams is not None and teams.isdisjoint(wanted.teams)):
                continue
            layers = {one.purl: {other.layer for other in packages if other.purl == one.purl} for one in packages}
            for one in self.findings.all_of(Digest.parse(image)):
                if wanted.owner and wanted.owner not in {self.owner(layer) for layer in layers[one.purl]}:
                    continue
                found.setdefault(one.id, {})[one.purl, ""] = Flawed(one, self.seen(one.id, one.purl))
                running[one.id] = running.get(one.id, False) or bool(runs)
        rows = [stands(flaw, some.values(), running[flaw]) for flaw, some in found.items()]
        return [one for one in rows if wanted.fits(one)]

    def seen(self, flaw: str, purl: str) -> str:
        query = sa.select(sql.since.c.at).join(sql.packages, sql.packages.c.id == sql.since.c.package)
        with self.database.read() as tx:
            here = (sql.since.c.id == flaw) & (sql.packages.c.purl == purl)
            return str(tx.execute(query.where(here)).scalar() or "")


@pytest.fixture
def fleet(each_database: Database, clock: ManualClock) -> Fleet:
    return Fleet(each_database, clock)


def by_pages(asking: Asking, wanted: Wanted, sort: Sort, size: int) -> list[Stands]:
    """The whole list, page by page."""
    found: list[Stands] = []
    while True:
        some = asking.page(wanted, sort=sort, after=cursor(found[-1], sort) if found else "", limit=size)
        found += some
        if len(some) < size:
            return found


def test_what_runs_is_exploited_and_can_be_mended_comes_first(fleet: Fleet) -> None:
    fleet.learn(
        advisory(1, "flask", level="CRITICAL"), advisory(2, "flask", fixed="2.0", level="LOW"),
        advisory(3, "jinja2", fixed="2.0", level="LOW"), advisory(4, "jinja2", level="MODERATE"),
    )  # fmt: skip
    entry = {"cveID": "CVE-2020-0004", "dateAdded": "2026-01-01", "dueDate": "2026-01-22"}
    catalogue = {"dateReleased": "2026-01-01T00:00:00Z", "vulnerabilities": [entry]}
    fleet.advisories.import_kev(json.dumps(catalogue).encode())
    fleet.findings.catch_up()
    fleet.match("still", "shop", package("flask"))
    running = fleet.match("running", "mail", package("jinja2"))
    fleet.containers[running] = {"mail"}
    fleet.standing.work()

    found = fleet.asking.page(Wanted())

    assert [one.flaw[-1] for one in found] == ["4", "3", "2", "1"]
    assert [(one.running, one.exploited, one.fixable) for one in found[:2]] == [
        (True, True, False),
        (True, False, True),
    ]
    assert fleet.asking.counts(Wanted()) == {Severity.CRITICAL: 1, Severity.MEDIUM: 1, Severity.LOW: 2}
    assert fleet.asking.waiting() == 0


def test_a_flaw_stands_for_whoever_keeps_it_and_whoever_runs_it(fleet: Fleet) -> None:
    fleet.learn(advisory(1, "flask"))
    image = fleet.match("base", "platform", package("flask"))
    fleet.owners["sha256:a"] = "platform"
    fleet.containers[image] = {"shop"}
    fleet.standing.work()
    (row,) = fleet.asking.page(Wanted(teams=("shop",), owner="platform", running=True))
    whose = fleet.asking.whose([row.flaw], None)[row.flaw]
    assert [(one.team, one.owner, one.running) for one in whose] == [
        ("platform", "platform", True), ("shop", "platform", True),
    ]  # fmt: skip
    assert fleet.asking.page(Wanted(teams=("mail",))) == []

    fleet.containers[image] = set()
    fleet.moved(image)
    fleet.standing.work()
    assert fleet.asking.page(Wanted(teams=("shop",))) == []
    assert [one.running for one in fleet.asking.page(Wanted())] == [False]


def test_history_says_when_a_flaw_began_and_ended_and_how_long_it_ran(fleet: Fleet, clock: ManualClock) -> None:
    fleet.learn(advisory(1, "flask", level="CRITICAL"))
    old = fleet.match("old", "shop", package("flask"))
    fleet.containers[old] = {"shop"}
    fleet.standing.work()
    clock.advance(timedelta(days=3))
    fleet.containers[old] = set()
    fleet.moved(old)
    fleet.standing.work()

    moved, mended = fleet.asking.history(None, running=True, days=5)

    assert [(one.opened, one.closed) for one in moved] == [
        ({}, {}), ({"critical": 1}, {}), ({}, {}), ({}, {}), ({}, {"critical": 1}),
    ]  # fmt: skip
    assert [(one.team, one.times, one.median, one.p90) for one in mended] == [("shop", 1, 259_200.0, 259_200.0)]
    kept, ran = fleet.asking.spells("CVE-2020-0001", None)
    assert [(one.running, one.ended != "") for one in sorted((kept, ran), key=lambda one: one.running)] == [
        (False, False), (True, True),
    ]  # fmt: skip
    assert fleet.asking.spells("CVE-2020-0001", ["mail"]) == []


def test_everything_is_worked_out_once_where_nothing_ever_was(fleet: Fleet) -> None:
    """As after an update from a version that kept none of it."""
    fleet.learn(advisory(1, "flask"))
    fleet.match("a", "shop", package("flask"))
    with fleet.database.write() as tx:
        tx.execute(sa.delete(sql.stale))
    assert fleet.standing.work() > 0
    assert [one.flaw for one in fleet.asking.page(Wanted(teams=("shop",)))] == ["CVE-2020-0001"]
    assert fleet.standing.work() == 0


def test_a_statement_sets_a_flaw_aside_everywhere_or_somewhere(fleet: Fleet, clock: ManualClock) -> None:
    fleet.learn(advisory(1, "flask"))
    fleet.match("a", "shop", package("flask"))
    fleet.match("b", "mail", package("flask"))
    fleet.standing.work()
    document: dict[str, Any] = {
        "@context": "https://openvex.dev/ns/v0.2.0", "@id": "urn:x:1", "author": "us", "version": 1,
        "timestamp": timestamp(clock.now()),
        "statements": [{
            "vulnerability": {"name": "CVE-2020-0001"}, "products": [{"@id": "pkg:pypi/flask@1.0"}],
            "status": "not_affected", "justification": "vulnerable_code_not_present",
        }],
    }  # fmt: skip

    def told(teams: tuple[str, ...] | None = None) -> str:
        return fleet.asking.known(["CVE-2020-0001"], teams)["CVE-2020-0001"].aside

    assert (told(), fleet.asking.spoken_of()) == ("", frozenset())
    fleet.vex.take(json.dumps(document).encode(), scope=Scope(teams=("shop",)), lasting=timedelta(days=3), actor="ann")
    assert (told(), told(("shop",)), told(("mail",))) == ("some", "all", "")
    assert fleet.asking.spoken_of() == {"CVE-2020-0001"}
    fleet.vex.take(
        json.dumps(document | {"@id": "urn:x:2"}).encode(), scope=Scope(), lasting=timedelta(days=2), actor="ann"
    )
    assert told() == "all"
    clock.advance(timedelta(days=4))
    assert (told(), fleet.asking.spoken_of()) == ("", frozenset())


def test_a_cursor_that_is_none_is_refused(fleet: Fleet) -> None:
    for text in ("x", "|", "a|b" * 300):
        with pytest.raises(InvalidInput, match="page of findings"):
            fleet.asking.page(Wanted(), sort="severity", after=text)


WANTED = st.builds(
    Wanted,
    severity=st.sampled_from(Severity), epss=st.sampled_from([0.0, 0.3]), running=st.sampled_from([None, True, False]),
    exploited=st.sampled_from([None, True, False]), fixable=st.sampled_from([None, True, False]),
    ecosystem=st.sampled_from(["", "PyPI", "Py", "npm"]), owner=st.sampled_from(["", "shop", "platform"]),
    teams=st.sampled_from([None, ("shop",), ("mail", "platform"), ()]),
    flaws=st.sampled_from([None, frozenset({"CVE-2020-0001", "CVE-2020-0003"})]),
)  # fmt: skip


def change(fleet: Fleet, chance: random.Random) -> None:
    """One thing that happens in the life of a fleet."""
    images = list(fleet.contents)
    what = chance.randrange(7)
    if what <= 1 or not images:
        packages = {
            (name, layer): package(name, chance.choice(("1.0", "2.0", "3.0")), layer)
            for name, layer in zip(
                chance.sample(NAMES, 3), chance.choices(("sha256:a", "sha256:b", "sha256:c"), k=3), strict=True
            )
        }
        fleet.match(chance.choice("abcdef"), chance.choice(TEAMS), *packages.values())
    elif what == 2:
        number = chance.randrange(1, 6)
        fixed, level = chance.choice(("", "2.0", "3.0", "0.1")), chance.choice(LEVELS)
        fleet.learn(advisory(number, NAMES[number % 4], fixed, level, at=fleet.clock.now().second + 1))
        fleet.clock.advance(timedelta(seconds=1))
    elif what == 3:
        image = chance.choice(images)
        fleet.containers[image] = set(chance.sample(TEAMS, chance.randrange(3)))
        fleet.moved(image)
    elif what == 4:
        image = chance.choice(images)
        fleet.at_home[image] = [(f"{team}/x", team) for team in chance.sample(TEAMS, chance.randrange(3))]
        fleet.moved(image)
    elif what == 5:
        layer = chance.choice(("sha256:a", "sha256:b", "sha256:c"))
        fleet.owners[layer] = chance.choice(("shop", "platform", ""))
        for image in images:
            fleet.moved(image)
    else:
        image = chance.choice(images)
        fleet.findings.forget(Digest.parse(image))
        for kept in (fleet.contents, fleet.at_home, fleet.containers):
            kept.pop(image, None)


@settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 1 << 32), wanted=st.lists(WANTED, min_size=3, max_size=6), sort=st.sampled_from(SORTS))
def test_what_is_kept_is_what_a_look_at_everything_finds(seed: int, wanted: list[Wanted], sort: Sort) -> None:
    chance = random.Random(seed)
    database = Database("sqlite://")
    metadata.create_all(database.engine)
    fleet = Fleet(database, ManualClock())
    fleet.learn(*(advisory(n, NAMES[n % 4], chance.choice(("", "2.0")), chance.choice(LEVELS)) for n in range(1, 5)))
    fleet.advisories.import_epss(b"CVE-2020-0001,0.5,0\nCVE-2020-0002,0.25,0\n")
    fleet.findings.catch_up()
    fleet.clock.advance(timedelta(minutes=1))
    for _ in range(4):
        for _ in range(chance.randrange(1, 6)):
            change(fleet, chance)
        fleet.standing.work()
        for one in (Wanted(), *wanted):
            expected = sorted(fleet.naive(one), key=lambda found: key(found, sort))
            assert by_pages(fleet.asking, one, sort, 3) == expected
            assert sum(fleet.asking.counts(one).values()) == len(expected)
    database.close()
