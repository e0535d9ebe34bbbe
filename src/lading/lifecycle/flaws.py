"""One flaw and one package as somebody may see them: every name, where it is, what mends it, what was said and when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

import msgspec

from lading.kernel.errors import NotFound
from lading.lifecycle.findings import Viewer
from lading.lifecycle.where import Answer, Where
from lading.supply_chain.advisories.advisory import Advisory
from lading.supply_chain.match.finding import Finding
from lading.supply_chain.match.standing.asking import Asking, Known
from lading.supply_chain.match.vex.statement import Statement

_MOST_IMAGES: Final = 200
_MOST_VERSIONS: Final = 200
_MOST_FLAWS: Final = 500


class Advised(Protocol):
    """What is publicly known."""

    def named(self, name: str) -> list[Advisory]:
        """The advisories that have this id or alias."""
        ...

    def due(self, cve: str) -> tuple[str, str] | None:
        """When a CVE was added to the catalogue of exploited flaws and until when it is to be mended; None: it is not
        in it."""
        ...


class Order(Protocol):
    """The order of versions."""

    def newest(self, ecosystem: str, versions: Sequence[str]) -> str:
        """The newest of some versions."""
        ...


class FlawPages:
    """Writes pages of flaws and packages."""

    def __init__(self, asking: Asking, advised: Advised, where: Where, order: Order) -> None:
        self._asking = asking
        self._advised = advised
        self._where = where
        self._order = order

    def flaw(self, name: str, viewer: Viewer) -> dict[str, Any]:
        """All there is to say of a flaw, by any of its names; raises NotFound when nothing that they may see has it."""
        answer = self._where.find(name, viewer.may, kind="flaw", limit=_MOST_IMAGES, sees_all=viewer.teams is None)
        ids = sorted(self._asking.named(name))
        # Somebody whose roles are narrowed to repositories sees what the images that they may read have.
        scope = viewer.scope if viewer.whole else None
        known = self._asking.known(ids, scope)
        if not (answer.images or answer.containers):
            raise NotFound(
                f"No image that you may see has the flaw {name[:100]!r}.",
                remedy="Ask by its CVE or an alias; `lading findings` lists those there are.",
            )
        findings = sorted(
            (
                one
                for found in known.values()
                for one in found.findings
                if viewer.teams is None or _is_here(one, answer)
            ),
            key=lambda one: (-one.severity, one.purl),
        )
        identity = ids[0] if ids else name
        names = list(dict.fromkeys((identity, *(text for one in findings for text in one.names))))
        records = {one.id: one for text in names[:50] for one in self._advised.named(text)}
        spells = self._asking.spells(identity, viewer.scope)
        return {
            "id": identity,
            "names": names,
            **_gist(findings, known.get(identity)),
            "exploited": self._exploited(names),
            "advisories": [_record(one) for one in sorted(records.values(), key=lambda one: one.id)],
            "packages": _packages(findings),
            "where": msgspec.to_builtins(answer),
            "statements": [
                _statement(one) for found in known.values() for one in found.statements if _may_see(one, viewer)
            ],
            "aside": known[identity].aside if identity in known and (viewer.teams is None or viewer.whole) else "",
            "history": [{**one._asdict(), "severity": one.severity.label} for one in spells],
        }

    def package(self, text: str, viewer: Viewer) -> dict[str, Any]:
        """All there is to say of a package: a name, `name@version` or a package URL; raises NotFound."""
        answer = self._where.find(text, viewer.may, kind="package", limit=_MOST_IMAGES, sees_all=viewer.teams is None)
        if not (answer.images or answer.containers):
            raise NotFound(f"No image that you may see has the package {text[:100]!r}.", remedy="Ask by name or purl.")
        seen = {(row["package"], row["version"]) for row in (*answer.images, *answer.containers)}
        packages = {
            number: one
            for number, one in self._asking.packages(text).items()
            if viewer.teams is None or (one.name, one.version) in seen
        }
        flaws = self._asking.flaws_of(sorted(packages)[:_MOST_VERSIONS])
        versions: dict[tuple[str, str, str], dict[str, Any]] = {}
        for number, one in list(packages.items())[:_MOST_VERSIONS]:
            row = versions.setdefault(
                (one.ecosystem, one.name, one.version),
                {"ecosystem": one.ecosystem, "name": one.name, "version": one.version, "purl": one.purl, "flaws": {}},
            )
            row["flaws"] |= {flawed.finding.id: flawed for flawed in flaws.get(number, ())}
        return {
            "name": text,
            "versions": [self._version(row) for row in versions.values()],
            "licences": self._asking.licences_of(sorted(packages)),
            "where": msgspec.to_builtins(answer),
        }

    def _version(self, row: dict[str, Any]) -> dict[str, Any]:
        found = sorted(row["flaws"].values(), key=lambda one: (-one.finding.severity, one.finding.id))
        fixes = [one.finding.fixed for one in found if one.finding.fixed]
        shown = [
            {
                "id": one.finding.id, "severity": one.finding.severity.label, "score": one.finding.score,
                "epss": one.finding.epss, "exploited": one.finding.kev, "fixed": one.finding.fixed, "seen": one.seen,
            }
            for one in found[:_MOST_FLAWS]
        ]  # fmt: skip
        # The version that none of its flaws calls affected lies at the newest of their fixes.
        newest = self._order.newest(row["ecosystem"], fixes) if fixes else ""
        return row | {"flaws": shown, "newest_fix": newest, "unfixed": len(found) - len(fixes)}

    def _exploited(self, names: Sequence[str]) -> dict[str, str]:
        for name in names:
            if name.startswith("CVE-") and (found := self._advised.due(name)) is not None:
                return {"added": found[0], "due": found[1]}
        return {}


def _gist(findings: Sequence[Finding], known: Known | None) -> dict[str, Any]:
    worst = findings[0] if findings else None
    return {
        "severity": worst.severity.label if worst else "unknown",
        "score": worst.score if worst else 0.0,
        "rated": worst.rated if worst else "",
        "epss": max((one.epss for one in findings), default=0.0),
        "summary": next((one.summary for one in findings if one.summary), ""),
        "seen": min((one.seen for one in known.found.values() if one.seen), default="") if known else "",
    }


def _record(one: Advisory) -> dict[str, Any]:
    return {
        "id": one.id, "published": one.published, "modified": one.modified, "withdrawn": one.withdrawn,
        "severity": one.severity.label, "score": one.score, "rated": one.rated, "summary": one.summary,
    }  # fmt: skip


def _is_here(one: Finding, answer: Answer) -> bool:
    """Whether something that they may see has the package."""
    return any((row["package"], row["version"]) == (one.package, one.version) for row in answer.images) or any(
        (row["package"], row["version"]) == (one.package, one.version) for row in answer.containers
    )


def _may_see(one: Statement, viewer: Viewer) -> bool:
    """Whether a statement is about everybody's things or about theirs only."""
    return viewer.teams is None or not one.scope or bool(one.scope.teams and viewer.whole.issuperset(one.scope.teams))


def _packages(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """The affected packages, each version once."""
    rows = {
        (one.package, one.version): {
            "package": one.package, "version": one.version, "ecosystem": one.ecosystem, "purl": one.purl,
            "severity": one.severity.label, "fixed": one.fixed, "why": one.why,
        }
        for one in findings
    }  # fmt: skip
    return list(rows.values())[:_MOST_VERSIONS]


def _statement(one: Statement) -> dict[str, Any]:
    made: dict[str, Any] = msgspec.to_builtins(one)
    return made
