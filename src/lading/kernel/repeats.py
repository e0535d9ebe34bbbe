"""What happens again and again is said once, and then with a count: nobody floods a record by asking often.

    first time -> said at once; again within the period -> counted; end of the period -> said once more, with the count

So many different things in one period that their number is a flood itself are counted under a wider name.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Generic, TypeVar

from lading.kernel.clock import Clock, SystemClock

PERIOD_SECONDS: Final = 60.0
MOST_KEYS: Final = 500
MOST_OF_A_GROUP: Final = 20
K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Times:
    """How often something happened, and between which moments."""

    count: int
    first: datetime
    last: datetime


@dataclass(slots=True)
class _Count:
    unsaid: int
    first: datetime
    last: datetime


class Repeats(Generic[K]):
    """Counts what is the same within a period. May be used from several threads.

    Args:
        say: told of each thing with its times, from the thread that noted it or from a timer's; never fails.
        wider: names for a thing when its kind is a flood: of its group, and of everything. Not more than 20 of a group
            and 500 in all are told apart in a period.
    """

    def __init__(
        self,
        say: Callable[[K, Times], None],
        wider: Callable[[K], tuple[K, K]],
        clock: Clock | None = None,
        seconds: float = PERIOD_SECONDS,
    ) -> None:
        self._say = say
        self._wider = wider
        self._clock = clock or SystemClock()
        self._seconds = seconds
        self._lock = threading.Lock()
        self._counts: dict[K, _Count] = {}
        self._groups: dict[K, int] = {}
        self._began = self._clock.monotonic()
        self._timer: threading.Timer | None = None

    def note(self, key: K) -> None:
        """Something happened."""
        if self._clock.monotonic() - self._began >= self._seconds:
            self.flush()
        now = self._clock.now()
        with self._lock:
            key, is_told_apart = self._name(key)
            known = self._counts.get(key)
            if known is None and is_told_apart:
                self._counts[key] = _Count(0, now, now)
            elif known is None:
                self._counts[key] = _Count(1, now, now)
            else:
                known.first = known.first if known.unsaid else now
                known.unsaid, known.last = known.unsaid + 1, now
            if self._counts[key].unsaid and self._timer is None:
                self._timer = threading.Timer(self._seconds, self.flush)
                self._timer.daemon = True
                self._timer.start()
        if known is None and is_told_apart:
            self._say(key, Times(1, now, now))

    def flush(self) -> None:
        """Say what was counted, and begin a new period."""
        with self._lock:
            counts, self._counts, self._timer = self._counts, {}, None
            self._groups.clear()
            self._began = self._clock.monotonic()
        for key, count in counts.items():
            if count.unsaid:
                self._say(key, Times(count.unsaid, count.first, count.last))

    def close(self) -> None:
        """Say what was counted; nothing comes later."""
        with self._lock:
            timer = self._timer
        if timer is not None:
            timer.cancel()
        self.flush()

    def _name(self, key: K) -> tuple[K, bool]:
        """What a thing is counted as, and whether that is itself."""
        if key in self._counts:
            return key, True
        group, everything = self._wider(key)
        if len(self._counts) >= MOST_KEYS:
            return everything, False
        of_group = self._groups.get(group, 0)
        if of_group >= MOST_OF_A_GROUP:
            return group, False
        self._groups[group] = of_group + 1
        return key, True
