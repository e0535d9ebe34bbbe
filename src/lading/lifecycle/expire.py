"""Approvals end: what rules approved is judged again in good time, what somebody approved by hand goes back.

An approval that ran out counts as quarantine at once, on every pull path; here it becomes a fact. An image that still
passes every rule gets a new approval a day before, so that nothing that is in use stops for a date.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Final, Protocol

from lading.kernel.clock import Clock, timestamp
from lading.kernel.digest import Digest
from lading.kernel.errors import LadingError
from lading.state import Database
from lading.supply_chain.registry.states import ImageState, ImageStates, State

_log: Final = logging.getLogger(__name__)
RENEWED_BEFORE: Final = timedelta(days=1)
_ACTOR: Final = "system:expiry"


class Judge(Protocol):
    """Who judges images again."""

    def renew(self, image: Digest) -> bool:
        """Judge an approved image again; when it passes it is approved anew, otherwise held. Whether it passed."""
        ...


class Expiry:
    """Ends approvals, or has them renewed."""

    def __init__(self, database: Database, states: ImageStates, judge: Judge, clock: Clock) -> None:
        self._database = database
        self._states = states
        self._judge = judge
        self._clock = clock

    def run(self) -> int:
        """Renew or end what ends soon; returns how many approvals ended. Running it again is harmless."""
        ended = 0
        for digest, approval in self._states.running_out(self._clock.now() + RENEWED_BEFORE):
            image = Digest.parse(digest)
            if not (approval.decision and self._renewed(image)):
                ended += self._end(image, approval)
        return ended

    def _renewed(self, image: Digest) -> bool:
        try:
            return self._judge.renew(image)
        except LadingError as error:
            _log.warning("an approval could not be renewed", extra={"image": str(image), "error": str(error)})
            return False

    def _end(self, image: Digest, approval: ImageState) -> bool:
        """Put an image back whose approval is over; nothing happens before that, or when it was moved meanwhile."""
        if approval.until > timestamp(self._clock.now()):
            return False
        with self._database.write() as tx:
            if (found := self._states.state_in(tx, image)) is None or found.until != approval.until:
                return False
            why = f"the approval by {approval.who} expired on {approval.until}"
            self._states.move(tx, image, State.QUARANTINED, who=_ACTOR, why=why)
        return True
