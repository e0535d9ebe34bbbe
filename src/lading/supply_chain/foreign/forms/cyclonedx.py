"""CycloneDX, JSON: the flaws that a bill of materials lists about its components; without any it is an inventory."""

from __future__ import annotations

import msgspec

from lading.kernel.severity import Severity
from lading.supply_chain.foreign.errors import ReportInvalid
from lading.supply_chain.foreign.report import ForeignReport, Told, short

_VERSIONS = frozenset({"1.4", "1.5", "1.6", "1.7"})
# States of an analysis (VEX) that say: not a flaw here.
_HARMLESS = frozenset({"not_affected", "false_positive", "resolved", "resolved_with_pedigree"})


class _Component(msgspec.Struct):
    name: str = ""
    version: str = ""
    purl: str = ""
    ref: str = msgspec.field(name="bom-ref", default="")
    components: list[_Component] = []


class _Rating(msgspec.Struct):
    severity: str = ""
    score: float = 0.0


class _Affected(msgspec.Struct):
    ref: str


class _Reference(msgspec.Struct):
    id: str = ""


class _Analysis(msgspec.Struct, frozen=True):
    state: str = ""


class _Flaw(msgspec.Struct):
    id: str = ""
    description: str = ""
    recommendation: str = ""
    ratings: list[_Rating] = []
    references: list[_Reference] = []
    affects: list[_Affected] = []
    analysis: _Analysis = _Analysis()


class _Hash(msgspec.Struct):
    alg: str = ""
    content: str = ""


class _Root(msgspec.Struct):
    type: str = ""
    version: str = ""
    hashes: list[_Hash] = []


class _Tools(msgspec.Struct):
    components: list[_Component] = []


class _Metadata(msgspec.Struct):
    tools: _Tools | list[_Component] = []
    component: _Root | None = None


class _Document(msgspec.Struct):
    spec_version: str = msgspec.field(name="specVersion", default="")
    metadata: _Metadata = msgspec.field(default_factory=_Metadata)
    components: list[_Component] = []
    vulnerabilities: list[_Flaw] = []


def read(body: bytes) -> ForeignReport:
    """The report; raises msgspec's errors, and ReportInvalid for another version."""
    document = msgspec.json.decode(body, type=_Document)
    if document.spec_version not in _VERSIONS:
        raise ReportInvalid(f"CycloneDX {document.spec_version[:20]} is not read.", remedy="Write it as 1.4 to 1.7.")
    components: dict[str, _Component] = {}
    waiting = list(document.components)
    while waiting:
        component = waiting.pop()
        components[component.ref or component.purl] = component
        waiting += component.components
    told = tuple(
        _told(flaw, components.get(affected.ref, _Component(purl=affected.ref)))
        for flaw in document.vulnerabilities
        if flaw.id and flaw.analysis.state not in _HARMLESS
        for affected in flaw.affects
    )
    tools = document.metadata.tools
    used = next(iter(tools.components if isinstance(tools, _Tools) else tools), _Component())
    return ForeignReport(
        form="cyclonedx",
        kind="vulnerability" if document.vulnerabilities else "inventory",
        tool=short(used.name, 80),
        version=short(used.version, 60),
        configuration="vulnerabilities" if document.vulnerabilities else "components",
        subjects=_subjects(document.metadata.component),
        results=told,
        components=len(components),
    )


def _subjects(root: _Root | None) -> tuple[str, ...]:
    """Digests of the manifest that the document says it is about: those of containers only, others are of files."""
    if root is None or root.type != "container":
        return ()
    hashes = [f"sha256:{one.content}" for one in root.hashes if one.alg == "SHA-256"]
    return tuple(dict.fromkeys(one for one in (*hashes, root.version) if one.startswith("sha256:")))


def _told(flaw: _Flaw, component: _Component) -> Told:
    return Told(
        kind="vulnerability",
        id=short(flaw.id, 100),
        aliases=tuple(short(one.id, 100) for one in flaw.references[:20] if one.id),
        severity=max((Severity.parse(one.severity) for one in flaw.ratings), default=Severity.UNKNOWN),
        message=short(flaw.description),
        package=short(component.name, 200),
        version=short(component.version, 200),
        purl=short(component.purl if component.purl.startswith("pkg:") else ""),
        score=max((one.score for one in flaw.ratings if one.score <= 10), default=0.0),
    )
