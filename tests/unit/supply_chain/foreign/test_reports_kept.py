"""Reports are kept the same on every database."""

from __future__ import annotations

from lading.facts import Ledger
from lading.kernel.digest import Digest
from lading.kernel.severity import Severity
from lading.state import Database
from lading.supply_chain.foreign import ForeignReport, Reports, Told

IMAGE = Digest.of(b"image")


def report(seconds: float, *ids: str) -> ForeignReport:
    told = tuple(Told(kind="vulnerability", id=one, severity=Severity.HIGH, package="flask") for one in ids)
    return ForeignReport(form="trivy", kind="vulnerability", tool="trivy", version="1", results=told, seconds=seconds)


def test_the_latest_report_of_a_tool_counts(each_database: Database, ledger: Ledger) -> None:
    reports = Reports(each_database, ledger)
    first = reports.keep(IMAGE, Digest.of(b"1"), report(1, "CVE-1", "CVE-2"), attestation="a", actor="robot:x/y")
    again = reports.keep(IMAGE, Digest.of(b"1"), report(1, "CVE-1", "CVE-2"), attestation="a", actor="robot:x/y")
    second = reports.keep(IMAGE, Digest.of(b"2"), report(2, "CVE-2"), attestation="b", actor="robot:x/y")

    assert (first.fresh, again.fresh, second.repeated) == (True, False, 1)
    assert [one.id for _, one in reports.told(IMAGE)] == ["CVE-2"]
    assert (reports.images_with(["CVE-1"]), reports.images_with(["CVE-2", "CVE-1"])) == ([], [str(IMAGE)])
    assert [kept.current for kept in reports.of(IMAGE)] == [False, True]
