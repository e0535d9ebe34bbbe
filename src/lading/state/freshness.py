"""How a process knows, without asking for each request, that nothing changed since it last looked.

Whoever keeps an answer in memory keeps it with the mark of that moment, and uses it only while `current` still gives
the same mark. A thread looks ten times a second at a number that grows with every change (the head of the ledger).
When the database does not answer there is no mark, and nothing kept is used: an answer that may have been withdrawn is
worse than none.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

from lading.kernel.clock import Clock, SystemClock
from lading.kernel.errors import LadingError
from lading.state.database import Database, Transaction

Mark = tuple[int, int]
LOOK_SECONDS: Final = 0.1
BELIEVED_SECONDS: Final = 0.5
_log: Final = logging.getLogger(__name__)


class Freshness:
    """The mark of the present state.

    Args:
        head: reads a number that grows with every change.
    """

    def __init__(self, database: Database, head: Callable[[Transaction], int], clock: Clock | None = None) -> None:
        self._database = database
        self._read_head = head
        self._clock = clock or SystemClock()
        self._head = -1
        self._turns = 0
        self._until = 0.0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def current(self) -> Mark | None:
        """The mark; None when it is not known whether anything changed within the last half second."""
        return (self._head, self._turns) if self._clock.monotonic() < self._until else None

    def turn(self) -> None:
        """Change the mark at once: this process changed something itself."""
        with self._lock:
            self._turns += 1

    def look(self) -> None:
        """Look now."""
        before = self._clock.monotonic()
        try:
            with self._database.read() as tx:
                head = self._read_head(tx)
        except LadingError as error:
            _log.warning("it is not known whether anything changed", extra={"error": error.what})
            return
        with self._lock:
            self._head = head
            self._until = before + BELIEVED_SECONDS

    def start(self) -> None:
        """Go on looking, in a thread of its own."""
        self.look()
        self._thread = threading.Thread(target=self._go_on, name="freshness", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _go_on(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            self.look()
