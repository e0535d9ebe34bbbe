"""How far behind each target is, and what would be lost if this region were gone now.

The lag of a target is the age of the oldest fact that it does not have, planned or not. Its RPO is the worst of the lag
now and of how long anything waited within the last hour or so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import msgspec

from lading.facts import Ledger
from lading.facts.follower import cursor_of
from lading.kernel.clock import Clock, timestamp
from lading.state import Database, Transaction
from lading.supply_chain.registry.replication.planning import Lane
from lading.supply_chain.registry.replication.registers import KINDS, microseconds
from lading.supply_chain.registry.replication.sql import registers as registers_sql
from lading.supply_chain.registry.replication.sql import targets as sql
from lading.supply_chain.registry.replication.targets import Target, Targets

_MOST_SHOWN: Final = 20


class TargetStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How a target stands. Seconds; `urgent` of the `waiting` items are revocations; `refused` were tried in vain."""

    target: str
    kind: str
    url: str
    standing: str
    lag: float
    rpo: float
    waiting: int
    urgent: int
    refused: int
    delay: float
    items: int
    bytes: int
    failures: int
    next_try: str
    error: str
    problems: tuple[str, ...]


class Standings:
    """Reads how replication stands."""

    def __init__(self, database: Database, ledger: Ledger, targets: Targets, clock: Clock) -> None:
        self._database = database
        self._ledger = ledger
        self._targets = targets
        self._clock = clock

    def targets(self) -> list[TargetStatus]:
        """Every target, by name."""
        targets = self._targets.all()
        with self._database.read() as tx:
            return [self._status(tx, target) for target in targets]

    def conflicts(self, limit: int = _MOST_SHOWN) -> list[dict[str, Any]]:
        """Conflicts about tags that were resolved here, the latest first."""
        with self._database.read() as tx:
            rows = registers_sql.latest_conflicts(tx, limit)
        return [
            {
                "at": row.at,
                "repository": row.repository,
                "tag": row.tag,
                "kept": row.kept,
                "kept_region": row.kept_region,
                "lost": row.lost,
                "lost_region": row.lost_region,
            }
            for row in rows
        ]

    def _status(self, tx: Transaction, target: Target) -> TargetStatus:
        now = self._clock.now()
        waiting: Mapping[int, Any] = {row.lane: row for row in sql.waiting(tx, target.name)}
        oldest = [int(row.oldest) for row in waiting.values()]
        unplanned = self._ledger.read(tx, after=cursor_of(tx, target.follower), limit=1, kinds=KINDS)
        oldest += [microseconds(entry.at) for entry in unplanned]
        lag = max(0.0, (microseconds(now) - min(oldest)) / 1e6) if oldest else 0.0
        late = sql.delays_since(tx, target.name, timestamp(now - timedelta(hours=1))[:13])
        sent = int(late.items)
        return TargetStatus(
            target=target.name,
            kind=target.kind,
            url=target.url,
            standing=target.standing,
            lag=round(lag, 3),
            rpo=round(max(lag, int(late.worst_us) / 1e6), 3),
            waiting=sum(int(row.items) for row in waiting.values()),
            urgent=int(waiting[Lane.URGENT].items) if Lane.URGENT in waiting else 0,
            refused=sum(int(row.failed) for row in waiting.values()),
            delay=round(int(late.total_us) / 1e6 / sent, 3) if sent else 0.0,
            items=target.items,
            bytes=target.bytes,
            failures=target.failures,
            next_try=target.next_try,
            error=target.error,
            problems=tuple(f"{row.kind} {row.name}: {row.error}" for row in _failing(tx, target)),
        )

    def metrics(self) -> list[str]:
        """Prometheus lines, in the text exposition format."""
        found = self.targets()
        with self._database.read() as tx:
            conflicts = registers_sql.count_conflicts(tx)
        lines: list[str] = []
        for name, kind, meaning, values in (
            ("lag_seconds", "gauge", "Age of the oldest fact that a target does not have.", [s.lag for s in found]),
            ("rpo_seconds", "gauge", "Most that was ever behind within an hour.", [s.rpo for s in found]),
            ("items_waiting", "gauge", "Items that a target does not have.", [s.waiting for s in found]),
            ("revocations_waiting", "gauge", "Revocations that a target does not have.", [s.urgent for s in found]),
            ("items_refused", "gauge", "Items that were tried in vain.", [s.refused for s in found]),
            ("items_total", "counter", "Items that a target got.", [s.items for s in found]),
            ("bytes_total", "counter", "Bytes of blobs that a target got.", [s.bytes for s in found]),
            ("failures", "gauge", "Failures of a target in a row.", [s.failures for s in found]),
        ):
            lines += _metric(name, kind, meaning, [s.target for s in found], values)
        lines += [
            "# HELP lading_replication_conflicts_total Tags that were moved in two regions at once.",
            "# TYPE lading_replication_conflicts_total counter",
            f"lading_replication_conflicts_total {conflicts}",
        ]
        return lines


def _metric(name: str, kind: str, meaning: str, targets: Sequence[str], values: Sequence[float]) -> list[str]:
    full = f"lading_replication_{name}"
    rows = [f'{full}{{target="{target}"}} {value}' for target, value in zip(targets, values, strict=True)]
    return [f"# HELP {full} {meaning}", f"# TYPE {full} {kind}", *rows]


def _failing(tx: Transaction, target: Target) -> Sequence[Any]:
    return sql.failing_items(tx, target.name, _MOST_SHOWN)
