"""Send to one target what it lacks, and know how it stands.

An item goes when its target has it, not before; one that changed meanwhile stays. When the target as a whole fails, all
of its lanes rest, each time longer; the lane of revocations never rests long. When one thing fails, only that thing
waits.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, Final

from lading.facts import Ledger
from lading.facts.follower import cursor_of
from lading.facts.kinds.replication import ReplicationCaughtUp, ReplicationFailed
from lading.kernel.clock import Clock, parse_timestamp, timestamp
from lading.kernel.errors import LadingError, Unavailable
from lading.state import Database
from lading.supply_chain.registry.errors import RemoteDenied
from lading.supply_chain.registry.replication.pace import pause_after
from lading.supply_chain.registry.replication.planning import Lane
from lading.supply_chain.registry.replication.registers import KINDS, microseconds
from lading.supply_chain.registry.replication.snapshot import Thing
from lading.supply_chain.registry.replication.sql import targets as sql
from lading.supply_chain.registry.replication.stamps import Kind
from lading.supply_chain.registry.replication.targets import Target
from lading.supply_chain.registry.replication.way import End, Said, Way

_AT_ONCE: Final = 100
_CARRIED_AT_ONCE: Final = 4
_MOST_CARRIED: Final = 200
_IDLE_SECONDS: Final = 0.1
_SOON: Final = timedelta(seconds=1)
_MOST_REST: Final = {Lane.URGENT: 3.0, Lane.BULK: 60.0}
_MOST_ITEM_REST: Final = 600.0
_KEPT_DELAYS: Final = timedelta(days=30)
_ACTOR: Final = "system:replication"
_log: Final = logging.getLogger(__name__)


class Sender:
    """Sends to one target, in lanes that do not wait for each other."""

    def __init__(
        self, target: Target, ways: Mapping[Lane, Way], *, database: Database, ledger: Ledger, clock: Clock
    ) -> None:
        self.target = target
        self._ways = ways
        self._database = database
        self._ledger = ledger
        self._clock = clock
        self._carrying: set[Thing] = set()
        self._lock = threading.Lock()
        self._rest: dict[Lane, float] = dict.fromkeys(Lane, 0.0)
        self._failures: dict[Lane, int] = dict.fromkeys(Lane, 0)
        self._sent = [0, 0]

    # The loops

    def run(self, lane: Lane, stop: threading.Event) -> None:
        """Send what waits in a lane until told to stop."""
        pool = ThreadPoolExecutor(_CARRIED_AT_ONCE, f"carry-{self.target.name}")
        try:
            while not stop.is_set():
                if not self.rests(lane) and self.round(lane, pool) > 0:
                    continue
                stop.wait(_IDLE_SECONDS)
        finally:
            pool.shutdown(cancel_futures=True)
            with self._lock:
                self._carrying.clear()

    def round(self, lane: Lane, pool: ThreadPoolExecutor | None = None) -> int:
        """Send once what waits in a lane and may be tried; returns how much was settled.

        What has to be carried is carried by `pool`, or at once where there is none.
        """
        rows = self._due(lane)
        if not rows:
            if lane is Lane.BULK:
                self._note_caught_up()
            return 0
        things = {Thing(Kind(row.kind), row.name): row for row in rows}
        try:
            ends = self._ways[lane].tell(list(things))
        except LadingError as error:
            if not _is_targets_fault(error) and len(rows) > 1:
                return sum(self._alone(lane, row) for row in rows)
            self._failed(lane, rows, error)
            return 0
        self._reached(lane)
        settled = self._settle(things, ends)
        for thing, said in ends.items():
            if said.end is End.CARRY or said.first is not None:
                self._submit(lane, said.first or thing, things.get(said.first or thing), pool)
        return settled

    def _alone(self, lane: Lane, row: Any) -> int:
        """Try one thing of a batch that was refused as a whole."""
        thing = Thing(Kind(row.kind), row.name)
        try:
            return self._settle({thing: row}, self._ways[lane].tell([thing]))
        except LadingError as error:
            self._failed(lane, [row], error)
            return 0

    def _submit(self, lane: Lane, thing: Thing, row: Any, pool: ThreadPoolExecutor | None) -> None:
        with self._lock:
            if thing in self._carrying or len(self._carrying) >= _MOST_CARRIED:
                return
            self._carrying.add(thing)
        if pool is None:
            self._carry(lane, thing, row)
        else:
            pool.submit(self._carry, lane, thing, row)

    def _carry(self, lane: Lane, thing: Thing, row: Any) -> None:
        try:
            if self.rests(lane):
                return
            carried = self._ways[lane].carry(thing)
        except LadingError as error:
            self._failed(lane, [row] if row is not None else [], error)
        except Exception as error:  # noqa: BLE001 - one thing must not end the others
            _log.exception("carrying failed unexpectedly", extra={"target": self.target.name, "thing": thing.name})
            self._delay([(row, f"a fault of Lading: {type(error).__name__}")] if row is not None else [])
        else:
            self._reached(lane)
            if row is not None:
                self._settle({thing: row}, {thing: carried.said}, carried.bytes)
            else:
                self._count([], carried.bytes)
            if thing.kind is Kind.MANIFEST:
                self._hurry_tags(thing.name.partition("@")[0])
        finally:
            with self._lock:
                self._carrying.discard(thing)

    # What waits

    def rests(self, lane: Lane) -> bool:
        """Whether a lane rests after a failure."""
        if self._clock.monotonic() >= self._rest[lane]:
            return False
        # `run` on the command line ends a rest.
        with self._database.read() as tx:
            row = sql.target(tx, self.target.name)
        return row is not None and row.next_try > timestamp(self._clock.now())

    def _due(self, lane: Lane) -> Sequence[Any]:
        with self._lock:
            busy = set(self._carrying)
        with self._database.read() as tx:
            now = timestamp(self._clock.now())
            rows = sql.due_items(tx, self.target.name, lane, now, _AT_ONCE + len(busy))
        # With enough to carry, only what takes no content is looked at.
        full = len(busy) >= _MOST_CARRIED
        return [
            row
            for row in rows
            if Thing(Kind(row.kind), row.name) not in busy and not (full and row.kind == Kind.MANIFEST)
        ]

    def _hurry_tags(self, repository: str) -> None:
        with self._database.write() as tx:
            for row in sql.waiting_tags(tx, self.target.name, repository):
                if not row.error:
                    sql.delay_item(tx, row, "", "", row.attempts)

    # What became of it

    def _settle(self, things: Mapping[Thing, Any], ends: Mapping[Thing, Said], size: int = 0) -> int:
        """Drop what the target has, and see that the rest is tried again."""
        settled = [things[thing] for thing, said in ends.items() if said.end is End.SETTLED]
        self._count(settled, size)
        again: list[tuple[Any, str]] = []
        soon: list[Any] = []
        for thing, said in ends.items():
            if said.end is End.REFUSED or (said.end is End.LATER and said.first is None):
                again.append((things[thing], said.why))
            elif said.end is End.LATER:
                soon.append(things[thing])
        self._delay(again)
        if soon:
            due = timestamp(self._clock.now() + _SOON)
            with self._database.write() as tx:
                for row in soon:
                    sql.delay_item(tx, row, due, "", row.attempts)
        return len(settled)

    def _count(self, settled: Sequence[Any], size: int) -> None:
        if not settled and not size:
            return
        now = self._clock.now()
        with self._database.write() as tx:
            if sql.target(tx, self.target.name) is None:
                return
            gone = [row for row in settled if sql.drop_item(tx, row)]
            waited = [max(0, microseconds(now) - row.since) for row in gone]
            sql.count_delay(tx, self.target.name, timestamp(now)[:13], waited)
            sql.count_sent(tx, self.target.name, len(gone), size)
        with self._lock:
            self._sent[0] += len(gone)
            self._sent[1] += size

    def _delay(self, rows: Sequence[tuple[Any, str]]) -> None:
        if not rows:
            return
        with self._database.write() as tx:
            for row, why in rows:
                rest = pause_after(row.attempts + 1, least=1.0, most=_MOST_ITEM_REST)
                due = timestamp(self._clock.now() + timedelta(seconds=rest))
                sql.delay_item(tx, row, due, why, row.attempts + 1)

    def _failed(self, lane: Lane, rows: Sequence[Any], error: LadingError) -> None:
        """Let the target rest when it is at fault, else the things alone."""
        if not _is_targets_fault(error):
            self._delay([(row, str(error)) for row in rows])
            return
        self._failures[lane] += 1
        rest = pause_after(self._failures[lane], least=0.5, most=_MOST_REST[lane])
        self._rest[lane] = self._clock.monotonic() + rest
        now = self._clock.now()
        with self._database.write() as tx:
            row = sql.target(tx, self.target.name, for_update=True)
            if row is None:
                return
            values = {
                "failures": row.failures + 1,
                "error": str(error)[:500],
                "next_try": timestamp(now + timedelta(seconds=rest)),
            }
            if row.standing != "failing":
                values |= {"standing": "failing"} | ({"behind_since": timestamp(now)} if not row.behind_since else {})
                waiting = sum(int(item.items) for item in sql.waiting(tx, self.target.name))
                fact = ReplicationFailed(target=self.target.name, why=str(error)[:500], waiting=waiting)
                self._ledger.append(tx, [fact], actor=_ACTOR)
            sql.change_target(tx, self.target.name, **values)
        _log.warning("a target failed", extra={"target": self.target.name, "error": str(error)[:300]})

    def _reached(self, lane: Lane) -> None:
        """The target answers: no lane needs to rest."""
        if not any(self._failures.values()):
            return
        for one in Lane:
            self._failures[one], self._rest[one] = 0, 0.0
        del lane
        with self._database.write() as tx:
            sql.change_target(tx, self.target.name, failures=0, error="", next_try="")

    def _note_caught_up(self) -> None:
        """State that a target that was new or failed has everything now."""
        with self._database.read() as tx:
            row = sql.target(tx, self.target.name)
            if row is None or row.standing == "following" or sql.waiting(tx, self.target.name):
                return
            after = cursor_of(tx, self.target.follower)
            if self._ledger.read(tx, after=after, limit=1, kinds=KINDS):
                return
        now = self._clock.now()
        with self._lock:
            (items, size), self._sent = self._sent, [0, 0]
        with self._database.write() as tx:
            row = sql.target(tx, self.target.name, for_update=True)
            if row is None or row.standing == "following":
                return
            since = parse_timestamp(row.behind_since) if row.behind_since else now
            seconds = round((now - since).total_seconds(), 3)
            fact = ReplicationCaughtUp(target=self.target.name, seconds=seconds, items=items, bytes=size)
            values = {"standing": "following", "behind_since": "", "failures": 0, "error": "", "next_try": ""}
            sql.change_target(tx, self.target.name, **values)
            sql.forget_delays(tx, self.target.name, timestamp(now - _KEPT_DELAYS)[:13])
            self._ledger.append(tx, [fact], actor=_ACTOR)
        _log.info("a target caught up", extra={"target": self.target.name, "items": items, "seconds": seconds})


def _is_targets_fault(error: LadingError) -> bool:
    """Whether everything else would fail too: nobody answers, or we are not let in."""
    return isinstance(error, Unavailable | RemoteDenied)
