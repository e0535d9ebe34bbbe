"""Facts about telemetry. Log lines and samples are not facts: they live in the telemetry store."""

from __future__ import annotations

from lading.facts.fact import Fact
from lading.kernel.subject import Subject, SubjectKind


class TelemetryClosed(Fact, frozen=True, kw_only=True, tag="telemetry.closed"):
    """A container is gone and this is what was kept of it."""

    container: str
    workload: str
    log_lines: int
    log_bytes: int
    samples: int
    lost_lines: int

    def subject(self) -> Subject:
        return Subject.container(self.container)


class TelemetryGap(Fact, frozen=True, kw_only=True, tag="telemetry.gap"):
    """Logs or metrics of a stretch of time could not be read."""

    container: str
    stream: str
    since: str
    until: str
    reason: str

    def subject(self) -> Subject:
        return Subject.container(self.container)


class TelemetryExpired(Fact, frozen=True, kw_only=True, tag="telemetry.expired"):
    """Old parts were removed because of the retention or the size limit."""

    parts: int
    bytes: int
    before: str

    def subject(self) -> Subject:
        return Subject(SubjectKind.SYSTEM, "telemetry")
