"""Findings as they count: each with the youngest statement about it, set aside when that says it does not matter."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from lading.kernel.clock import Clock, timestamp
from lading.state import Database, Transaction
from lading.supply_chain.match.finding import Applied, Finding
from lading.supply_chain.match.ports import ImageHomes
from lading.supply_chain.match.vex.statement import Homes, Statement
from lading.supply_chain.match.vex.vex_sql import VexStore


class SettingAside:
    """Applies statements to findings."""

    def __init__(self, database: Database, homes: ImageHomes, clock: Clock) -> None:
        self._database = database
        self._homes = homes
        self._clock = clock
        self._store = VexStore()

    def statements(self, tx: Transaction, found: Iterable[Finding]) -> list[Statement]:
        """What is said now about any of the findings."""
        some = list(found)
        if not some:
            return []
        names = sorted({name for one in some for name in one.names})
        return self._store.about(tx, names, timestamp(self._clock.now()))

    def applied(self, image: str, found: Iterable[Finding], statements: Sequence[Statement]) -> list[Finding]:
        """The findings of an image, with what is said of them; to be called outside of any transaction."""
        some = list(found)
        if not statements:
            return some
        homes = self._homes.homes(image) if any(one.needs_homes for one in statements) else ()
        return with_statements(image, some, statements, homes)

    def concerned(self, tx: Transaction, images: Sequence[str]) -> set[str]:
        """Those of the images for which some statement may count."""
        return self._store.concerned(tx, images, timestamp(self._clock.now()))


def with_statements(
    image: str, found: Iterable[Finding], statements: Sequence[Statement], homes: Homes
) -> list[Finding]:
    """The findings of an image that is kept in `homes`, with what is said of them."""
    by_name: dict[str, list[Statement]] = {}
    for statement in statements:
        for name in statement.names:
            by_name.setdefault(name, []).append(statement)
    return [
        _decided(one, [said for name in one.names for said in by_name.get(name, ()) if said.covers(one, image, homes)])
        for one in found
    ]


def _decided(finding: Finding, statements: Sequence[Statement]) -> Finding:
    """The finding, with the statement that decides about it."""
    if not statements:
        return finding
    decides = max(statements, key=lambda one: one.order)
    said = Applied(
        status=decides.status,
        sets_aside=decides.sets_aside,
        justification=decides.justification,
        impact=decides.impact,
        author=decides.author,
        made=decides.made,
        until=decides.until,
        document=decides.document,
        statement=decides.id,
    )
    return msgspec.structs.replace(finding, vex=said)
