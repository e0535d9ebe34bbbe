"""Small writes of several threads in one transaction.

SQLite has one writer, and each of its commits waits for the disk. While one thread waits, the writes of others queue
up; the next one carries them all out, each behind a savepoint of its own, and one commit makes all of them durable.

    run(work) -> queue -> the first in it leads: BEGIN, every work that waits, COMMIT -> each thread has its own result
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Final, TypeVar

from sqlalchemy import Connection

from lading.kernel.errors import Unavailable

T = TypeVar("T")
_MOST_AT_ONCE: Final = 64


class Together:
    """Carries out works of many threads, in the order in which they came.

    Args:
        transaction: one that may write; committed on leaving.
        translated: turns what a database complains of into our errors.
    """

    def __init__(
        self,
        transaction: Callable[[], AbstractContextManager[Connection]],
        translated: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._transaction = transaction
        self._translated = translated
        self._guard = threading.Lock()
        self._waiting: deque[_Work] = deque()
        self._is_led = False

    def run(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns, once it is durable; raises what it raises, and then nothing of it is kept."""
        mine = _Work(work)
        with self._guard:
            self._waiting.append(mine)
            leads, self._is_led = not self._is_led, True
        if not leads:
            mine.turn.wait()
        if not mine.is_done:
            self._lead()
        if mine.error is not None:
            raise mine.error
        result: T = mine.result
        return result

    def _lead(self) -> None:
        """Carry out what waits, the leader's own work first in the line, and hand the lead on."""
        with self._guard:
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), _MOST_AT_ONCE))]
        try:
            with self._transaction() as transaction:
                for work in batch:
                    self._do(work, transaction)
        except BaseException as error:  # noqa: BLE001 - nothing of the batch was kept, whatever the reason is
            for work in batch:
                work.error = error
        with self._guard:
            for work in batch:
                work.is_done = True
                work.turn.set()
            self._is_led = bool(self._waiting)
            if self._waiting:
                self._waiting[0].turn.set()

    def _do(self, work: _Work, transaction: Connection) -> None:
        try:
            with self._translated(), transaction.begin_nested():
                work.result = work.do(transaction)
        except Unavailable:
            # The database itself failed: SQLite may have rolled everything back.
            raise
        except Exception as error:  # noqa: BLE001 - it is raised again in the thread whose work it is
            work.error = error


class _Work:
    """One thread's part. `turn` is set when it is done, or when its thread is the next to lead."""

    __slots__ = ("do", "error", "is_done", "result", "turn")

    def __init__(self, do: Callable[[Connection], Any]) -> None:
        self.do = do
        self.result: Any = None
        self.error: BaseException | None = None
        self.is_done = False
        self.turn = threading.Event()
