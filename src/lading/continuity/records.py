"""What was done and how it ended, in rows and facts; and whether that is well."""

from __future__ import annotations

import platform
from datetime import timedelta
from typing import Any, Final

import msgspec

from lading.continuity.sql import tables
from lading.facts import Fact, Ledger
from lading.facts.kinds.continuity import BackupFailed, RestoreDrilled
from lading.kernel.clock import Clock, parse_timestamp, timestamp
from lading.kernel.ids import new_id
from lading.state import Database, Transaction

CREATE: Final = "create"
VERIFY: Final = "verify"
DRILL: Final = "drill"
WORKS: Final = (CREATE, VERIFY, DRILL)
_KEPT: Final = timedelta(days=400)
# A plan is late when nothing succeeded for twice its interval and a quarter of an hour.
_GRACE: Final = timedelta(minutes=15)


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of work."""

    id: str
    work: str
    started: str
    ended: str
    outcome: str
    backup: str
    at: str
    figures: dict[str, Any]
    why: str


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """How one kind of work stands: ok, never, late, failed, incomplete or running, and what that means."""

    work: str
    state: str
    says: str
    age_seconds: float | None = None
    every_seconds: int = 0
    due: str = ""
    last: Run | None = None


class Records:
    """The memory of one Lading's backups."""

    def __init__(self, database: Database, ledger: Ledger, clock: Clock) -> None:
        self._database = database
        self._ledger = ledger
        self._clock = clock

    def begin(self, work: str) -> str:
        """Keep that work begins; returns its id."""
        run, now = new_id(), self._clock.now()
        values = {"id": run, "work": work, "host": platform.node(), "started": timestamp(now), "outcome": "running"}
        with self._database.write() as tx:
            tables.insert_run(tx, values | {"figures": b"{}"})
            tables.drop_old_runs(tx, timestamp(now - _KEPT))
        return run

    def succeeded(self, run: str, facts: list[Fact], *, actor: str, **values: Any) -> None:
        """Keep that work succeeded, with its facts."""
        with self._database.write() as tx:
            self._end(tx, run, "succeeded", values)
            self._ledger.append(tx, facts, actor=actor)

    def failed(self, run: str, work: str, why: str, *, actor: str, backup: str = "") -> None:
        """Keep that work failed, and why."""
        facts: list[Fact] = [BackupFailed(backup=backup, work=work, why=why[:500])]
        if work == DRILL:
            facts.append(
                RestoreDrilled(
                    backup=backup, outcome="failed", at="", rto_seconds=0, rpo_seconds=0, compared=0, bytes=0,
                    entries=0, why=why[:500],
                )
            )  # fmt: skip
        with self._database.write() as tx:
            if self._end(tx, run, "failed", {"why": why[:500], "backup": backup}):
                self._ledger.append(tx, facts, actor=actor)

    def note(self, facts: list[Fact], *, actor: str) -> None:
        """Keep facts that belong to no run."""
        with self._database.write() as tx:
            self._ledger.append(tx, facts, actor=actor)

    def abandon(self, *, actor: str) -> int:
        """Say of everything that still runs on this machine that it did not end: the process that did it is gone."""
        with self._database.read() as tx:
            left = [(row.id, row.work) for row in tables.running(tx, platform.node())]
        for run, work in left:
            self.failed(run, work, "the process ended before the work did", actor=actor)
        return len(left)

    def repository(self) -> str:
        """The id of the repository that the last good backup went into."""
        with self._database.read() as tx:
            return tables.last_repository(tx)

    def runs(self, work: str = "", limit: int = 20) -> list[Run]:
        """The youngest pieces of work, youngest first."""
        with self._database.read() as tx:
            return [_run(row) for row in tables.recent(tx, work, limit)]

    def health(self) -> list[Health]:
        """How every kind of work stands."""
        with self._database.read() as tx:
            plans = {row.work: row for row in tables.all_plans(tx)}
            return [self._health(tx, work, plans.get(work)) for work in WORKS]

    def _health(self, tx: Transaction, work: str, plan: Any) -> Health:
        every = int(plan.every_seconds) if plan else 0
        latest = next(iter(tables.recent(tx, work, 1)), None)
        good = tables.last(tx, work, "succeeded")
        since = (good.at or good.started) if good else ""
        age = (self._clock.now() - parse_timestamp(since)).total_seconds() if since else None
        state, says = self._judge(work, every, latest, good, age)
        shown = _run(latest) if latest else None
        due = str(plan.due) if plan else ""
        return Health(work=work, state=state, says=says, age_seconds=age, every_seconds=every, due=due, last=shown)

    def _judge(self, work: str, every: int, latest: Any, good: Any, age: float | None) -> tuple[str, str]:
        if latest is not None and latest.outcome == "failed":
            return "failed", f"the last {work} failed: {latest.why}"
        if latest is not None and latest.outcome == "running" and age is None:
            return "running", f"the first {work} is under way"
        if age is None:
            return "never", f"no {work} was ever done"
        missing = msgspec.json.decode(good.figures).get("missing", 0) if good else 0
        if missing:
            return "incomplete", f"the last {work} has all but {missing} items that storage had lost"
        if every and age > 2 * every + _GRACE.total_seconds():
            return "late", f"the last good {work} is {age / 3600:.1f} hours old, and one is due every {every} s"
        return "ok", f"the last good {work} is {age / 3600:.1f} hours old"

    def _end(self, tx: Transaction, run: str, outcome: str, values: dict[str, Any]) -> bool:
        figures = msgspec.json.encode(values.pop("figures", {}))
        ended = {"ended": timestamp(self._clock.now()), "outcome": outcome, "figures": figures}
        return tables.end_run(tx, run, ended | values)


def _run(row: Any) -> Run:
    return Run(
        id=row.id,
        work=row.work,
        started=row.started,
        ended=row.ended,
        outcome=row.outcome,
        backup=row.backup,
        at=row.at,
        figures=msgspec.json.decode(row.figures),
        why=row.why,
    )
