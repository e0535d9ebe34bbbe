"""How fast: a limit of bytes a second, and pauses after failures that grow and are never the same twice."""

from __future__ import annotations

import random
import threading
from typing import Final

from lading.kernel.clock import Clock

_BURST_SECONDS: Final = 0.5
_jitter: Final = random.SystemRandom()


class Pace:
    """Lets `rate` bytes a second pass, for all threads together; 0 is no limit."""

    def __init__(self, rate: int, clock: Clock) -> None:
        self._rate = rate
        self._clock = clock
        self._free_at = clock.monotonic()
        self._lock = threading.Lock()

    def spend(self, size: int) -> None:
        """Return when `size` more bytes may be sent."""
        if self._rate <= 0:
            return
        with self._lock:
            now = self._clock.monotonic()
            # What was not used is saved up for half a second at most.
            start = max(self._free_at, now - _BURST_SECONDS)
            self._free_at = start + size / self._rate
            pause = start - now
        if pause > 0:
            self._clock.sleep(pause)


def pause_after(failures: int, *, least: float, most: float) -> float:
    """Seconds to wait after so many failures in a row: doubling from `least` to `most`, give or take half of it.

    Regions that lost the same target do not come back to it at the same moment.
    """
    grown = min(most, least * 2.0 ** min(max(failures - 1, 0), 30))
    return grown * _jitter.uniform(0.5, 1.5)
