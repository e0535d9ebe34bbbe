"""Between the threads that read and the one that stores: bounded, and fair to quiet containers.

A container that floods fills its own share and then waits; its lines wait in the engine's files meanwhile, so nothing
is lost by waiting. When all shares together are too much, only those with more than a fair part wait.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Final

from lading.observability.store import LogLine

SHARE_BYTES: Final = 8 << 20
TOTAL_BYTES: Final = 64 << 20
FAIR_BYTES: Final = 256 << 10
_OVERHEAD: Final = 200


class Intake:
    """Lines on their way to the store."""

    def __init__(self, *, share: int = SHARE_BYTES, total: int = TOTAL_BYTES, fair: int = FAIR_BYTES) -> None:
        self._share = share
        self._total = total
        self._fair = fair
        self._changed = threading.Condition()
        self._lines: list[LogLine] = []
        self._held: dict[str, int] = {}
        self._sum = 0
        self._closed = False

    def put(self, container: str, lines: Sequence[LogLine], *, timeout: float | None = None) -> bool:
        """Hand over lines of one container; waits for room. False: no room came in time, or the intake is closed."""
        size = sum(len(one.line) + _OVERHEAD for one in lines)
        with self._changed:
            if not self._changed.wait_for(lambda: self._closed or self._has_room(container), timeout):
                return False
            if self._closed:
                return False
            self._lines.extend(lines)
            self._held[container] = self._held.get(container, 0) + size
            self._sum += size
            if not self._has_room(container):
                self._changed.notify_all()
        return True

    def take(self) -> list[LogLine]:
        """Everything handed over so far, in order; makes room."""
        with self._changed:
            taken, self._lines = self._lines, []
            self._held.clear()
            self._sum = 0
            self._changed.notify_all()
        return taken

    def wait_full(self, timeout: float) -> None:
        """Return when somebody waits for room, or after `timeout` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or not all(map(self._has_room, self._held)), timeout)

    def held_bytes(self) -> int:
        """How much waits to be taken."""
        with self._changed:
            return self._sum

    def open(self) -> None:
        """Take lines again after `close`."""
        with self._changed:
            self._closed = False

    def close(self) -> None:
        """Let everybody who waits go."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _has_room(self, container: str) -> bool:
        held = self._held.get(container, 0)
        return held < self._share and (self._sum < self._total or held < self._fair)
