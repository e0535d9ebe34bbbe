"""Update advisory feeds: the job, and the part of the worker that asks for it when it is due."""

from __future__ import annotations

import logging
import threading
from typing import Any, Final

import msgspec

from lading.entrypoints.worker.telling import JobTelling
from lading.jobs import Job
from lading.kernel.errors import LadingError
from lading.wiring import Wiring

_log: Final = logging.getLogger(__name__)
_LOOK_SECONDS: Final = 60.0
# Whoever just started has other things to do first.
_FIRST_SECONDS: Final = 600.0
_ACTOR: Final = "system:advisories"


def update(wiring: Wiring, job: Job, telling: JobTelling) -> dict[str, Any]:
    """Do a job of the kind `feeds`: update one source, or all, and match what that changed."""
    source, whole = str(job.request.get("source", "")), bool(job.request.get("whole", False))
    telling.step("Update advisories")
    outcomes = wiring.updates.update(source, whole=whole, actor=job.actor, say=telling.say)
    telling.step("Match")
    images = wiring.findings.catch_up()
    telling.say(f"something changed for {images} images")
    failed = [one.source for one in outcomes if one.outcome == "failed"]
    return {"sources": [msgspec.to_builtins(one) for one in outcomes], "failed": failed, "images": images}


class FeedSchedule:
    """Submits the update of the feeds when it is due."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring

    def run(self, stop: threading.Event) -> None:
        """Look every minute until told to stop, for the first time after ten."""
        hours = self._wiring.settings.advisory_hours
        if not hours:
            return
        wait = _FIRST_SECONDS
        while not stop.wait(wait):
            wait = _LOOK_SECONDS
            try:
                if not self._wiring.updates.is_due(hours) or self._is_under_way():
                    continue
                job = self._wiring.jobs.submit("feeds", {}, actor=_ACTOR)
            except LadingError as error:
                _log.warning("the advisory feeds cannot be looked at", extra={"error": str(error)})
                continue
            _log.info("advisory feeds are due", extra={"job": job.id})

    def _is_under_way(self) -> bool:
        return any(job.kind == "feeds" and not job.state.is_final for job in self._wiring.jobs.recent(1_000))
