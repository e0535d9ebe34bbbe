"""The threads of a worker: each is started again when it fails, none takes another down."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from lading.kernel.errors import LadingError

_RETRY_SECONDS: Final = 5.0
_END_SECONDS: Final = 15.0
_log: Final = logging.getLogger(__name__)

Part = Callable[[threading.Event], None]


class Threads:
    """Parts of the worker that run side by side until `stop` is set."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._threads: list[threading.Thread] = []

    def start(self, name: str, part: Part) -> None:
        """Run a part in a thread, again and again until it returns by itself."""
        thread = threading.Thread(target=self._guarded, args=(name, part), name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    def join(self) -> bool:
        """Wait for all parts to end, fifteen seconds together; whether they did."""
        deadline = time.monotonic() + _END_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _guarded(self, name: str, part: Part) -> None:
        while not self._stop.is_set():
            try:
                part(self._stop)
                return
            except LadingError as error:
                _log.warning("part of the worker stopped", extra={"part": name, "error": str(error)})
            except Exception:  # noqa: BLE001 - one part of the worker must not end the others
                _log.exception("part of the worker failed", extra={"part": name})
            self._stop.wait(_RETRY_SECONDS)
