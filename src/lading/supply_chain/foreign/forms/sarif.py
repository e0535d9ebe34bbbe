"""SARIF 2.1.0 of any tool: results of rules with file, line and level. Suppressed and passing results do not count."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from lading.kernel.clock import parse_timestamp
from lading.kernel.severity import Severity
from lading.supply_chain.foreign.errors import ReportInvalid
from lading.supply_chain.foreign.report import ForeignReport, Kind, Told, short

_LEVELS: Final = {"error": Severity.HIGH, "warning": Severity.MEDIUM, "note": Severity.LOW, "none": Severity.NONE}
_SECRETS: Final = ("secret", "gitleaks", "trufflehog", "credential")
_DYNAMIC: Final = ("zap", "nuclei", "burp", "nikto", "dast", "wapiti")
_MOST_RUNS: Final = 1_000


class _Text(msgspec.Struct, frozen=True):
    text: str = ""


class _Region(msgspec.Struct, frozen=True):
    line: int = msgspec.field(name="startLine", default=0)


class _Artifact(msgspec.Struct, frozen=True):
    uri: str = ""


class _Place(msgspec.Struct, frozen=True):
    artifact: _Artifact = msgspec.field(name="artifactLocation", default=_Artifact())
    region: _Region = _Region()


class _Location(msgspec.Struct, frozen=True):
    place: _Place = msgspec.field(name="physicalLocation", default=_Place())


class _Configuration(msgspec.Struct, frozen=True):
    level: str = ""


class _Rule(msgspec.Struct, frozen=True):
    id: str = ""
    short: _Text = msgspec.field(name="shortDescription", default=_Text())
    configuration: _Configuration = msgspec.field(name="defaultConfiguration", default=_Configuration())
    properties: dict[str, Any] = {}


class _Result(msgspec.Struct, frozen=True):
    rule: str = msgspec.field(name="ruleId", default="")
    index: int = msgspec.field(name="ruleIndex", default=-1)
    level: str = ""
    kind: str = "fail"
    message: _Text = _Text()
    locations: list[_Location] = []
    suppressions: list[dict[str, Any]] = []


class _Driver(msgspec.Struct, frozen=True):
    name: str
    version: str = ""
    semantic: str = msgspec.field(name="semanticVersion", default="")
    rules: list[_Rule] = []


class _Tool(msgspec.Struct, frozen=True):
    driver: _Driver


class _Invocation(msgspec.Struct, frozen=True):
    command: str = msgspec.field(name="commandLine", default="")
    arguments: list[str] = []
    start: str = msgspec.field(name="startTimeUtc", default="")
    end: str = msgspec.field(name="endTimeUtc", default="")
    successful: bool = msgspec.field(name="executionSuccessful", default=True)


class _Run(msgspec.Struct, frozen=True):
    tool: _Tool
    results: list[_Result] | None = None
    invocations: list[_Invocation] = []


class _Log(msgspec.Struct, frozen=True):
    version: str
    runs: list[_Run]


def read(body: bytes) -> ForeignReport:
    """The report; raises msgspec's errors, and ReportInvalid for another version, no run, or one that failed."""
    log = msgspec.json.decode(body, type=_Log)
    if log.version != "2.1.0" or not 1 <= len(log.runs) <= _MOST_RUNS:
        raise ReportInvalid(
            f"SARIF {log.version[:20]} with {len(log.runs)} runs is not read.", remedy="Write SARIF 2.1.0."
        )
    drivers = [run.tool.driver for run in log.runs]
    if len({driver.name for driver in drivers}) != 1:
        raise ReportInvalid("It holds runs of several tools.", remedy="Give the report of each tool by itself.")
    failed = [one for run in log.runs for one in run.invocations if not one.successful]
    if failed:
        raise ReportInvalid(
            f"It says that {drivers[0].name[:80]} did not end well.", remedy="Mend that and run it again."
        )
    kind = _kind(log)
    return ForeignReport(
        form="sarif",
        kind=kind,
        tool=short(drivers[0].name, 80),
        version=short(drivers[0].semantic or drivers[0].version, 60),
        configuration=_configuration(log),
        results=tuple(_told(one, run, kind) for run in log.runs for one in run.results or () if _counts(one)),
        seconds=sum(_seconds(one) for run in log.runs for one in run.invocations),
    )


def _counts(result: _Result) -> bool:
    return result.kind in ("fail", "open", "review") and not any(
        one.get("status", "accepted") == "accepted" for one in result.suppressions
    )


def _told(result: _Result, run: _Run, kind: Kind) -> Told:
    rule = _rule(result, run)
    place = result.locations[0].place if result.locations else _Place()
    score = _score(rule)
    level = result.level or rule.configuration.level or "warning"
    return Told(
        kind=kind,
        id=short(result.rule or rule.id, 200) or "unnamed",
        severity=Severity.of_score(score) if score else _LEVELS.get(level, Severity.UNKNOWN),
        message=short(result.message.text or rule.short.text),
        score=score,
        file=short(place.artifact.uri),
        line=max(place.region.line, 0),
    )


def _rule(result: _Result, run: _Run) -> _Rule:
    rules = run.tool.driver.rules
    if 0 <= result.index < len(rules):
        return rules[result.index]
    return next((rule for rule in rules if rule.id == result.rule), _Rule())


def _score(rule: _Rule) -> float:
    """What dashboards read: a score of security between 0.0 and 10.0, as a text."""
    try:
        score = float(rule.properties.get("security-severity", 0))
    except (TypeError, ValueError):
        return 0.0
    return score if 0.0 < score <= 10.0 else 0.0


def _kind(log: _Log) -> Kind:
    """What the tool looks at, by its name and its rules; the sender may say better."""
    driver = log.runs[0].tool.driver
    words = " ".join([driver.name, *(rule.id for rule in driver.rules[:50])]).lower()
    tags = " ".join(str(rule.properties.get("tags", "")) for rule in driver.rules[:50]).lower()
    if any(word in driver.name.lower() for word in _DYNAMIC):
        return "dynamic"
    if any(word in words for word in _SECRETS) or "secret" in tags:
        return "secret"
    return "code"


def _configuration(log: _Log) -> str:
    """How the tool was called, where it says. Which rules it lists says nothing: some list only those that found."""
    calls = [one.command or " ".join(one.arguments) for run in log.runs for one in run.invocations]
    return short(" ; ".join(filter(None, calls)))


def _seconds(invocation: _Invocation) -> float:
    try:
        took = parse_timestamp(invocation.end) - parse_timestamp(invocation.start)
    except ValueError:
        return 0.0
    return max(took.total_seconds(), 0.0)
