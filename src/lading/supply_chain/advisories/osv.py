"""OSV 1.x records (the OpenSSF's open source vulnerability format) to advisories, within bounds.

Accepted from files and uploads: one record, a list of records, or JSON lines; plain, gzip or zstd; or a zip of records
as OSV's bulk exports are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from lading.kernel.severity import Severity
from lading.supply_chain.advisories.advisory import Advisory, Affected, Range
from lading.supply_chain.advisories.cvss import base_score
from lading.supply_chain.advisories.errors import AdvisoryInvalid

MOST_RECORD: Final = 8 << 20
_MOST_AFFECTED: Final = 5_000
_MOST_RANGES: Final = 1_000
_MOST_EVENTS: Final = 2_000
_MOST_VERSIONS: Final = 20_000
_MOST_ALIASES: Final = 500
_MOST_TEXT: Final = 300
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@+/-]{0,127}")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?")
_EVENTS: Final = ("introduced", "fixed", "last_affected", "limit")
_LOWER_CASE: Final = frozenset({"NuGet", "Packagist"})


class _Package(msgspec.Struct):
    ecosystem: str = ""
    name: str = ""


class _Range(msgspec.Struct):
    type: str = ""
    events: list[dict[str, str]] = []


class _Severity(msgspec.Struct):
    type: str = ""
    score: str = ""


class _Affected(msgspec.Struct):
    package: _Package | None = None
    ranges: list[_Range] | None = None
    versions: list[str] | None = None
    severity: list[_Severity] | None = None
    database_specific: dict[str, Any] | None = None
    ecosystem_specific: dict[str, Any] | None = None


class _Record(msgspec.Struct):
    id: str
    modified: str = ""
    published: str | None = None
    withdrawn: str | None = None
    aliases: list[str] | None = None
    upstream: list[str] | None = None
    summary: str | None = None
    severity: list[_Severity] | None = None
    affected: list[_Affected] | None = None
    database_specific: dict[str, Any] | None = None


_decode = msgspec.json.Decoder(_Record).decode
_SUSE_MODULE: Final = re.compile(r"SUSE:Linux Enterprise Module for .+ (?=[0-9]+(?: SP[0-9]+)?$)")


def parse_record(raw: bytes) -> Advisory:
    """Read one OSV record; raises AdvisoryInvalid, which names the record where it has a readable id."""
    if len(raw) > MOST_RECORD:
        raise _wrong("A record", f"it has {len(raw)} bytes; at most {MOST_RECORD} are read")
    try:
        record = _decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _wrong("A record", str(error)[:200]) from error
    if not _ID.fullmatch(record.id):
        raise _wrong("A record", f"{record.id[:80]!r} is not an id")
    if not _TIME.fullmatch(record.modified):
        raise _wrong(record.id, "it does not say when it was modified")
    affected = record.affected or []
    names = [*(record.aliases or ()), *(record.upstream or ())]
    if len(affected) > _MOST_AFFECTED or len(names) > _MOST_ALIASES:
        raise _wrong(record.id, "it has too many packages or aliases")
    score, severity = _severity(record, affected)
    return Advisory(
        id=record.id,
        modified=record.modified,
        published=(record.published or "")[:40],
        withdrawn=(record.withdrawn or "")[:40],
        aliases=tuple(dict.fromkeys(name for name in names if _ID.fullmatch(name) and name != record.id)),
        summary=" ".join((record.summary or "").split())[:_MOST_TEXT],
        score=score,
        severity=severity,
        affected=tuple(_affected(record.id, affected)),
    )


def normalised_name(ecosystem: str, name: str) -> str:
    """A package name as it is compared: PyPI by PEP 503, NuGet and Packagist without case, others as they are."""
    if ecosystem == "PyPI":
        return re.sub(r"[-_.]+", "-", name).lower()
    return name.lower() if ecosystem in _LOWER_CASE else name


def normalised_ecosystem(ecosystem: str) -> str:
    """An ecosystem as images name it, where a distribution publishes by channels of a release.

    Red Hat names a repository behind the release (`Red Hat:enterprise_linux:9::baseos`), SUSE a module in front of it.
    """
    if ecosystem.startswith("Red Hat:"):
        return ecosystem.partition("::")[0]
    return _SUSE_MODULE.sub("SUSE:Linux Enterprise Server ", ecosystem)


def _affected(identity: str, affected: Iterable[_Affected]) -> Iterable[Affected]:
    for one in affected:
        package = one.package
        if package is None or not package.ecosystem or not package.name:
            continue
        ranges = [found for found in one.ranges or () if found.type in ("ECOSYSTEM", "SEMVER")]
        versions = one.versions or []
        events = sum(len(found.events) for found in ranges)
        too_many = len(ranges) > _MOST_RANGES or events > _MOST_EVENTS or len(versions) > _MOST_VERSIONS
        if too_many or len(package.name) > _MOST_TEXT or len(package.ecosystem) > 100:
            raise _wrong(identity, f"its entry for {package.name[:100]} is too large")
        # Versions that the ranges already say are left out where both are given: OSV lists them for convenience only.
        yield Affected(
            ecosystem=normalised_ecosystem(package.ecosystem),
            name=normalised_name(package.ecosystem, package.name),
            ranges=tuple(_range(found) for found in ranges),
            versions=tuple(version[:200] for version in versions),
        )


def _range(found: _Range) -> Range:
    events = tuple((kind, event[kind][:200]) for event in found.events for kind in _EVENTS if kind in event)
    return Range(found.type, events)


def _severity(record: _Record, affected: list[_Affected]) -> tuple[float, Severity]:
    vectors = [*(record.severity or ()), *(one for entry in affected for one in entry.severity or ())]
    for kind in ("CVSS_V3", "CVSS_V4"):
        scores = [score for one in vectors if one.type == kind and (score := base_score(one.score)) is not None]
        if scores:
            return max(scores), Severity.of_score(max(scores))
    specific = [record.database_specific, *(entry.database_specific for entry in affected)]
    specific += [entry.ecosystem_specific for entry in affected]
    levels = [Severity.parse(found) for one in specific if one and isinstance(found := one.get("severity"), str)]
    if record.id.startswith("MAL-"):
        levels.append(Severity.CRITICAL)
    return 0.0, max(levels, default=Severity.UNKNOWN)


def _wrong(what: str, why: str) -> AdvisoryInvalid:
    return AdvisoryInvalid(
        f"{what} is not an OSV record: {why}.", remedy="Export it again in OSV 1.x, one JSON a record."
    )
