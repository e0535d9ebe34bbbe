"""VEX documents for a scan: whoever gives one says that it is about what is scanned, so only its products narrow it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from lading.kernel.errors import InvalidInput
from lading.kernel.reference import Reference
from lading.supply_chain.match.errors import VexInvalid
from lading.supply_chain.match.finding import Finding
from lading.supply_chain.match.setting_aside import with_statements
from lading.supply_chain.match.vex.reading import MOST_BYTES, read_document
from lading.supply_chain.match.vex.statement import Scope, Statement
from lading.supply_chain.report.result import Accepted
from lading.supply_chain.scan.errors import TargetInvalid

_EVERYWHERE: Final = Scope(repositories=("*",))
_LASTING: Final = timedelta(days=1)


def read_vex(paths: Sequence[Path], now: datetime) -> tuple[Statement, ...]:
    """The statements of OpenVEX and CycloneDX documents.

    Raises:
        TargetInvalid: one cannot be read or is none; says which and why.
    """
    found: list[Statement] = []
    for path in paths:
        try:
            with path.open("rb") as file:
                raw = file.read(MOST_BYTES + 1)
            found += read_document(raw, scope=_EVERYWHERE, until=now + _LASTING, now=now)
        except OSError as error:
            raise TargetInvalid(f"The VEX document {path} cannot be read: {error.strerror}.") from error
        except VexInvalid as error:
            raise TargetInvalid(f"{path}: {error.what}", remedy=error.remedy) from error
    return tuple(found)


def set_aside(
    image: str, name: str, findings: Sequence[Finding], statements: Sequence[Statement]
) -> tuple[list[Finding], tuple[Accepted, ...]]:
    """The findings that count, with what is said of them, and those that statements set aside."""
    if not statements:
        return list(findings), ()
    try:
        home = Reference.parse(name).path
    except InvalidInput:
        home = name
    said = with_statements(image, findings, statements, [(home, "")])
    aside = tuple(Accepted(finding=one, reason=_reason(one)) for one in said if one.is_set_aside)
    return [one for one in said if not one.is_set_aside], aside


def _reason(finding: Finding) -> str:
    said = finding.vex
    if said is None:
        return ""
    return f"{said.status}, {said.justification or said.impact or 'as it says'} ({said.author or 'nobody named'})"
