"""Who was refused and who changed something by way of the API: facts, from where the database can be written.

What the registry's endpoints have to say goes by way of their spool (`supply_chain.registry.calls`).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Final

from lading.facts import Fact, Ledger
from lading.facts.kinds.identity import AccessRefused, AccessUsed
from lading.kernel.clock import Clock, timestamp
from lading.kernel.errors import LadingError
from lading.kernel.origin import origin
from lading.kernel.repeats import Repeats, Times
from lading.state import Database

_MOST_TEXT: Final = 500
_VARIOUS: Final = "various"
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Refused:
    principal: str
    operation: str
    target: str
    door: str
    address: str
    status: int


class Calls:
    """States calls in the ledger. That one could not be stated fails nobody's request: the log says so."""

    def __init__(self, database: Database, ledger: Ledger, clock: Clock) -> None:
        self._database = database
        self._ledger = ledger
        self._clock = clock
        self._refusals = Repeats(self._say, _wider, clock)

    def refused(self, principal: str, operation: str, target: str, status: int) -> None:
        """State it, or count it when the same was stated within the minute."""
        if self._database.read_only:
            return
        here = origin()
        here.stated = True
        self._refusals.note(_Refused(principal, operation, target[:_MOST_TEXT], here.door, here.address, status))

    def used(self, principal: str, token: str, operation: str, target: str) -> None:
        """State that a call changed something."""
        here = origin()
        self._state(
            AccessUsed(
                principal=principal,
                token_id=token,
                operation=operation,
                target=target[:_MOST_TEXT],
                door=here.door,
                address=here.address,
                moment=timestamp(self._clock.now()),
            ),
            principal,
        )

    def flush(self) -> None:
        """State what was counted."""
        self._refusals.close()

    def _say(self, what: _Refused, times: Times) -> None:
        fact = AccessRefused(
            principal=what.principal,
            operation=what.operation,
            target=what.target,
            door=what.door,
            address=what.address,
            status=what.status,
            times=times.count,
            first=timestamp(times.first),
            last=timestamp(times.last),
        )
        self._state(fact, what.principal)

    def _state(self, fact: Fact, actor: str) -> None:
        try:
            with self._database.write() as tx:
                self._ledger.append(tx, [fact], actor=actor)
        except LadingError as error:
            _log.warning("a call could not be stated", extra={"principal": actor, "error": error.what})


def _wider(what: _Refused) -> tuple[_Refused, _Refused]:
    group = replace(what, operation=_VARIOUS, target=_VARIOUS)
    return group, _Refused(_VARIOUS, _VARIOUS, _VARIOUS, what.door, _VARIOUS, what.status)
