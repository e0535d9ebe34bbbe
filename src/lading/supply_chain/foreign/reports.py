"""The reports of all images: kept once, the latest of each tool and configuration in force, repetitions told of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from lading.facts import Fact, Ledger
from lading.facts.kinds.reports import ReportAttached, ReportRepeated
from lading.kernel.clock import Clock, SystemClock, timestamp
from lading.kernel.digest import Digest
from lading.state import Database, Transaction
from lading.supply_chain.foreign import sql
from lading.supply_chain.foreign.report import ForeignReport, Told

_MOST_IMAGES: Final = 10_000


class KeptReport(msgspec.Struct, frozen=True, kw_only=True):
    """A report about an image. `repeated` says how often the same tool was set the same way before it."""

    content: str
    at: str
    actor: str
    attestation: str
    current: bool
    report: ForeignReport
    repeated: int = 0
    fresh: bool = False


class Reports:
    """Keeps reports and answers for an image."""

    def __init__(self, database: Database, ledger: Ledger, clock: Clock | None = None) -> None:
        self._database = database
        self._ledger = ledger
        self._clock = clock or SystemClock()

    def find(self, image: Digest, content: Digest) -> KeptReport | None:
        """The same report about the same image, if it was handed in before."""
        with self._database.read() as tx:
            row = sql.known(tx, str(image), str(content))
        return _kept(row) if row else None

    def keep(
        self, image: Digest, content: Digest, report: ForeignReport, *, attestation: str, actor: str
    ) -> KeptReport:
        """Keep a report in force of the older ones of its tool; the same report again changes nothing."""
        with self._database.write() as tx:
            row = sql.known(tx, str(image), str(content))
            if row is not None:
                return _kept(row)
            before = sql.same_setting(tx, str(image), report)
            at = timestamp(self._clock.now())
            sql.add(tx, str(image), str(content), at, actor, attestation, report)
            self._ledger.append(tx, _facts(image, report, attestation, before), actor=actor)
        return KeptReport(
            content=str(content), at=at, actor=actor, attestation=attestation, current=True, report=report,
            repeated=before, fresh=True,
        )  # fmt: skip

    def of(self, image: Digest) -> list[KeptReport]:
        """Every report about an image, oldest first."""
        with self._database.read() as tx:
            return [_kept(row) for row in sql.of(tx, str(image))]

    def current(self, image: Digest) -> list[ForeignReport]:
        """The reports in force about an image."""
        return [kept.report for kept in self.of(image) if kept.current]

    def told(self, image: Digest) -> list[tuple[str, Told]]:
        """Tool and flaw, for every flaw of a package that a report in force tells of an image."""
        return [
            (report.tool, one)
            for report in self.current(image)
            for one in report.results
            if one.kind == "vulnerability"
        ]

    def images_with(self, names: Sequence[str]) -> list[str]:
        """Images of which a report in force tells a flaw by one of these ids; at most 10,000."""
        with self._database.read() as tx:
            return sql.images_with(tx, names, _MOST_IMAGES)

    def images_in(self, tx: Transaction, after: str, limit: int) -> list[str]:
        """The images that have reports, in order, beyond `after`."""
        return sql.images_after(tx, after, limit)

    def forget_in(self, tx: Transaction, images: Sequence[str]) -> None:
        """The images are no more, nor is what was reported about them."""
        sql.forget(tx, images)

    def document(self, image: Digest) -> dict[str, Any]:
        """Reports as policies see them (docs/policy.md); every member is there, also when nothing was handed in."""
        return document_of(self.of(image))


def document_of(kept: Sequence[KeptReport]) -> dict[str, Any]:
    """The reports in force as policies see them."""
    current = [one.report for one in kept if one.current]
    tests = [report.tests for report in current if report.tests is not None]
    results = [
        {
            "tool": report.tool, "kind": one.kind, "rule": one.id, "severity": one.severity.label,
            "rank": int(one.severity), "message": one.message, "file": one.file, "line": one.line,
        }
        for report in current
        for one in report.results
        if one.kind != "vulnerability"
    ]  # fmt: skip
    return {
        "tools": sorted({report.tool.lower() for report in current}),
        "kinds": sorted({report.kind for report in current}),
        "tests": sum(one.total for one in tests),
        "failed_tests": sum(one.failed + one.errors for one in tests),
        "skipped_tests": sum(one.skipped for one in tests),
        "results": results,
    }


def _kept(row: sql.Row) -> KeptReport:
    return KeptReport(
        content=row.content, at=row.at, actor=row.actor, attestation=row.attestation, current=row.current,
        report=row.report,
    )  # fmt: skip


def _facts(image: Digest, report: ForeignReport, attestation: str, before: int) -> list[Fact]:
    counts: dict[str, int] = {}
    for one in report.results:
        counts[one.severity.label] = counts.get(one.severity.label, 0) + 1
    tests = report.tests
    made: list[Fact] = [
        ReportAttached(
            digest=str(image), tool=report.tool, version=report.version, report_kind=report.kind, form=report.form,
            attestation=attestation, by_severity=dict(sorted(counts.items())), tests=tests.total if tests else 0,
            failed_tests=tests.failed + tests.errors if tests else 0, seconds=report.seconds,
        )
    ]  # fmt: skip
    if before:
        made.append(
            ReportRepeated(
                digest=str(image), tool=report.tool, version=report.version, configuration=report.configuration,
                times=before + 1, seconds=report.seconds,
            )
        )  # fmt: skip
    return made
