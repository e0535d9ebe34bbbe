"""What a job is and how it moves: queued -> running -> succeeded | failed | interrupted."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INTERRUPTED = "interrupted"

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen to the job."""
        return self in (JobState.SUCCEEDED, JobState.FAILED, JobState.INTERRUPTED)


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of long work. `result` is what it made; `error` the fields of the LadingError that ended it."""

    id: str
    kind: str
    actor: str
    team: str
    request: dict[str, Any]
    state: JobState
    created: str
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something a job said while it ran. `step` groups events; `seconds` is the time since the job started."""

    n: int
    step: str
    text: str
    level: str = "info"
    seconds: float = 0.0
    data: dict[str, Any] = {}
