"""The strategy follows the ledger and counts."""

from __future__ import annotations

from collections.abc import Sequence

from lading.facts import Entry
from lading.facts.kinds.orchestration import EngineConnected
from lading.facts.kinds.reports import ReportAttached, ReportRepeated
from lading.facts.kinds.supply_chain import ImageBuilt
from lading.facts.kinds.system import ToolSeen
from lading.kernel.clock import timestamp
from lading.state import Transaction
from lading.strategy.evidence import sql


class EvidenceFollower:
    """Counts every kind of fact and keeps the tools that took part."""

    name = "strategy"
    kinds: Sequence[str] | None = None

    def apply(self, tx: Transaction, entries: Sequence[Entry]) -> None:
        """Count `entries`; the cursor moves in the same transaction, so each counts once."""
        last: dict[str, Entry] = {}
        times: dict[str, int] = {}
        for entry in entries:
            kind = entry.fact.kind()
            last[kind] = entry
            times[kind] = times.get(kind, 0) + 1
            self._tool(tx, entry)
        for kind, entry in last.items():
            sql.count(tx, kind, times[kind], entry.seq, timestamp(entry.at), str(entry.subject))

    def _tool(self, tx: Transaction, entry: Entry) -> None:
        at = timestamp(entry.at)
        match entry.fact:
            case ToolSeen(name=name, role=role, version=version):
                sql.keep_tool(tx, sql.Tool(name=name, role=role, version=version, at=at))
            case ReportAttached(tool=name, version=version, report_kind=kind):
                sql.keep_tool(tx, sql.Tool(name=name, role=f"report of {kind}", version=version, at=at))
            case ReportRepeated(tool=name, seconds=seconds):
                sql.add_waste(tx, name, seconds)
            case EngineConnected(engine=name, version=version):
                sql.keep_tool(tx, sql.Tool(name=name, role="engine", version=version, at=at))
            case ImageBuilt(builder=builder):
                name, _, version = builder.partition(" (")
                sql.keep_tool(tx, sql.Tool(name=name, role="builder", version=version.rstrip(")"), at=at))
