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
from lading.supply_chain.advisories.cvss import Rating, rate
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
_DISTRIBUTIONS: Final = frozenset(
    (
        "AlmaLinux", "Alpaquita", "Alpine", "Amazon Linux", "Azure Linux", "BellSoft Hardened Containers", "Chainguard",
        "Debian", "Mageia", "MinimOS", "Oracle Linux", "Photon OS", "Red Hat", "Rocky Linux", "SUSE", "Ubuntu",
        "Wolfi", "openEuler", "openSUSE",
    )
)  # fmt: skip
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
    related: list[str] | None = None
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
    if len(affected) > _MOST_AFFECTED or sum(map(len, _named(record))) > _MOST_ALIASES:
        raise _wrong(record.id, "it has too many packages or aliases")
    aliases, covers = _names(record, affected)
    score, severity, rated = _severity(record, affected)
    return Advisory(
        id=record.id,
        modified=record.modified,
        published=(record.published or "")[:40],
        withdrawn=(record.withdrawn or "")[:40],
        aliases=aliases,
        covers=covers,
        summary=" ".join((record.summary or "").split())[:_MOST_TEXT],
        score=score,
        severity=severity,
        rated=rated,
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


def _named(record: _Record) -> tuple[list[str], list[str], list[str]]:
    return record.aliases or [], record.upstream or [], record.related or []


def _names(record: _Record, affected: list[_Affected]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Other names of the flaw, and the flaws that a bulletin is about (OSV schema: `aliases`, `upstream`, `related`).

    What is merely related is another flaw; only bulletins of some distributions (AlmaLinux, SUSE) say nowhere else
    which CVEs they mend.
    """
    aliases, upstream, related = (
        tuple(dict.fromkeys(name for name in names if _ID.fullmatch(name) and name != record.id))
        for names in _named(record)
    )
    if len(upstream) == 1:
        return tuple(dict.fromkeys((*aliases, *upstream))), ()
    if not _of_distribution(affected):
        return (aliases, ()) if aliases else ((), upstream)
    cves = tuple(name for name in aliases if name.startswith("CVE-"))
    if upstream or len(cves) > 1:
        covers = tuple(dict.fromkeys((*upstream, *cves)))
        return tuple(name for name in aliases if name not in covers), covers
    if aliases or "CVE-" in record.id:
        return aliases, ()
    covers = tuple(name for name in related if name.startswith("CVE-"))
    return (covers, ()) if len(covers) == 1 else ((), covers)


def _of_distribution(affected: list[_Affected]) -> bool:
    named = [one.package.ecosystem.partition(":")[0] for one in affected if one.package and one.package.ecosystem]
    return bool(named) and all(name in _DISTRIBUTIONS for name in named)


def _severity(record: _Record, affected: list[_Affected]) -> tuple[float, Severity, str]:
    """Score, level and who says so: CVSS 3 where there is a vector of it, else 4.0, else 2.0, else a stated level."""
    vectors = [*(record.severity or ()), *(one for entry in affected for one in entry.severity or ())]
    vectors = [one for one in vectors if one.type.startswith("CVSS_")]
    ratings = [rating for one in vectors if (rating := rate(one.score)) is not None]
    for version in ("3", "4", "2"):
        if fitting := [one for one in ratings if one.version.startswith(version)]:
            worst: Rating = max(fitting, key=lambda one: one.score)
            return worst.score, worst.severity, f"CVSS {worst.version}"
    unreadable = f"CVSS vector {vectors[0].score[:60]!r} cannot be read" if vectors else ""
    specific = [record.database_specific, *(entry.database_specific for entry in affected)]
    specific += [entry.ecosystem_specific for entry in affected]
    said = [one.get(key) for one in specific if one for key in ("severity", "urgency")]
    levels = [Severity.parse(text) for text in said if isinstance(text, str)]
    if record.id.startswith("MAL-"):
        levels.append(Severity.CRITICAL)
    level = max(levels, default=Severity.UNKNOWN)
    return 0.0, level, unreadable or ("stated" if level > Severity.UNKNOWN else "")


def _wrong(what: str, why: str) -> AdvisoryInvalid:
    return AdvisoryInvalid(
        f"{what} is not an OSV record: {why}.", remedy="Export it again in OSV 1.x, one JSON a record."
    )
