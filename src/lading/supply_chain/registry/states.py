"""The life of an image in the registry, written down once.

    (new) -> quarantined -> approved -> revoked
                  ^____________|           |  an approval can be withdrawn, and it expires by itself
                  ^________________________|  only by hand: an image revoked by mistake is judged again

A revoked image never goes straight back to approved: it must pass the rules again.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

from lading.facts import Ledger
from lading.facts.kinds.supply_chain import ImageMoved
from lading.kernel.clock import Clock, timestamp
from lading.kernel.digest import Digest
from lading.state import Database, Transaction
from lading.supply_chain.registry.errors import IllegalMove
from lading.supply_chain.registry.sql import writing as sql
from lading.supply_chain.registry.standing import NOT_JUDGED, ImageState, State, StateReader, image_state

__all__ = ["LEGAL_MOVES", "NOT_JUDGED", "ImageState", "ImageStates", "State", "StateReader"]

LEGAL_MOVES: Final = frozenset(
    {
        (None, State.QUARANTINED),
        (State.QUARANTINED, State.APPROVED),
        (State.QUARANTINED, State.QUARANTINED),
        (State.QUARANTINED, State.REVOKED),
        (State.APPROVED, State.APPROVED),
        (State.APPROVED, State.QUARANTINED),
        (State.APPROVED, State.REVOKED),
        (State.REVOKED, State.QUARANTINED),
    }
)


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
        """Move an image. A move that says nothing new (same state, reason, decision and so on) changes nothing.

        Args:
            decision: the id of the decision that caused the move; shown to those whose pull is refused.
            until: when an approval ends by itself; None for never.
            replaced_by: what to use instead of a revoked image.

        Raises:
            IllegalMove: the table above has no such move.
        """
        row = sql.locked_state(tx, str(digest))
        before = image_state(row) if row else None
        after = ImageState(
            state=to,
            who=who,
            why=why,
            decision=decision,
            until=timestamp(until) if until else "",
            replaced_by=replaced_by,
            since=timestamp(self._clock.now()),
        )
        if before is not None and _same(before, after):
            return before
        if (before.state if before else None, to) not in LEGAL_MOVES:
            raise _illegal(digest, before, to)
        sql.save_state(tx, str(digest), msgspec.structs.asdict(after))
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

    def adopt(self, tx: Transaction, digest: Digest, after: ImageState) -> None:
        """Take over where an image stands in another region, which saw to it that its own move there was legal.

        The table above has no say here: regions agree on one of their moves, and it may skip what led to it.
        """
        row = sql.locked_state(tx, str(digest))
        before = image_state(row) if row else None
        if before == after:
            return
        sql.save_state(tx, str(digest), msgspec.structs.asdict(after))
        fact = ImageMoved(
            digest=str(digest),
            before=before.state if before else "",
            after=after.state,
            why=after.why,
            decision=after.decision,
            until=after.until,
            replaced_by=after.replaced_by,
        )
        self._ledger.append(tx, [fact], actor=after.who)


def _same(before: ImageState, after: ImageState) -> bool:
    """Whether a move says nothing new. Saying again that an image is revoked keeps who revoked it first, and why."""
    if before.state is State.REVOKED and after.state is State.REVOKED:
        return True
    return before == msgspec.structs.replace(after, who=before.who, since=before.since)


def _illegal(digest: Digest, before: ImageState | None, to: State) -> IllegalMove:
    if before is None:
        return IllegalMove(f"Image {digest} is unknown to this registry.", remedy="Push it first.")
    remedy = f"Put it back into quarantine first: `lading image quarantine {digest}`."
    return IllegalMove(
        f"Image {digest} is {before.state} and cannot become {to}.",
        remedy=remedy if before.state is State.REVOKED else "",
    )
