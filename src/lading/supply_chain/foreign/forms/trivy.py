"""Trivy's own JSON (schema version 2): flaws of packages, secrets, misconfigurations."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from lading.kernel.severity import Severity
from lading.supply_chain.foreign.report import ForeignReport, Kind, Told, short


class _Identifier(msgspec.Struct, frozen=True):
    purl: str = msgspec.field(name="PURL", default="")


class _Score(msgspec.Struct, frozen=True):
    v3: float = msgspec.field(name="V3Score", default=0.0)
    v40: float = msgspec.field(name="V40Score", default=0.0)


class _Flaw(msgspec.Struct, frozen=True):
    id: str = msgspec.field(name="VulnerabilityID")
    package: str = msgspec.field(name="PkgName", default="")
    version: str = msgspec.field(name="InstalledVersion", default="")
    fixed: str = msgspec.field(name="FixedVersion", default="")
    severity: str = msgspec.field(name="Severity", default="")
    title: str = msgspec.field(name="Title", default="")
    path: str = msgspec.field(name="PkgPath", default="")
    vendor_ids: list[str] = msgspec.field(name="VendorIDs", default_factory=list)
    identifier: _Identifier = msgspec.field(name="PkgIdentifier", default=_Identifier())
    cvss: dict[str, _Score] = msgspec.field(name="CVSS", default_factory=dict)


class _Secret(msgspec.Struct, frozen=True):
    rule: str = msgspec.field(name="RuleID")
    severity: str = msgspec.field(name="Severity", default="")
    title: str = msgspec.field(name="Title", default="")
    line: int = msgspec.field(name="StartLine", default=0)


class _Cause(msgspec.Struct, frozen=True):
    line: int = msgspec.field(name="StartLine", default=0)


class _Misconfiguration(msgspec.Struct, frozen=True):
    id: str = msgspec.field(name="ID")
    severity: str = msgspec.field(name="Severity", default="")
    message: str = msgspec.field(name="Message", default="")
    status: str = msgspec.field(name="Status", default="FAIL")
    cause: _Cause = msgspec.field(name="CauseMetadata", default=_Cause())


class _Result(msgspec.Struct, frozen=True):
    target: str = msgspec.field(name="Target", default="")
    kind: str = msgspec.field(name="Class", default="")
    flaws: list[_Flaw] | None = msgspec.field(name="Vulnerabilities", default=None)
    secrets: list[_Secret] | None = msgspec.field(name="Secrets", default=None)
    wrongs: list[_Misconfiguration] | None = msgspec.field(name="Misconfigurations", default=None)
    packages: list[msgspec.Raw] | None = msgspec.field(name="Packages", default=None)


class _Metadata(msgspec.Struct, frozen=True):
    image: str = msgspec.field(name="ImageID", default="")
    digests: list[str] | None = msgspec.field(name="RepoDigests", default=None)


class _Tool(msgspec.Struct, frozen=True):
    version: str = msgspec.field(name="Version", default="")


class _Report(msgspec.Struct, frozen=True):
    artifact_type: str = msgspec.field(name="ArtifactType", default="")
    metadata: _Metadata = msgspec.field(name="Metadata", default=_Metadata())
    tool: _Tool = msgspec.field(name="Trivy", default=_Tool())
    results: list[_Result] | None = msgspec.field(name="Results", default=None)


def read(body: bytes) -> ForeignReport:
    """The report; raises msgspec's errors."""
    report = msgspec.json.decode(body, type=_Report)
    results = report.results or []
    told = tuple(one for result in results for one in _told(result))
    classes = sorted({result.kind for result in results if result.kind})
    digests = [one.rpartition("@")[2] for one in report.metadata.digests or ()]
    return ForeignReport(
        form="trivy",
        kind=_kind(told, classes),
        tool="trivy",
        version=short(report.tool.version, 60),
        configuration=short(f"{report.artifact_type} {' '.join(classes)}"),
        # An image that was scanned from an archive has no digest of a registry: its configuration's names it there.
        subjects=tuple(digests),
        results=told,
        components=sum(len(result.packages or ()) for result in results),
    )


def _kind(told: tuple[Told, ...], classes: list[str]) -> Kind:
    found = {one.kind for one in told}
    for kind, name in (("secret", "secret"), ("misconfiguration", "config")):
        if found == {kind} or (not found and classes == [name]):
            return "secret" if kind == "secret" else "misconfiguration"
    return "vulnerability"


def _told(result: _Result) -> Iterator[Told]:
    for flaw in result.flaws or ():
        yield Told(
            kind="vulnerability",
            id=short(flaw.id, 100),
            aliases=tuple(short(one, 100) for one in flaw.vendor_ids[:20]),
            severity=Severity.parse(flaw.severity),
            message=short(flaw.title),
            package=short(flaw.package, 200),
            version=short(flaw.version, 200),
            purl=short(flaw.identifier.purl),
            fixed=short(flaw.fixed.partition(",")[0], 200),
            score=max((max(one.v3, one.v40) for one in flaw.cvss.values()), default=0.0),
            file=short(flaw.path or result.target),
        )
    for secret in result.secrets or ():
        yield Told(
            kind="secret", id=short(secret.rule, 100), severity=Severity.parse(secret.severity),
            message=short(secret.title), file=short(result.target), line=max(secret.line, 0),
        )  # fmt: skip
    for wrong in result.wrongs or ():
        if wrong.status == "FAIL":
            yield Told(
                kind="misconfiguration", id=short(wrong.id, 100), severity=Severity.parse(wrong.severity),
                message=short(wrong.message), file=short(result.target), line=max(wrong.cause.line, 0),
            )  # fmt: skip
