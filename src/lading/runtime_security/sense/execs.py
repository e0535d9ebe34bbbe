"""Programs started in a container from outside, as the engine tells. Its own health checks are not news."""

from __future__ import annotations

from datetime import datetime

from lading.runtime_security.containers import RunningContainer
from lading.runtime_security.sense.events import SensedEvent, cut
from lading.runtime_security.sense.redact import redact


def sensed_exec(container: RunningContainer, command: str, at: datetime) -> SensedEvent | None:
    """The event for an `exec_start` of `command` (arguments joined by spaces); None for the health check."""
    command = command.strip()
    if container.health_command and command == container.health_command:
        return None
    shown = cut(redact(command))
    program = shown.split(" ", 1)[0]
    return SensedEvent("exec", container, at, shown, {"command": shown, "program": program})
