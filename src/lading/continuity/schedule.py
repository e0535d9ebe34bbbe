"""What is to be done when: plans in the database, so that one of several workers does each, once."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import msgspec

from lading.continuity.records import WORKS
from lading.continuity.sql import tables
from lading.facts import Ledger
from lading.facts.kinds.continuity import BackupScheduled
from lading.kernel.clock import Clock, parse_timestamp, timestamp
from lading.kernel.errors import InvalidInput
from lading.state import Database

SHORTEST: Final = 60
LONGEST: Final = 366 * 86_400


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of work, how often, and when next."""

    work: str
    every_seconds: int
    due: str
    who: str


class Schedule:
    """The plans of one Lading."""

    def __init__(self, database: Database, ledger: Ledger, clock: Clock) -> None:
        self._database = database
        self._ledger = ledger
        self._clock = clock

    def set(self, work: str, every_seconds: int, *, actor: str) -> None:
        """Do work every so many seconds, the first time at once; 0: not any more.

        Raises:
            InvalidInput: there is no such work, or the interval is below a minute or above a year.
        """
        if work not in WORKS:
            raise InvalidInput(f"{work[:40]!r} cannot be scheduled.", remedy=f"Name one of: {', '.join(WORKS)}.")
        if every_seconds and not SHORTEST <= every_seconds <= LONGEST:
            raise InvalidInput(f"Every {every_seconds} s is too often or too seldom.", remedy="Say 1m to 366d.")
        with self._database.write() as tx:
            now = timestamp(self._clock.now())
            if every_seconds:
                tables.save_plan(tx, {"work": work, "every_seconds": every_seconds, "due": now, "who": actor})
            elif not tables.delete_plan(tx, work):
                return
            self._ledger.append(tx, [BackupScheduled(backup="", work=work, every_seconds=every_seconds)], actor=actor)

    def plans(self) -> list[Plan]:
        """Every plan, by work."""
        with self._database.read() as tx:
            return [
                Plan(work=row.work, every_seconds=row.every_seconds, due=row.due, who=row.who)
                for row in tables.all_plans(tx)
            ]

    def claim(self) -> list[str]:
        """The works that are due, for the caller to do; each is due again after its interval.

        What was missed while no server ran is done once, not once for each time it was missed.
        """
        now = self._clock.now()
        due = [plan for plan in self.plans() if parse_timestamp(plan.due) <= now]
        taken = []
        for plan in due:
            following = timestamp(now + timedelta(seconds=plan.every_seconds))
            with self._database.write() as tx:
                if tables.claim_due(tx, plan.work, plan.due, following):
                    taken.append(plan.work)
        return taken
