"""Who wants which image of an upstream: a table, so that wishes from every process and host become one pull.

    waiting --claim--> running --end--> done (with the outcome, for those who wait) --asked for again--> waiting

A row that was running when its process died waits again as soon as another leads.
"""

from __future__ import annotations

from datetime import timedelta
from enum import IntEnum, StrEnum
from typing import Any, Final, NamedTuple

from lading.kernel.clock import Clock, timestamp
from lading.state import Database
from lading.supply_chain.registry.mirroring.errors import NotYet
from lading.supply_chain.registry.mirroring.sql import reading, writing

_MOST_WAITING: Final = 1_000
_KEPT: Final = timedelta(hours=1)
_KEPT_FAILURES: Final = timedelta(days=1)
_MOST_WHY: Final = 600


class Outcome(StrEnum):
    """How a wish ended."""

    BROUGHT = "brought"
    UNCHANGED = "unchanged"
    UNKNOWN = "unknown"
    REFUSED = "refused"
    THROTTLED = "throttled"
    FAILED = "failed"
    MISMATCH = "mismatch"


class Rank(IntEnum):
    """How urgent wishes are."""

    AWAITED = 0
    SCHEDULED = 1


class Wish(NamedTuple):
    """One image that is wanted."""

    repository: str
    reference: str
    upstream: str
    rank: Rank


class Wishes:
    """The wishes of every process."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def note(self, wish: Wish) -> None:
        """Want an image; one that is wanted already is not wanted twice.

        Raises:
            NotYet: very many are waited for.
        """
        values = {
            "upstream": wish.upstream,
            "state": "waiting",
            "rank": int(wish.rank),
            "noted": timestamp(self._clock.now()),
        }
        with self._database.write() as tx:
            if wish.rank is Rank.AWAITED and reading.count_waiting(tx) >= _MOST_WAITING:
                raise NotYet("Very many images are waited for.", seconds=30, remedy="Ask again later.")
            writing.note_wish(tx, wish.repository, wish.reference, values)

    def waiting(self, limit: int) -> list[Wish]:
        """What nobody works on: what somebody waits for first, and then in the order in which it was asked for."""
        with self._database.read() as tx:
            rows = reading.waiting_wishes(tx, limit)
        return [Wish(row.repository, row.reference, row.upstream, Rank(row.rank)) for row in rows]

    def claim(self, wish: Wish) -> bool:
        """Begin to work on a wish; whether nobody else does."""
        with self._database.write() as tx:
            return writing.claim_wish(tx, wish.repository, wish.reference, timestamp(self._clock.now()))

    def end(self, wish: Wish, outcome: Outcome, *, why: str = "", until: str = "", digest: str = "") -> None:
        """Say how a wish ended; nobody needs to ask again before `until`."""
        values = {
            "outcome": outcome.value,
            "why": why[:_MOST_WHY],
            "until": until,
            "digest": digest,
            "ended": timestamp(self._clock.now()),
        }
        with self._database.write() as tx:
            writing.end_wish(tx, wish.repository, wish.reference, values)

    def row(self, repository: str, reference: str) -> Any:
        """How a wish stands; None when there is none."""
        with self._database.read() as tx:
            return reading.wish(tx, repository, reference)

    def take_over(self) -> int:
        """Let those wait again that a process worked on which is gone; only for the one who leads."""
        with self._database.write() as tx:
            return writing.renew_wishes(tx)

    def sweep(self) -> int:
        """Forget how wishes ended: after an hour, and after a day where somebody may want to know why; how many."""
        now = self._clock.now()
        usual = (Outcome.BROUGHT.value, Outcome.UNCHANGED.value, Outcome.UNKNOWN.value)
        with self._database.write() as tx:
            gone = writing.forget_wishes(tx, timestamp(now - _KEPT), usual)
            return gone + writing.forget_wishes(tx, timestamp(now - _KEPT_FAILURES))
