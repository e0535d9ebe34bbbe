"""The value that every form is written from: what was scanned, what is in it, what is wrong, and whether it passes."""

from __future__ import annotations

from typing import Any

import msgspec

from lading.policy.decision import Violation
from lading.supply_chain.checks.weakness import Weakness
from lading.supply_chain.inventory.values import ImageInventory
from lading.supply_chain.match.finding import Finding


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """One layer, lowest first; `size` in bytes as it is stored."""

    digest: str
    size: int


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """A finding that somebody accepted, why, and until when; without an end where a VEX document sets it aside."""

    finding: Finding
    reason: str
    until: str = ""

    @property
    def said(self) -> str:
        """The acceptance as a sentence."""
        return f"accepted until {self.until}: {self.reason}" if self.until else f"set aside: {self.reason}"


class AcceptedWeakness(msgspec.Struct, frozen=True, kw_only=True):
    """A weakness that somebody accepted, why, and until when; without an end where its own file accepts it."""

    weakness: Weakness
    reason: str
    until: str = ""

    @property
    def said(self) -> str:
        """The acceptance as a sentence."""
        return f"accepted until {self.until}: {self.reason}" if self.until else f"accepted in the file: {self.reason}"


class Feed(msgspec.Struct, frozen=True, kw_only=True):
    """An advisory feed that was used; `age_days` counts from its youngest record."""

    source: str
    records: int
    newest: str
    age_days: float


class Verdict(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whether it passes. `reasons` are sentences; `counted` are the keys of the findings and weaknesses that refuse it.

    `gaps_refuse` says that what could not be read refuses it too.
    """

    passed: bool = True
    reasons: tuple[str, ...] = ()
    counted: tuple[str, ...] = ()
    gaps_refuse: bool = False


class ScanResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One scan. Findings and weaknesses are worst first and without the accepted ones; `made` is RFC 3339; `size` in
    bytes.

    `configuration` holds what an engine runs the image with (user, ports, entrypoint, …), without values of variables.
    """

    name: str
    kind: str
    digest: str
    made: str
    lading: str
    inventory: ImageInventory
    platform: str = ""
    configuration: dict[str, Any] = {}
    layers: tuple[Layer, ...] = ()
    size: int = 0
    findings: tuple[Finding, ...] = ()
    accepted: tuple[Accepted, ...] = ()
    weaknesses: tuple[Weakness, ...] = ()
    accepted_weaknesses: tuple[AcceptedWeakness, ...] = ()
    # Sentences about acceptances that ended, and about files that were not checked.
    lapsed: tuple[str, ...] = ()
    violations: tuple[Violation, ...] = ()
    warnings: tuple[Violation, ...] = ()
    gaps: tuple[str, ...] = ()
    feeds: tuple[Feed, ...] = ()
    verdict: Verdict = Verdict()

    @property
    def by_severity(self) -> dict[str, int]:
        """How many findings of each severity, worst first."""
        counts: dict[str, int] = {}
        for one in sorted(self.findings, key=lambda one: -one.severity):
            counts[one.severity.label] = counts.get(one.severity.label, 0) + 1
        return counts


def settings_of(configuration: dict[str, Any]) -> dict[str, Any]:
    """The `config` of an image configuration as far as it is told: variables by their names only, for values may be
    secrets."""
    told = {
        "user": str(configuration.get("User") or ""),
        "ports": sorted(map(str, configuration.get("ExposedPorts") or {})),
        "entrypoint": _words(configuration.get("Entrypoint")),
        "command": _words(configuration.get("Cmd")),
        "directory": str(configuration.get("WorkingDir") or ""),
        "volumes": sorted(map(str, configuration.get("Volumes") or {})),
        "variables": sorted(one.partition("=")[0] for one in _words(configuration.get("Env"))),
        "health": _words((configuration.get("Healthcheck") or {}).get("Test")),
        "stop_signal": str(configuration.get("StopSignal") or ""),
    }
    return {key: value for key, value in told.items() if value}


def _words(value: Any) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else [str(value)] if value else []
