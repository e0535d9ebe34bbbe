"""Counting failed logins, in this process: by name and address, by address, and by name.

Three counts, because each alone is an attack: an address guesses many names, many addresses guess one name, and a count
by name alone would let a stranger lock somebody out at the fifth guess.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from typing import Final

from lading.identity.errors import TooManyAttempts
from lading.kernel.clock import Clock

WINDOW_SECONDS: Final = 60.0
_PER_PAIR: Final = 5
_PER_ADDRESS: Final = 20
_PER_NAME: Final = 100
_MOST_KEYS: Final = 10_000
_Key = tuple[str, str]


class Attempts:
    """A window of a minute per key that begins with its first failure; the oldest keys are forgotten beyond 10,000."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failed: OrderedDict[_Key, tuple[float, int]] = OrderedDict()

    def begin(self, name: str, address: str) -> None:
        """Count an attempt, as failed until it succeeds; raises TooManyAttempts when one of the counts is used up.

        Counting first keeps a burst of attempts at the same time from passing the check together.
        """
        now = self._clock.monotonic()
        with self._lock:
            for key, most in _keys(name, address):
                began, count = self._failed.get(key, (now, 0))
                if count >= most and now - began < WINDOW_SECONDS:
                    raise TooManyAttempts(WINDOW_SECONDS - (now - began))

            for key, _ in _keys(name, address):
                began, count = self._failed.get(key, (now, 0))
                self._failed[key] = (began, count + 1) if now - began < WINDOW_SECONDS else (now, 1)
                self._failed.move_to_end(key)
            while len(self._failed) > _MOST_KEYS:
                self._failed.popitem(last=False)

    def succeeded(self, name: str, address: str) -> None:
        """Forget the failures of this name from this address, and take back the attempt from the other counts."""
        with self._lock:
            self._failed.pop((name, address), None)
            for key in (("", address), (name, "")):
                if key in self._failed:
                    began, count = self._failed[key]
                    self._failed[key] = (began, max(0, count - 1))


def _keys(name: str, address: str) -> Iterator[tuple[_Key, int]]:
    yield (name, address), _PER_PAIR
    yield ("", address), _PER_ADDRESS
    yield (name, ""), _PER_NAME
