"""Who was refused and who changed something at a registry endpoint: noted down in the spool, and facts soon after.

Both endpoints write here, not only the one that cannot write elsewhere: a request waits for no transaction because of
what is written down about it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from lading.facts.kinds.identity import AccessRefused, AccessUsed
from lading.kernel.clock import Clock, SystemClock, timestamp
from lading.kernel.repeats import Repeats, Times
from lading.supply_chain.registry.spool import Spool

CALLS: Final = "calls"
VARIOUS: Final = "various"
_MOST_TEXT: Final = 300
_UNPRINTABLE: Final = re.compile(r"[^\x20-\x7e]")


@dataclass(frozen=True, slots=True)
class _Refused:
    principal: str
    operation: str
    target: str
    address: str
    status: int


class CallNotes:
    """What one endpoint notes down about its calls.

    Identical refusals are counted: one fact for the first, and one a minute for the others. A process that is killed
    loses the counts of its last minute, and no first refusal and no change.

    Args:
        door: the name of the endpoint: `push` or `pull`.
    """

    def __init__(self, directory: Path, door: str, clock: Clock | None = None) -> None:
        self._spool = Spool(directory, CALLS)
        self._door = door
        self._clock = clock or SystemClock()
        self._refusals = Repeats(self._say, _wider, self._clock)

    def refused(self, principal: str, operation: str, target: str, address: str, status: int) -> None:
        """Note that a call was refused; `status` is what HTTP said."""
        self._refusals.note(_Refused(principal, operation, _text(target), address, status))

    def used(self, principal: str, token: str, operation: str, target: str, address: str) -> None:
        """Note that a call changed something."""
        self._spool.append(
            AccessUsed(
                principal=principal,
                token_id=token,
                operation=operation,
                target=_text(target),
                door=self._door,
                address=address,
                moment=timestamp(self._clock.now()),
            )
        )

    def flush(self) -> None:
        """Write down what was counted."""
        self._refusals.flush()

    def close(self) -> None:
        """Write down what was counted, and let go of the file."""
        self._refusals.close()
        self._spool.close()

    def _say(self, what: _Refused, times: Times) -> None:
        self._spool.append(
            AccessRefused(
                principal=what.principal,
                operation=what.operation,
                target=what.target,
                door=self._door,
                address=what.address,
                status=what.status,
                times=times.count,
                first=timestamp(times.first),
                last=timestamp(times.last),
            )
        )


def _wider(what: _Refused) -> tuple[_Refused, _Refused]:
    group = replace(what, operation=VARIOUS, target=VARIOUS)
    return group, _Refused(VARIOUS, VARIOUS, VARIOUS, VARIOUS, what.status)


def _text(value: str) -> str:
    return _UNPRINTABLE.sub("?", value[:_MOST_TEXT])
