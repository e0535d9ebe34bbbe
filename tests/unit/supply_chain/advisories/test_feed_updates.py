import gzip
import io
import json
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from feed_server import Place, serving
from lading.facts import Ledger
from lading.facts.kinds.supply_chain import FeedStale
from lading.kernel.clock import ManualClock
from lading.kernel.errors import InvalidInput, NotFound
from lading.state import Database, metadata
from lading.supply_chain.advisories import Advisories
from lading.supply_chain.advisories.download_http import HttpDownloader
from lading.supply_chain.advisories.sources import Sources, read_ecosystems, read_stale_days
from lading.supply_chain.advisories.updating import Outcome, Updates

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def record(identity: str, modified: str = "2026-10-01T00:00:00Z", **said: Any) -> dict[str, Any]:
    affected = [{"package": {"ecosystem": "PyPI", "name": "flask"},
                 "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}]}]  # fmt: skip
    return {"id": identity, "modified": modified, "affected": affected} | said


class Publisher:
    """Publishes records as OSV does: all in a zip, each alone, and the list of when they were modified."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.records: dict[str, dict[str, Any]] = {}

    def publish(self, *records: dict[str, Any]) -> None:
        self.records |= {one["id"]: one for one in records}
        self.write()

    def write(self) -> None:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, one in self.records.items():
                archive.writestr(f"{name}.json", json.dumps(one))
                self.place.files[f"/PyPI/{name}.json"] = json.dumps(one).encode()
        lines = sorted((f"{one['modified']},{one['id']}" for one in self.records.values()), reverse=True)
        self.place.files["/PyPI/all.zip"] = out.getvalue()
        self.place.files["/PyPI/modified_id.csv"] = "\n".join(lines).encode()


class Site:
    def __init__(self, database: Database, ledger: Ledger, place: Place, directory: Path) -> None:
        self.database, self.ledger, self.place = database, ledger, place
        self.clock = ManualClock(NOW)
        self.publisher = Publisher(place)
        self.advisories = Advisories(database, ledger, clock=self.clock, stale_days={"osv": 7, "kev": 14})
        sources = Sources(
            osv=place.url, ecosystems=["PyPI"], kev=f"{place.url}/kev.json", epss=f"{place.url}/epss.csv.gz"
        )
        downloader = HttpDownloader(sleep=self.clock.sleep)
        self.updates = Updates(self.advisories, sources, downloader, directory / "feeds", clock=self.clock)
        kev = {"dateReleased": "2026-10-30T00:00:00Z", "vulnerabilities": [{"cveID": "CVE-2026-1000"}]}
        place.files["/kev.json"] = json.dumps(kev).encode()
        place.files["/epss.csv.gz"] = gzip.compress(
            b"#score_date:2026-10-31T00:00:00+0000\ncve,epss\nCVE-2026-1000,0.5\n"
        )

    def update(self, name: str = "pypi", **said: Any) -> list[Outcome]:
        return self.updates.update(name, say=lambda _: None, **said)

    def status(self) -> dict[str, Any]:
        return {one.source: one for one in self.advisories.status()}

    def paths(self) -> list[str]:
        asked = [path for path, _ in self.place.asked]
        self.place.asked.clear()
        return asked


@pytest.fixture
def site(ledger: Ledger, tmp_path: Path) -> Iterator[Site]:
    database = Database("sqlite://")
    metadata.create_all(database.engine)
    with serving(Place()) as place:
        yield Site(database, ledger, place, tmp_path)
    database.close()


def test_every_source_is_fetched_whole_at_first_and_says_where_it_came_from(site: Site) -> None:
    site.publisher.publish(record("PYSEC-1", aliases=["CVE-2026-1000"]), record("PYSEC-2"))

    assert [(one.source, one.outcome, one.changed) for one in site.update("")] == [
        ("pypi", "updated", 2), ("kev", "updated", 1), ("epss", "updated", 1),
    ]  # fmt: skip
    pypi = site.status()["pypi"]
    assert (pypi.records, pypi.address, pypi.age_days, pypi.is_stale) == (2, f"{site.place.url}/PyPI", 0.0, False)
    assert pypi.etag
    assert pypi.file.startswith("sha256:")
    assert [one.outcome for one in site.update("kev")] == ["unchanged"]


def test_later_only_what_was_modified_is_fetched(site: Site) -> None:
    site.publisher.publish(*(record(f"PYSEC-{n}", f"2026-10-{n:02}T00:00:00Z") for n in range(1, 20)))
    site.update()
    site.paths()

    site.publisher.publish(record("PYSEC-3", "2026-10-30T00:00:00Z", withdrawn="2026-10-30T00:00:00Z"))
    (outcome,) = site.update()
    assert (outcome.outcome, outcome.changed) == ("updated", 1)
    assert site.paths() == ["/PyPI/modified_id.csv", "/PyPI/PYSEC-3.json", "/PyPI/PYSEC-19.json"]
    assert site.advisories.named("PYSEC-3")[0].withdrawn


def test_many_modified_records_or_a_missing_list_lead_to_the_whole_export(site: Site) -> None:
    site.publisher.publish(record("PYSEC-1"))
    site.update()
    site.publisher.publish(*(record(f"PYSEC-{n}", "2026-10-20T00:00:00Z") for n in range(1000, 1600)))
    site.paths()
    assert site.update()[0].changed == 600
    assert site.paths() == ["/PyPI/modified_id.csv", "/PyPI/all.zip"]

    del site.place.files["/PyPI/modified_id.csv"]
    assert site.update()[0].outcome == "unchanged"


def test_a_record_that_the_whole_export_lacks_is_no_more_unless_too_many_are_missing(site: Site) -> None:
    site.publisher.publish(*(record(f"PYSEC-{n}") for n in range(300)))
    site.update()
    del site.publisher.records["PYSEC-7"]
    site.publisher.write()
    site.update(whole=True)
    assert (site.status()["pypi"].records, site.advisories.named("PYSEC-7")) == (299, [])

    site.publisher.records = dict(list(site.publisher.records.items())[:20])
    site.publisher.write()
    (outcome,) = site.update(whole=True)
    assert outcome.outcome == "failed"
    assert "lacks 279 of 299" in outcome.error
    assert site.status()["pypi"].records == 299


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no zip", b"<html>moved</html>"])
def test_a_source_that_fails_is_noted_and_changes_nothing_and_the_others_go_on(site: Site, content: bytes) -> None:
    site.publisher.publish(record("PYSEC-1"))
    site.update()
    site.place.files["/PyPI/all.zip"] = content

    outcomes = site.update("", whole=True)
    assert [(one.source, one.outcome) for one in outcomes] == [
        ("pypi", "failed"),
        ("kev", "updated"),
        ("epss", "unchanged"),
    ]
    assert (site.status()["pypi"].records, bool(site.status()["pypi"].error)) == (1, True)
    site.publisher.write()
    site.update(whole=True)
    assert site.status()["pypi"].error == ""


def test_a_feed_that_is_not_updated_becomes_stale_is_told_once_and_fresh_again(site: Site) -> None:
    site.publisher.publish(record("PYSEC-1"))
    site.update("")
    site.advisories.import_osv("own", [json.dumps(record("OWN-1")).encode()])
    site.clock.advance(timedelta(days=8))

    assert [one["source"] for one in site.advisories.stale()] == ["pypi"]
    assert [one.source for one in site.advisories.tell_stale()] == ["pypi"]
    assert site.advisories.tell_stale() == []
    site.update("")
    assert (site.advisories.stale(), site.advisories.tell_stale()) == ([], [])
    site.clock.advance(timedelta(days=8))
    assert [one.source for one in site.advisories.tell_stale()] == ["pypi"]
    with site.database.read() as tx:
        facts = [entry.fact for entry in site.ledger.read(tx)]
    assert [fact.source for fact in facts if isinstance(fact, FeedStale)] == ["pypi", "pypi"]


def test_updates_are_due_when_some_source_was_not_tried_for_long(site: Site) -> None:
    site.publisher.publish(record("PYSEC-1"))
    assert site.updates.is_due(24)
    site.update("")
    assert not site.updates.is_due(24)
    site.place.files.clear()
    site.clock.advance(timedelta(hours=25))
    assert site.updates.is_due(24)
    site.update("")
    assert not site.updates.is_due(24)


def test_one_record_is_fetched_by_its_id(site: Site) -> None:
    site.publisher.publish(record("PYSEC-1"))

    assert site.updates.fetch_record("PyPI", "PYSEC-1").changed == ("PYSEC-1",)
    with pytest.raises(NotFound, match="nowhere"):
        site.updates.fetch_record("nowhere", "PYSEC-1")


def test_settings_of_sources_are_checked() -> None:
    assert read_ecosystems("PyPI, Debian:12,PyPI") == ("PyPI", "Debian:12")
    assert read_stale_days("osv=7, kev=14") == {"osv": 7, "kev": 14}
    for text in ("../etc", "a/b", "Debian:"):
        with pytest.raises(InvalidInput):
            read_ecosystems(text)
    with pytest.raises(InvalidInput):
        read_stale_days("osv")
