"""Which capability is covered: it is when its evidence was seen within the window, and says so by entry number."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import msgspec

from lading.kernel.clock import Clock, parse_timestamp
from lading.state import Database
from lading.strategy.catalogue.catalogue import Capability, catalogue
from lading.strategy.evidence.sql import Seen, Tool, Waste, all_waste, everything

WINDOW: Final = timedelta(days=30)


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A capability and its coverage: `covered` (all its evidence was seen), `partial` (some of it) or `gap`."""

    id: str
    area: str
    title: str
    coverage: str
    evidence: tuple[Seen, ...]
    missing: tuple[str, ...]
    status: str
    note: str


class Duplicate(msgspec.Struct, frozen=True, kw_only=True):
    """Several tools in one role."""

    role: str
    tools: tuple[str, ...]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The whole analysis."""

    rows: tuple[Row, ...]
    tools: tuple[Tool, ...]
    duplicates: tuple[Duplicate, ...]
    waste: tuple[Waste, ...] = ()

    def count(self, coverage: str) -> int:
        """How many capabilities have this coverage."""
        return sum(row.coverage == coverage for row in self.rows)


def report(database: Database, clock: Clock, window: timedelta = WINDOW) -> Report:
    """Hold the catalogue against the evidence of the last `window`."""
    with database.read() as tx:
        kinds, tools = everything(tx)
        waste = all_waste(tx)
    since = clock.now() - window
    live = {kind: item for kind, item in kinds.items() if parse_timestamp(item.at) >= since}
    rows = tuple(_row(area.area, capability, live) for area in catalogue() for capability in area.capabilities)
    roles: dict[str, list[str]] = {}
    for tool in tools:
        roles.setdefault(tool.role, []).append(tool.name)
    duplicates = tuple(
        Duplicate(role=role, tools=tuple(names)) for role, names in sorted(roles.items()) if len(names) > 1
    )
    return Report(rows=rows, tools=tuple(tools), duplicates=duplicates, waste=tuple(waste))


def _row(area: str, capability: Capability, live: dict[str, Seen]) -> Row:
    evidence = tuple(live[kind] for kind in capability.evidence if kind in live)
    missing = tuple(kind for kind in capability.evidence if kind not in live)
    # What Lading does in part cannot be covered in full by it, however much was seen of that part.
    complete = bool(evidence) and not missing and capability.status == "works"
    coverage = "covered" if complete else "partial" if evidence else "gap"
    return Row(
        id=capability.id,
        area=area,
        title=capability.title,
        coverage=coverage,
        evidence=evidence,
        missing=missing,
        status=capability.status,
        note=capability.note,
    )
