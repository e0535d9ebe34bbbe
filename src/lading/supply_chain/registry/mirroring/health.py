"""How upstreams are: whether one may be asked now, by any process, and what to do about failures.

    up --failure--> failing --rest is over--> one may try --answer--> up
    up --429, or nothing left--> throttled --its time is over--> one may try --answer--> up

Rests are kept in the database, so that no process asks an upstream that another was told to leave alone. They grow with
every failure in a row and are never the same twice.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any, Final

from lading.facts import Ledger
from lading.facts.kinds.mirroring import UpstreamFailed, UpstreamLied, UpstreamRecovered
from lading.kernel.clock import Clock, parse_timestamp, timestamp
from lading.state import Database, Transaction
from lading.supply_chain.registry.mirroring.errors import Throttled
from lading.supply_chain.registry.mirroring.quota import Quota
from lading.supply_chain.registry.mirroring.sql import writing as sql
from lading.supply_chain.registry.mirroring.sql.reading import health_row
from lading.supply_chain.registry.replication.pace import pause_after

_LEAST_REST: Final = 2.0
_MOST_REST: Final = 300.0
# How long the one who tries an upstream again is given before another may.
_TRIAL: Final = timedelta(seconds=60)
_MOST_WHY: Final = 500
_ACTOR: Final = "system:mirror"
_log: Final = logging.getLogger(__name__)


class Health:
    """How every upstream is. May be used from several threads and processes."""

    def __init__(self, database: Database, ledger: Ledger, clock: Clock) -> None:
        self._database = database
        self._ledger = ledger
        self._clock = clock
        self._rests: dict[str, datetime] = {}

    def guard(self, upstream: str) -> None:
        """Raises Throttled when this process was told, a moment ago, to leave an upstream alone; called per request."""
        until = self._rests.get(upstream)
        if until is not None and until > self._clock.now():
            raise Throttled(f"{upstream} is left alone until {timestamp(until)}.", until=until)

    def check(self, upstream: str) -> bool:
        """Whether the caller is the one who tries an upstream again after a rest; others may ask it as always.

        Raises:
            Throttled: it rests; says until when.
        """
        now = self._clock.now()
        with self._database.read() as tx:
            row = health_row(tx, upstream)
        if row is None or not resting(row, now):
            # The rest may have been ended by hand, in another process.
            self._rests.pop(upstream, None)
            if row is None or row.standing == "up":
                return False
        with self._database.write() as tx:
            row = sql.lock_health(tx, upstream, timestamp(now))
            if resting(row, now):
                raise _rests(row)
            if row.standing != "up":
                sql.change_health(tx, upstream, next_try=timestamp(now + _TRIAL))
        return bool(row.standing != "up")

    def answered(self, upstream: str, quota: Quota | None = None, *, trial: bool = False) -> None:
        """An upstream did what it was asked, and said what is left of a quota.

        A rest that somebody else was told to keep meanwhile ends only when its time is over, and a `trial` succeeds.
        """
        now = self._clock.now()
        with self._database.read() as tx:
            row = health_row(tx, upstream)
        if row is not None and row.standing == "up" and quota is None and not row.next_try:
            return
        with self._database.write() as tx:
            row = sql.lock_health(tx, upstream, timestamp(now))
            values: dict[str, Any] = {}
            if quota is not None:
                values |= {"quota": quota.limit, "quota_left": quota.left, "quota_window": quota.window}
            if trial or not resting(row, now):
                values |= {"failures": 0, "error": "", "next_try": ""}
                if row.standing != "up":
                    self._recover(tx, row, now)
                    values |= {"standing": "up", "since": timestamp(now)}
            if quota is not None and (rest := quota.rest()) is not None:
                self._rests[upstream] = now + rest
                values["next_try"] = max(row.next_try if resting(row, now) and not trial else "", timestamp(now + rest))
                values["error"] = "nothing is left of its quota"
            if values:
                sql.change_health(tx, upstream, **values)

    def count(self, upstream: str, size: int) -> None:
        """Count an image that came, with so many bytes."""
        with self._database.write() as tx:
            row = sql.lock_health(tx, upstream, timestamp(self._clock.now()))
            sql.change_health(tx, upstream, images=row.images + 1, bytes=row.bytes + size)

    def failed(self, upstream: str, why: str, *, trial: bool = False) -> None:
        """An upstream does not answer, or answers what it should not: it rests, each time longer."""
        now = self._clock.now()
        with self._database.write() as tx:
            row = sql.lock_health(tx, upstream, timestamp(now))
            rest = pause_after(row.failures + 1, least=_LEAST_REST, most=_MOST_REST)
            until = now + timedelta(seconds=rest)
            self._rest(tx, row, "failing", why, until, trial=trial, failed=row.failed + 1)

    def throttled(self, upstream: str, why: str, until: datetime | None, *, trial: bool = False) -> None:
        """An upstream wants to be asked later: at `until`, or when we think best where it did not say."""
        now = self._clock.now()
        with self._database.write() as tx:
            row = sql.lock_health(tx, upstream, timestamp(now))
            if until is None:
                until = now + timedelta(seconds=pause_after(row.failures + 1, least=5.0, most=_MOST_REST))
            self._rest(tx, row, "throttled", why, until, trial=trial, throttled=row.throttled + 1)

    def lied(self, upstream: str, repository: str, reference: str, why: str) -> None:
        """An upstream served something else than was asked for. It is not left alone for that: others may be whole."""
        now = timestamp(self._clock.now())
        fact = UpstreamLied(upstream=upstream, repository=repository, reference=reference, why=why[:_MOST_WHY])
        with self._database.write() as tx:
            row = sql.lock_health(tx, upstream, now)
            sql.change_health(tx, upstream, lied=row.lied + 1)
            self._ledger.append(tx, [fact], actor=_ACTOR)
        _log.warning("an upstream lied", extra={"upstream": upstream, "repository": repository, "why": why[:_MOST_WHY]})

    def _rest(
        self, tx: Transaction, row: Any, standing: str, why: str, until: datetime, *, trial: bool, **counts: int
    ) -> None:
        now = timestamp(self._clock.now())
        values: dict[str, Any] = {"failures": row.failures + 1, "error": why[:_MOST_WHY], **counts}
        # Somebody else may have been told to wait longer; the time that a trial was given is no such word.
        values["next_try"] = max("" if trial else row.next_try, timestamp(until))
        self._rests[row.upstream] = parse_timestamp(values["next_try"])
        if row.standing != standing:
            values |= {"standing": standing} | ({"since": now} if row.standing == "up" else {})
            fact = UpstreamFailed(
                upstream=row.upstream, standing=standing, why=why[:_MOST_WHY], until=values["next_try"]
            )
            self._ledger.append(tx, [fact], actor=_ACTOR)
        sql.change_health(tx, row.upstream, **values)
        _log.warning("an upstream rests", extra={"upstream": row.upstream, "standing": standing, "why": why[:300]})

    def _recover(self, tx: Transaction, row: Any, now: datetime) -> None:
        seconds = max(0.0, (now - parse_timestamp(row.since)).total_seconds())
        self._ledger.append(tx, [UpstreamRecovered(upstream=row.upstream, seconds=round(seconds, 1))], actor=_ACTOR)


def resting(row: Any, now: datetime) -> bool:
    """Whether an upstream is to be left alone now."""
    return str(row.next_try) > timestamp(now)


def _rests(row: Any) -> Throttled:
    return Throttled(
        f"{row.upstream} is left alone until {row.next_try}: {row.error or 'somebody tries it again'}.",
        until=parse_timestamp(row.next_try),
        remedy="See `lading registry mirror status`.",
    )
