"""Grype's own JSON: matches of packages with flaws."""

from __future__ import annotations

import msgspec

from lading.kernel.severity import Severity
from lading.supply_chain.foreign.report import ForeignReport, Told, short


class _Fix(msgspec.Struct, frozen=True):
    versions: list[str] = []
    state: str = ""


class _Metrics(msgspec.Struct, frozen=True):
    score: float = msgspec.field(name="baseScore", default=0.0)


class _Cvss(msgspec.Struct, frozen=True):
    metrics: _Metrics = _Metrics()


class _Flaw(msgspec.Struct, frozen=True):
    id: str
    severity: str = ""
    description: str = ""
    fix: _Fix = _Fix()
    cvss: list[_Cvss] | None = None


class _Related(msgspec.Struct, frozen=True):
    id: str


class _Location(msgspec.Struct, frozen=True):
    path: str = ""


class _Artifact(msgspec.Struct, frozen=True):
    name: str
    version: str = ""
    purl: str = ""
    locations: list[_Location] | None = None


class _Match(msgspec.Struct, frozen=True):
    vulnerability: _Flaw
    artifact: _Artifact
    related: list[_Related] | None = msgspec.field(name="relatedVulnerabilities", default=None)


class _Target(msgspec.Struct, frozen=True):
    manifest: str = msgspec.field(name="manifestDigest", default="")
    digests: list[str] | None = msgspec.field(name="repoDigests", default=None)


class _Source(msgspec.Struct, frozen=True):
    type: str = ""
    target: _Target | str = ""


class _Descriptor(msgspec.Struct, frozen=True):
    name: str = "grype"
    version: str = ""
    configuration: dict[str, msgspec.Raw] = {}


class _Report(msgspec.Struct, frozen=True):
    matches: list[_Match]
    source: _Source = _Source()
    descriptor: _Descriptor = _Descriptor()


def read(body: bytes) -> ForeignReport:
    """The report; raises msgspec's errors."""
    report = msgspec.json.decode(body, type=_Report)
    target = report.source.target
    digests = [one.rpartition("@")[2] for one in target.digests or ()] if isinstance(target, _Target) else []
    set_to = {
        key: bytes(report.descriptor.configuration.get(key, b"")).decode() for key in ("scope", "only-fixed", "ignore")
    }
    return ForeignReport(
        form="grype",
        kind="vulnerability",
        tool=report.descriptor.name or "grype",
        version=short(report.descriptor.version, 60),
        configuration=short(
            f"{report.source.type} {' '.join(f'{key}={value}' for key, value in set_to.items() if value)}"
        ),
        subjects=tuple(digests),
        results=tuple(_told(one) for one in report.matches),
    )


def _told(match: _Match) -> Told:
    flaw, artifact = match.vulnerability, match.artifact
    return Told(
        kind="vulnerability",
        id=short(flaw.id, 100),
        aliases=tuple(short(one.id, 100) for one in (match.related or ())[:20]),
        severity=Severity.parse(flaw.severity),
        message=short(flaw.description),
        package=short(artifact.name, 200),
        version=short(artifact.version, 200),
        purl=short(artifact.purl),
        fixed=short(flaw.fix.versions[0], 200) if flaw.fix.versions and flaw.fix.state in ("fixed", "") else "",
        score=max((one.metrics.score for one in flaw.cvss or ()), default=0.0),
        file=short(artifact.locations[0].path) if artifact.locations else "",
    )
