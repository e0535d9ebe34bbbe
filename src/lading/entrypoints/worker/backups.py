"""What backups are asked to do, and the part of the worker that asks for what is due."""

from __future__ import annotations

import logging
import threading
from typing import Final

import msgspec

from lading.kernel.errors import LadingError
from lading.wiring import Wiring

_log: Final = logging.getLogger(__name__)
_LOOK_SECONDS: Final = 2.0
_ACTOR: Final = "system:backup"


class BackupOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The request of a job of the kind `backup`: `work` is create, verify or drill."""

    work: str
    backup: str = ""
    telemetry: bool = False
    full: bool = False
    new_repository: bool = False
    read_data: bool = False


class BackupSchedule:
    """Submits what the schedule says is due."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring

    def run(self, stop: threading.Event) -> None:
        """Look every two seconds until told to stop."""
        while not stop.wait(_LOOK_SECONDS):
            try:
                due = self._wiring.backup_schedule.claim()
            except LadingError as error:
                _log.warning("the backup schedule cannot be read", extra={"error": str(error)})
                continue
            for work in due:
                order = msgspec.to_builtins(BackupOrder(work=work))
                job = self._wiring.jobs.submit("backup", order, actor=_ACTOR)
                _log.info("backup work is due", extra={"work": work, "job": job.id})
