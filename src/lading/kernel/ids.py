"""Identifiers that sort by the time they were made (UUID version 7, RFC 9562 section 5.7).

Within one process they sort by the order in which they were made, also within one millisecond: the 12 bits after the
time are a counter (RFC 9562 section 6.2, method 1).
"""

from __future__ import annotations

import os
import threading
import time
from typing import Final
from uuid import UUID

_COUNTER_MAX: Final = 0xFFF
_lock: Final = threading.Lock()
_last = [0, 0]


def new_id() -> str:
    """A fresh UUIDv7 in its canonical text form."""
    milliseconds, counter = _next(time.time_ns() // 1_000_000)
    random = int.from_bytes(os.urandom(8)) & ((1 << 62) - 1)
    return str(UUID(int=milliseconds << 80 | 0x7 << 76 | counter << 64 | 0b10 << 62 | random))


def _next(now: int) -> tuple[int, int]:
    """The time and counter of the next id; the time runs ahead when the counter is used up or the clock went back."""
    with _lock:
        if now > _last[0]:
            # Half the counter's range is left for ids of the same millisecond.
            _last[:] = [now, int.from_bytes(os.urandom(2)) & (_COUNTER_MAX >> 1)]
        elif _last[1] == _COUNTER_MAX:
            _last[:] = [_last[0] + 1, 0]
        else:
            _last[1] += 1
        return _last[0], _last[1]
