"""Registries that are mirrored: hear what is wanted (on every host), fulfil wishes and carry out plans (who leads)."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Final

from lading.kernel.errors import LadingError
from lading.supply_chain.registry.mirroring.channel import Wanted, listen
from lading.supply_chain.registry.mirroring.wishes import Rank, Wish
from lading.wiring import Wiring
from lading.wiring.pulling import channel_directory

_log: Final = logging.getLogger(__name__)
_AT_ONCE: Final = 6
# So many places are left to those who wait, whatever was planned.
_SCHEDULED_AT_ONCE: Final = 3
_LOOKED_AT: Final = 200
_SCHEDULE_SECONDS: Final = 2.0
_IDLE_SECONDS: Final = 0.1
_SWEEP_SECONDS: Final = 600.0


class MirrorEar:
    """Notes what the pull endpoint of this host says is wanted."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring

    def run(self, stop: threading.Event) -> None:
        """Listen until told to stop."""
        listen(channel_directory(self._wiring.settings), self._hear, stop)

    def _hear(self, wanted: Wanted) -> None:
        try:
            self._wiring.mirrors.hear(wanted.repository, wanted.reference)
        except LadingError as error:
            # Whoever waits says it again.
            _log.warning("a wish could not be noted", extra={"repository": wanted.repository, "error": str(error)})


class MirrorRunner:
    """Fulfils wishes, several at once, and of one repository one after the other: its images share layers."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._running: dict[str, Rank] = {}
        self._lock = threading.Lock()

    def run(self, stop: threading.Event) -> None:
        """Fulfil wishes until told to stop."""
        self._wiring.mirrors.stop.clear()
        renewed = self._wiring.mirrors.wishes.take_over()
        if renewed:
            _log.warning("images that were being mirrored are mirrored again", extra={"images": renewed})
        pool = ThreadPoolExecutor(_AT_ONCE, "mirror")
        try:
            while not stop.wait(_IDLE_SECONDS):
                self._begin(pool)
        finally:
            self._wiring.mirrors.stop.set()
            pool.shutdown(cancel_futures=True)

    def plan(self, stop: threading.Event) -> None:
        """Carry out the plans of upstreams until told to stop; now and then, forget old wishes."""
        swept = float("-inf")
        while not stop.wait(_SCHEDULE_SECONDS):
            if self._wiring.clock.monotonic() - swept >= _SWEEP_SECONDS:
                swept = self._wiring.clock.monotonic()
                self._wiring.mirrors.wishes.sweep()
            for upstream in self._wiring.mirrors.schedule.due():
                if stop.is_set():
                    return
                self._wiring.mirrors.schedule.carry_out(upstream)

    def _begin(self, pool: ThreadPoolExecutor) -> None:
        for wish in self._wiring.mirrors.wishes.waiting(_LOOKED_AT):
            with self._lock:
                scheduled = sum(rank is Rank.SCHEDULED for rank in self._running.values())
                if len(self._running) >= _AT_ONCE:
                    return
                if wish.repository in self._running or (
                    wish.rank is Rank.SCHEDULED and scheduled >= _SCHEDULED_AT_ONCE
                ):
                    continue
                self._running[wish.repository] = wish.rank
            pool.submit(self._wiring.mirrors.mirroring.fulfil, wish).add_done_callback(partial(self._ended, wish))

    def _ended(self, wish: Wish, future: Future[None]) -> None:
        with self._lock:
            self._running.pop(wish.repository, None)
        if not future.cancelled() and (error := future.exception()) is not None:
            _log.error("mirroring failed unexpectedly", exc_info=error, extra={"repository": wish.repository})
