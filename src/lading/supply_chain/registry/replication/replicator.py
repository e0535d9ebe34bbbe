"""Replicate to all targets: one loop plans, two threads for each target send.

Planning is apart from sending, so that a revocation is noted down within moments whatever a target does.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

import msgspec

from lading.facts import Ledger, follow
from lading.kernel.errors import LadingError
from lading.state import Database
from lading.supply_chain.registry.replication.planning import Lane, Planner
from lading.supply_chain.registry.replication.registers import Registers
from lading.supply_chain.registry.replication.sending import Sender
from lading.supply_chain.registry.replication.targets import Target, Targets

_log: Final = logging.getLogger(__name__)
_RETRY_SECONDS: Final = 5.0
# What of a target changes while it is served by the same sender.
_STANDING: Final = dict.fromkeys(("standing", "behind_since", "next_try", "error"), "") | dict.fromkeys(
    ("failures", "items", "bytes"), 0
)

MakeSender = Callable[[Target, threading.Event], Sender]


class _Running:
    """The threads that send to one target."""

    def __init__(self, target: Target, make: MakeSender) -> None:
        self.target = target
        self._stop = threading.Event()
        self._make = make
        self._threads = [threading.Thread(target=self._run, args=(lane,), name=f"send-{target.name}") for lane in Lane]
        self._ready = threading.Lock()
        self._sender: Sender | None = None
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Tell the threads to end."""
        self._stop.set()

    def join(self) -> None:
        """Wait until the threads ended."""
        for thread in self._threads:
            thread.join()

    def _run(self, lane: Lane) -> None:
        while not self._stop.is_set():
            try:
                with self._ready:
                    self._sender = self._sender or self._make(self.target, self._stop)
                self._sender.run(lane, self._stop)
            except LadingError as error:
                _log.warning("sending stopped", extra={"target": self.target.name, "error": str(error)[:300]})
            except Exception:  # noqa: BLE001 - one target must not end the others
                _log.exception("sending failed unexpectedly", extra={"target": self.target.name})
            self._stop.wait(_RETRY_SECONDS)


class Replicator:
    """Keeps every target close behind the ledger."""

    def __init__(
        self,
        *,
        database: Database,
        ledger: Ledger,
        targets: Targets,
        registers: Registers,
        make_sender: MakeSender,
        poll_seconds: float,
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._targets = targets
        self._registers = registers
        self._make_sender = make_sender
        self._poll_seconds = poll_seconds
        self._running: dict[str, _Running] = {}

    def run(self, stop: threading.Event) -> None:
        """Replicate until told to stop."""
        try:
            while not stop.wait(self._poll_seconds):
                self.plan()
                self._serve()
        finally:
            for running in self._running.values():
                running.stop()
            for running in self._running.values():
                running.join()
            self._running.clear()

    def plan(self) -> None:
        """Note down for every target what changed."""
        targets = self._targets.all()
        if targets:
            self._registers.follow()
        for target in targets:
            follow(self._database, self._ledger, Planner(target))

    def _serve(self) -> None:
        """Have threads for every target as it is kept now, and none for those that were removed."""
        wanted = {target.name: msgspec.structs.replace(target, **_STANDING) for target in self._targets.all()}
        for name, running in list(self._running.items()):
            if wanted.get(name) != running.target:
                running.stop()
                running.join()
                del self._running[name]
        for name, target in wanted.items():
            if name not in self._running:
                self._running[name] = _Running(target, self._make_sender)
