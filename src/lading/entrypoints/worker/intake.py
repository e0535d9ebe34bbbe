"""Take in what the pull endpoint of this host noted down, and nginx before it: they cannot write to the database.

Its notes are files of the host, so this runs on every host that pulls are served from, whoever leads.
"""

from __future__ import annotations

import threading

from lading.supply_chain.registry.taking_in import take_in
from lading.wiring import Wiring


class Intake:
    """Turns notes into facts."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._log = wiring.tree.log() if wiring.tree is not None else None

    def run(self, stop: threading.Event) -> None:
        """Take notes in until told to stop, and once more then."""
        while not stop.wait(self._wiring.settings.poll_seconds):
            self._take()
        self._take()

    def _take(self) -> None:
        take_in(self._wiring.spool, self._wiring.database, self._wiring.ledger)
        if self._log is not None:
            self._log.take_in()
