"""Where an image stands, to be read. The moves are in `states`, which the pull endpoint never loads."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import msgspec

from lading.kernel.clock import Clock, SystemClock, parse_timestamp, timestamp
from lading.kernel.digest import Digest
from lading.state import Database, Transaction
from lading.supply_chain.registry.sql import reading as sql

NOT_JUDGED: Final = "pushed, not judged yet"


class State(StrEnum):
    """Whether an image may be used."""

    QUARANTINED = "quarantined"
    APPROVED = "approved"
    REVOKED = "revoked"


class ImageState(msgspec.Struct, frozen=True, kw_only=True):
    """Where an image stands: who put it there, why, by which decision, until when, and what to use instead."""

    state: State
    who: str = ""
    why: str = ""
    decision: str = ""
    until: str = ""
    replaced_by: str = ""
    since: str = ""

    @property
    def is_new(self) -> bool:
        """Whether nobody has judged the image yet."""
        return self.state is State.QUARANTINED and self.why == NOT_JUDGED

    def at(self, moment: datetime) -> ImageState:
        """The same as it counts at `moment`: an approval that has run out is a quarantine."""
        if self.state is State.APPROVED and self.until and parse_timestamp(self.until) <= moment:
            return msgspec.structs.replace(self, state=State.QUARANTINED, why=f"the approval expired on {self.until}")
        return self


class StateReader:
    """Reads states; all that the pull endpoint needs."""

    def __init__(self, database: Database, clock: Clock | None = None) -> None:
        self._database = database
        self._clock = clock or SystemClock()

    def now(self) -> datetime:
        """The moment by which approvals count."""
        return self._clock.now()

    def state(self, digest: Digest) -> ImageState | None:
        """Where an image stands now; None for one that was never pushed."""
        with self._database.read() as tx:
            return self.state_in(tx, digest)

    def states(self, digests: list[str]) -> dict[str, ImageState]:
        """Where several images stand now."""
        with self._database.read() as tx:
            return self.states_in(tx, digests)

    def in_state(self, state: State, *, limit: int = 1_000) -> list[str]:
        """The digests of the images in a state now, the latest to enter it first.

        An approval that has run out counts as quarantine, although nobody moved it; those come last.
        """
        kept = {State.QUARANTINED: (State.QUARANTINED, State.APPROVED)}.get(state, (state,))
        now = self._clock.now()
        with self._database.read() as tx:
            rows = [row for name in kept for row in sql.rows_in_state(tx, name, limit)]
        return [row.digest for row in rows if image_state(row).at(now).state is state][:limit]

    def running_out(self, before: datetime, *, limit: int = 1_000) -> list[tuple[str, ImageState]]:
        """Approved images whose approval ends before a moment or has ended, as they were put there, the first first."""
        with self._database.read() as tx:
            rows = sql.rows_running_out(tx, State.APPROVED, timestamp(before), limit)
        return [(row.digest, image_state(row)) for row in rows]

    def state_in(self, tx: Transaction, digest: Digest) -> ImageState | None:
        """The same as `state` within a transaction."""
        return self.states_in(tx, [str(digest)]).get(str(digest))

    def states_in(self, tx: Transaction, digests: Collection[str]) -> dict[str, ImageState]:
        """The same as `states` within a transaction."""
        now = self._clock.now()
        return {row.digest: image_state(row).at(now) for row in sql.state_rows(tx, digests)}


def image_state(row: Any) -> ImageState:
    """A row of the table of states as a value."""
    return ImageState(
        state=State(row.state),
        who=row.who,
        why=row.why,
        decision=row.decision,
        until=row.until,
        replaced_by=row.replaced_by,
        since=row.since,
    )
