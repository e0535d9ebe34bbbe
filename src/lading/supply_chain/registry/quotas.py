"""How much a team's repositories may hold. A blob counts once in each repository that has it, as its clients see it."""

from __future__ import annotations

import msgspec

from lading.facts import Ledger
from lading.facts.kinds.collecting import QuotaChanged
from lading.kernel.errors import InvalidInput
from lading.state import Database, Transaction
from lading.supply_chain.registry.errors import QuotaExceeded
from lading.supply_chain.registry.sql import usage as sql
from lading.supply_chain.registry.sql import writing


class Quota(msgspec.Struct, frozen=True, kw_only=True):
    """What a team holds and may hold, in bytes; `most` is -1 for no limit."""

    team: str
    used: int
    most: int


class Quotas:
    """The quotas of all teams."""

    def __init__(self, database: Database, ledger: Ledger) -> None:
        self._database = database
        self._ledger = ledger

    def set(self, team: str, most: int, *, actor: str) -> None:
        """Let a team hold at most so many bytes; -1 for as many as it likes. What it holds already stays."""
        if most < -1:
            raise InvalidInput(f"{most} is no number of bytes.", remedy="Give 0 or more, or -1 for no limit.")
        with self._database.write() as tx:
            writing.set_quota(tx, team, most)
            self._ledger.append(tx, [QuotaChanged(team=team, bytes=most)], actor=actor)

    def all(self) -> list[Quota]:
        """Every team that has a repository or a quota, the fullest first."""
        with self._database.read() as tx:
            rows = sql.quota_rows(tx)
        return [
            Quota(team=row.team, used=int(row.used or 0), most=-1 if row.most is None else row.most) for row in rows
        ]


def check_quota(tx: Transaction, team: str) -> None:
    """Raises QuotaExceeded when a team holds more than it may."""
    row = sql.quota_of(tx, team)
    if row is not None and row.used > row.most:
        most, used = int(row.most) / 1e6, int(row.used) / 1e6
        raise QuotaExceeded(
            f"Team {team} may store {most:,.1f} MB and would store {used:,.1f} MB.",
            remedy="Delete images (`lading image rm`), set a rule of retention, or ask an admin for a larger quota.",
        )
