"""The life of an image in the registry, written down once.

    (new) -> quarantined -> approved -> revoked
                  ^____________|           |  an approval can be withdrawn, and it expires by itself
                  ^________________________|  only by hand: an image revoked by mistake is judged again

A revoked image never goes straight back to approved: it must pass the rules again.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec
import sqlalchemy as sa

from lading.facts import Ledger
from lading.facts.kinds.supply_chain import ImageMoved
from lading.kernel.clock import Clock, SystemClock, parse_timestamp, timestamp
from lading.kernel.digest import Digest
from lading.state import Database, Transaction
from lading.supply_chain.registry.errors import IllegalMove
from lading.supply_chain.registry.sql import states


class State(StrEnum):
    """Whether an image may be used."""

    QUARANTINED = "quarantined"
    APPROVED = "approved"
    REVOKED = "revoked"


LEGAL_MOVES: Final = frozenset(
    {
        (None, State.QUARANTINED),
        (State.QUARANTINED, State.APPROVED),
        (State.QUARANTINED, State.REVOKED),
        (State.APPROVED, State.APPROVED),
        (State.APPROVED, State.QUARANTINED),
        (State.APPROVED, State.REVOKED),
        (State.REVOKED, State.QUARANTINED),
    }
)


class ImageState(msgspec.Struct, frozen=True, kw_only=True):
    """Where an image stands: who put it there, why, by which decision, until when, and what to use instead."""

    state: State
    who: str = ""
    why: str = ""
    decision: str = ""
    until: str = ""
    replaced_by: str = ""
    since: str = ""

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

    def state(self, digest: Digest) -> ImageState | None:
        """Where an image stands now; None for one that was never pushed."""
        with self._database.read() as tx:
            return self.state_in(tx, digest)

    def states(self, digests: list[str]) -> dict[str, ImageState]:
        """Where several images stand now."""
        with self._database.read() as tx:
            rows = tx.execute(sa.select(states).where(states.c.digest.in_(digests))).all()
        now = self._clock.now()
        return {row.digest: _state(row).at(now) for row in rows}

    def state_in(self, tx: Transaction, digest: Digest) -> ImageState | None:
        """The same within a transaction."""
        row = tx.execute(sa.select(states).where(states.c.digest == str(digest))).first()
        return None if row is None else _state(row).at(self._clock.now())


class ImageStates(StateReader):
    """Moves images from state to state; each move is a fact."""

    def __init__(self, database: Database, ledger: Ledger, clock: Clock | None = None) -> None:
        super().__init__(database, clock)
        self._ledger = ledger

    def move(
        self,
        tx: Transaction,
        digest: Digest,
        to: State,
        *,
        who: str,
        why: str,
        decision: str = "",
        until: datetime | None = None,
        replaced_by: str = "",
    ) -> ImageState:
        """Move an image; moving it to the quarantine or revocation it is already in changes nothing.

        Raises:
            IllegalMove: the table above has no such move.
        """
        row = tx.execute(sa.select(states).where(states.c.digest == str(digest)).with_for_update()).first()
        before = _state(row) if row else None
        if before is not None and before.state is to and to is not State.APPROVED:
            return before
        if (before.state if before else None, to) not in LEGAL_MOVES:
            was = before.state if before else "unknown to this registry"
            raise IllegalMove(
                f"Image {digest} is {was} and cannot become {to}.",
                remedy="A revoked image goes back to quarantine first: `lading image quarantine`."
                if before
                else "Push it first.",
            )
        after = ImageState(
            state=to,
            who=who,
            why=why,
            decision=decision,
            until=timestamp(until) if until else "",
            replaced_by=replaced_by,
            since=timestamp(self._clock.now()),
        )
        values = msgspec.structs.asdict(after)
        if row is None:
            tx.execute(sa.insert(states).values(digest=str(digest), **values))
        else:
            tx.execute(sa.update(states).where(states.c.digest == str(digest)).values(**values))
        fact = ImageMoved(
            digest=str(digest),
            before=before.state if before else "",
            after=to,
            why=why,
            decision=decision,
            until=after.until,
            replaced_by=replaced_by,
        )
        self._ledger.append(tx, [fact], actor=who)
        return after


def _state(row: sa.Row[tuple[str, ...]]) -> ImageState:
    return ImageState(
        state=State(row.state),
        who=row.who,
        why=row.why,
        decision=row.decision,
        until=row.until,
        replaced_by=row.replaced_by,
        since=row.since,
    )
