import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lading.facts import Ledger
from lading.facts.kinds.supply_chain import AdvisoriesUpdated
from lading.kernel.clock import ManualClock
from lading.state import Database
from lading.supply_chain.advisories import Advisories
from lading.supply_chain.advisories.bundled import load_snapshot
from lading.supply_chain.advisories.errors import AdvisoryInvalid


def osv(identity: str, modified: str = "2025-01-01T00:00:00Z", **fields: Any) -> bytes:
    affected = [
        {
            "package": {"ecosystem": "PyPI", "name": "flask"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}],
        }
    ]
    return json.dumps({"id": identity, "modified": modified, "affected": affected} | fields).encode()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 11, 1, tzinfo=UTC))


@pytest.fixture
def advisories(each_database: Database, ledger: Ledger, clock: ManualClock) -> Advisories:
    return Advisories(each_database, ledger, clock=clock)


def affecting(advisories: Advisories, database: Database) -> list[str]:
    with database.read() as tx:
        return [one.id for one in advisories.affecting(tx, "PyPI", ["flask"]).get("flask", [])]


def test_only_what_changed_is_written_and_told(advisories: Advisories, each_database: Database, ledger: Ledger) -> None:
    first = advisories.import_osv("own", [osv("A-1", aliases=["CVE-2025-1000"]), osv("A-2")])
    again = advisories.import_osv("own", [osv("A-1", aliases=["CVE-2025-1000"]), osv("A-2")])
    third = advisories.import_osv("own", [osv("A-1", "2025-02-01T00:00:00Z", aliases=["CVE-2025-2000"]), osv("A-2")])

    assert first.changed == ("A-1", "A-2")
    assert again.changed == ()
    assert (third.changed, third.touched) == (("A-1",), ("A-1", "CVE-2025-1000", "CVE-2025-2000"))
    with each_database.read() as tx:
        facts = [entry.fact for entry in ledger.read(tx)]
        assert advisories.changes_after(tx, 0)[1] == {"A-1", "A-2", "CVE-2025-1000", "CVE-2025-2000"}
    assert [fact.changed for fact in facts if isinstance(fact, AdvisoriesUpdated)] == [2, 1]


def test_an_older_record_does_not_replace_a_newer_one(advisories: Advisories) -> None:
    advisories.import_osv("own", [osv("A-1", "2025-02-01T00:00:00Z", summary="new")])

    assert advisories.import_osv("own", [osv("A-1", "2025-01-01T00:00:00Z", summary="old")]).changed == ()
    assert advisories.named("A-1")[0].summary == "new"


def test_withdrawn_records_are_kept_and_affect_nothing(advisories: Advisories, each_database: Database) -> None:
    advisories.import_osv("own", [osv("A-1"), osv("A-2")])
    imported = advisories.import_osv("own", [osv("A-1", "2025-03-01T00:00:00Z", withdrawn="2025-03-01T00:00:00Z")])

    assert affecting(advisories, each_database) == ["A-2"]
    assert imported.withdrawn == 1
    assert advisories.named("A-1")[0].withdrawn


def test_records_that_cannot_be_read_are_counted_and_the_others_kept(advisories: Advisories) -> None:
    imported = advisories.import_osv("own", [b"{}", osv("A-1")])

    assert (imported.records, imported.refused) == (1, 1)
    with pytest.raises(AdvisoryInvalid):
        advisories.import_osv("own", [b"{}"])


def test_kev_and_epss_say_which_cves_changed(advisories: Advisories, each_database: Database) -> None:
    advisories.import_osv("own", [osv("A-1", aliases=["CVE-2025-1000"])])
    kev = {
        "dateReleased": "2026-08-07T00:00:00Z",
        "vulnerabilities": [{"cveID": "CVE-2025-1000", "dateAdded": "2026-08-07"}],
    }

    assert advisories.import_content("kev", json.dumps(kev).encode()).changed == ("CVE-2025-1000",)
    assert advisories.import_content("kev", json.dumps(kev).encode()).changed == ()
    scores = b"#model_version:v2025,score_date:2026-08-16T00:00:00+0000\ncve,epss,percentile\nCVE-2025-1000,0.5,0.9\nCVE-2025-9999,0.1,0.2\n"
    assert advisories.import_content("epss", scores).changed == ("CVE-2025-1000",)
    with each_database.read() as tx:
        assert advisories.exploited(tx, ["CVE-2025-1000", "CVE-2025-9999"]) == {"CVE-2025-1000"}
        assert advisories.likelihoods(tx, ["CVE-2025-1000", "CVE-2025-9999"]) == {
            "CVE-2025-1000": 0.5,
            "CVE-2025-9999": 0.1,
        }
    with pytest.raises(AdvisoryInvalid):
        advisories.import_content("kev", b"{}")
    with pytest.raises(AdvisoryInvalid):
        advisories.import_content("epss", b"cve,epss\n")


def test_status_tells_age_by_the_youngest_record_that_is_not_from_the_future(advisories: Advisories) -> None:
    advisories.import_osv("own", [osv("A-1", "2026-10-22T00:00:00Z"), osv("A-2", "2027-10-22T00:00:00Z")])

    status = advisories.status()[0]

    assert (status.source, status.records, status.newest, status.age_days) == ("own", 2, "2026-10-22T00:00:00Z", 10.0)


def test_the_bundled_snapshot_loads_once_and_never_over_what_is_newer(
    database: Database, ledger: Ledger, clock: ManualClock
) -> None:
    advisories = Advisories(database, ledger, clock=clock)

    first = {imported.source: len(imported.changed) for imported in load_snapshot(advisories)}
    second = {imported.source: len(imported.changed) for imported in load_snapshot(advisories)}

    assert first["debian12"] > 7_000
    assert first["pypi"] > 7_000
    assert first["kev"] > 1_000
    assert set(second.values()) == {0}


def test_the_real_feeds_are_read_whole(database: Database, ledger: Ledger, advisories_directory: Path) -> None:
    advisories = Advisories(database, ledger)
    for feed in ("debian12", "pypi", "npm", "npm-malware", "go", "crates", "almalinux9", "misc-osv"):
        imported = advisories.import_content(feed, (advisories_directory / f"{feed}.jsonl.zst").read_bytes())
        assert imported.refused == 0, feed
    assert (
        len(advisories.import_content("epss", next(advisories_directory.glob("epss*")).read_bytes()).changed) > 10_000
    )
    kev = advisories.import_content("kev", next(advisories_directory.glob("kev*")).read_bytes())
    assert kev.records == 1662


def test_the_snapshot_is_small_and_says_where_it_is_from() -> None:
    directory = Path(__import__("lading.supply_chain.advisories", fromlist=["x"]).__file__).parent / "snapshot"
    files = sorted(directory.glob("*.zst"))

    assert sum(file.stat().st_size for file in files) < 1_000_000
    attribution = (directory / "ATTRIBUTION.md").read_text()
    assert [file.name for file in files if file.name not in attribution] == []


def test_a_large_feed_is_staged_and_comes_to_the_same_as_a_small_one(
    advisories: Advisories, each_database: Database, ledger: Ledger
) -> None:
    advisories.import_osv("own", [osv("A-1", aliases=["CVE-2025-1000"]), osv("A-2"), osv("A-3")])
    many = [osv(f"A-{n}", "2025-02-01T00:00:00Z", aliases=[f"CVE-2025-{n + 2000}"]) for n in range(1, 4_500)]
    # One more version of a record of an earlier piece, an older record than the kept one, and one that is no more.
    later = [osv("A-1", "2025-03-01T00:00:00Z", summary="last"), osv("A-3", "2024-01-01T00:00:00Z"), b"{}"]
    kept = [raw for raw in many if b'"A-3"' not in raw and b'"A-2"' not in raw]

    with each_database.read() as tx:
        before = advisories.last_change(tx)
    imported = advisories.import_osv("own", [*kept, *later], complete=True)

    assert (imported.records, len(imported.changed), imported.touched, imported.refused) == (4498, 4498, (), 1)
    assert [one.summary for one in advisories.named("A-1")] == ["last"]
    assert [one.modified[:4] for one in advisories.named("A-3")] == ["2025"]
    assert advisories.named("A-2") == []
    with each_database.read() as tx:
        _, names = advisories.changes_after(tx, before)
        assert {"A-1", "A-2", "CVE-2025-1000", "CVE-2025-6000"} <= names
        assert "A-3" not in names
        assert tx.exec_driver_sql("SELECT COUNT(*) FROM advisory_staged_names").scalar() == 0
        assert len(advisories.affecting(tx, "PyPI", ["flask"])["flask"]) == 4498


def test_a_record_that_became_newer_while_a_feed_was_staged_stays(advisories: Advisories) -> None:
    def read() -> Iterator[bytes]:
        yield from (osv(f"A-{n}", "2025-02-01T00:00:00Z") for n in range(2_100))
        advisories.import_osv("other", [osv("A-7", "2025-03-01T00:00:00Z", summary="newer")])

    assert len(advisories.import_osv("own", read()).changed) == 2_099
    assert [one.summary for one in advisories.named("A-7")] == ["newer"]
