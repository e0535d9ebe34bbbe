"""SARIF 2.1.0 (OASIS): findings, weaknesses, refusals of rules and gaps as results and notifications of one run.

The fingerprint of a finding leaves versions out: a dashboard knows it again after an update that did not mend it.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final
from urllib.parse import quote

from lading.kernel.errors import InvalidInput
from lading.kernel.purl import PackageUrl
from lading.kernel.severity import Severity
from lading.policy.decision import Violation
from lading.supply_chain.checks.catalogue import CATALOGUE
from lading.supply_chain.checks.weakness import Weakness
from lading.supply_chain.match.finding import Finding
from lading.supply_chain.report.result import Accepted, AcceptedWeakness, ScanResult

_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_MOST_RESULTS: Final = 25_000
_LEVELS: Final = {Severity.CRITICAL: "error", Severity.HIGH: "error", Severity.MEDIUM: "warning"}
# What dashboards sort by where nobody gave a score: the middle of each level's range.
_SCORES: Final = {Severity.CRITICAL: 9.5, Severity.HIGH: 8.0, Severity.MEDIUM: 5.5, Severity.LOW: 2.0}


def sarif(result: ScanResult) -> dict[str, Any]:
    """The document. Beyond 25,000 results the mildest are left out, and a notification says how many."""
    rules = _Rules()
    results = [_violation(one, rules, "error") for one in result.violations]
    results += [_violation(one, rules, "warning") for one in result.warnings]
    results += [_finding(one, result, rules) for one in result.findings]
    results += [_weakness(one, result, rules) for one in result.weaknesses]
    results += [_accepted(one, result, rules) for one in result.accepted]
    results += [_tolerated(one, result, rules) for one in result.accepted_weaknesses]
    notes = [_note(gap, "error" if result.verdict.gaps_refuse else "warning") for gap in result.gaps]
    if len(results) > _MOST_RESULTS:
        notes.append(_note(f"{len(results) - _MOST_RESULTS} results were left out", "warning"))
        results = results[:_MOST_RESULTS]
    run = {
        "tool": {
            "driver": {
                "name": "Lading",
                "semanticVersion": result.lading,
                "rules": rules.listed,
            }
        },
        "automationDetails": {"id": f"lading/{result.name}/"},
        "invocations": [{"executionSuccessful": True, "endTimeUtc": result.made, "toolExecutionNotifications": notes}],
        "results": results,
        "columnKind": "unicodeCodePoints",
        "properties": {
            "target": result.name,
            "kind": result.kind,
            "digest": result.digest,
            "passed": result.verdict.passed,
        },
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


class _Rules:
    """The rules that results refer to, each once."""

    def __init__(self) -> None:
        self.listed: list[dict[str, Any]] = []
        self._places: dict[str, int] = {}

    def place(self, identity: str, rule: dict[str, Any]) -> int:
        if identity not in self._places:
            self._places[identity] = len(self.listed)
            self.listed.append({"id": identity, **rule})
        return self._places[identity]


def _finding(one: Finding, result: ScanResult, rules: _Rules) -> dict[str, Any]:
    fix = f"Raise {one.package} to {one.fixed}." if one.fixed else "Nobody has fixed it yet."
    title = one.summary or f"{one.id} in {one.package}"
    score = one.score or _SCORES.get(one.severity, 0.0)
    rule = {
        "shortDescription": {"text": title[:1_000]},
        "fullDescription": {"text": title[:1_000]},
        "help": {"text": f"{title[:1_000]}\n{fix}\n{one.why}"},
        "helpUri": f"https://osv.dev/vulnerability/{quote(one.id)}",
        "defaultConfiguration": {"level": _LEVELS.get(one.severity, "note")},
        "properties": {
            "security-severity": f"{score:.1f}",
            "tags": ["security", "vulnerability", one.severity.label, *(["known-exploited"] if one.kev else [])],
        },
    }
    said = f"{one.package} {one.version} has {one.id} ({one.severity.label}). {fix}"
    return {
        "ruleId": one.id,
        "ruleIndex": rules.place(one.id, rule),
        "level": _LEVELS.get(one.severity, "note"),
        "message": {"text": said},
        "locations": [_location(one.path or result.name, one.package)],
        "partialFingerprints": {"ladingFinding/v1": _fingerprint(one)},
        "properties": {
            "purl": one.purl,
            "fixed": one.fixed,
            "layer": one.layer,
            "severity": one.severity.label,
            "refuses": one.key in result.verdict.counted,
        },
    }


def _accepted(accepted: Accepted, result: ScanResult, rules: _Rules) -> dict[str, Any]:
    return _finding(accepted.finding, result, rules) | _suppressed("external", accepted.reason, accepted.until)


def _tolerated(accepted: AcceptedWeakness, result: ScanResult, rules: _Rules) -> dict[str, Any]:
    kind = "external" if accepted.until else "inSource"
    return _weakness(accepted.weakness, result, rules) | _suppressed(kind, accepted.reason, accepted.until)


def _suppressed(kind: str, reason: str, until: str) -> dict[str, Any]:
    """An acceptance: `external` to what was scanned, or `inSource`, in the file itself."""
    why = f"{reason} (until {until})" if until else reason
    return {"suppressions": [{"kind": kind, "status": "accepted", "justification": why}]}


def _weakness(one: Weakness, result: ScanResult, rules: _Rules) -> dict[str, Any]:
    level = _LEVELS.get(one.severity, "note")
    content = (one.rule, one.file, one.message)
    return {
        "ruleId": one.rule,
        "ruleIndex": rules.place(one.rule, _rule_of(one)),
        "level": level,
        "message": {"text": one.message},
        "locations": [_location(one.file or result.name, one.rule, one.line)],
        "partialFingerprints": {"ladingWeakness/v1": sha256("\n".join(content).encode()).hexdigest()},
        "properties": {
            "kind": one.kind,
            "layer": one.layer,
            "severity": one.severity.label,
            "refuses": one.key in result.verdict.counted,
        },
    }


def _rule_of(one: Weakness) -> dict[str, Any]:
    rule = CATALOGUE.get(one.rule)
    severity = rule.severity if rule else one.severity
    helping = [*([rule.why] if rule else []), one.remedy, *one.references]
    return {
        "shortDescription": {"text": one.title},
        "fullDescription": {"text": rule.why if rule else one.title},
        "help": {"text": "\n".join(filter(None, helping)) or one.title},
        "defaultConfiguration": {"level": _LEVELS.get(severity, "note")},
        "properties": {
            "security-severity": f"{_SCORES.get(severity, 0.0):.1f}",
            "tags": ["security", one.kind, severity.label, *one.references],
        },
    }


def _violation(one: Violation, rules: _Rules, level: str) -> dict[str, Any]:
    identity = f"lading-policy/{one.rule}"
    rule = {
        "shortDescription": {"text": one.title},
        "help": {"text": one.remedy or one.title},
        "defaultConfiguration": {"level": level},
        "properties": {"tags": ["policy"], "owner": one.owner},
    }
    return {
        "ruleId": identity,
        "ruleIndex": rules.place(identity, rule),
        "level": level,
        "message": {"text": f"{one.message} {one.remedy}".strip()},
        "locations": [_location(str(one.item().get("path", "")) or one.rule, one.rule)],
    }


def _location(path: str, name: str, line: int = 0) -> dict[str, Any]:
    # A scanned path is below the image's root: relative, so that nobody takes it for a file of the machine.
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": quote(path.lstrip("/") or name, safe="/-._~")},
            "region": {"startLine": max(line, 1)},
        },
        "logicalLocations": [{"name": name, "kind": "module"}],
    }


def _note(text: str, level: str) -> dict[str, Any]:
    return {"level": level, "message": {"text": text}, "descriptor": {"id": "coverage-gap"}}


def _fingerprint(one: Finding) -> str:
    try:
        package = str(PackageUrl.parse(one.purl).without_version())
    except InvalidInput:
        package = one.package
    return sha256("\n".join((one.id, package, one.path)).encode()).hexdigest()
