"""Facts about reports of other tools."""

from __future__ import annotations

from lading.facts.fact import Fact
from lading.kernel.digest import Digest
from lading.kernel.subject import Subject


class _AboutImage(Fact, frozen=True, kw_only=True, tag="_report-about-image"):
    digest: str

    def subject(self) -> Subject:
        return Subject.image(Digest.parse(self.digest))


class ReportAttached(_AboutImage, frozen=True, kw_only=True, tag="report.attached"):
    """A tool's report about an image was attested; `report_kind` is what it looks at, `seconds` what it took."""

    tool: str
    version: str
    report_kind: str
    form: str
    attestation: str
    by_severity: dict[str, int]
    tests: int = 0
    failed_tests: int = 0
    seconds: float = 0.0


class ReportRepeated(_AboutImage, frozen=True, kw_only=True, tag="report.repeated"):
    """The same tool, set the same way, reported about the same image again: waste of `seconds`, zero when unknown."""

    tool: str
    version: str
    configuration: str
    times: int
    seconds: float = 0.0
