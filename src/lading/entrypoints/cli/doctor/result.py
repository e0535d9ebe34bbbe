"""What one check answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One line of the report.

    `fail`: Lading cannot do its main job. `warn`: a named part of it will not work, or not as well. `mend` is what to
    do, empty when all is well.
    """

    name: str
    status: Status
    found: str
    mend: str = ""


def ok(name: str, found: str) -> CheckResult:
    """All is well."""
    return CheckResult(name, "ok", found)


def warn(name: str, found: str, mend: str) -> CheckResult:
    """Something that a part of Lading needs is missing."""
    return CheckResult(name, "warn", found, mend)


def fail(name: str, found: str, mend: str) -> CheckResult:
    """Something that the main job needs is missing."""
    return CheckResult(name, "fail", found, mend)
