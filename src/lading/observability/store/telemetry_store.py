"""The port of the telemetry store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from lading.observability.store.records import LogLine, LogQuery, Sample, SampleQuery, StreamState


class TelemetryReader(Protocol):
    """Answers from what was kept. Any number of processes read, without locks, while one appends."""

    def logs(self, query: LogQuery) -> list[LogLine]:
        """The lines asked for, by time and `seq`, oldest first; raises StoreUnavailable."""
        ...

    def samples(self, query: SampleQuery) -> list[Sample]:
        """The samples asked for, by container and time; the youngest `limit` of them; raises StoreUnavailable."""
        ...

    def streams(self, containers: Sequence[str]) -> list[StreamState]:
        """What is kept of every stream of these containers (full ids), samples too; raises StoreUnavailable."""
        ...


class TelemetryStore(TelemetryReader, Protocol):
    """Keeps lines and samples; one process at a time may."""

    def append(self, lines: Sequence[LogLine], samples: Sequence[Sample]) -> None:
        """Keep these: durable, and visible to readers, when it returns.

        Raises:
            StoreUnavailable: the disk is full or refuses; nothing was kept and the call may be made again.
        """
        ...


class Expired(NamedTuple):
    """What was removed: nothing of before `before` is kept for certain any more."""

    parts: int
    bytes: int
    before: datetime


class Expiring(Protocol):
    """The side of a store that keeps it from filling the disk."""

    def compact(self) -> int:
        """Make few large parts of many small ones; returns how many parts went. Readers see every line once."""
        ...

    def expire(self, now: datetime) -> Expired | None:
        """Remove what is older or more than may be kept, oldest first; None when nothing had to go."""
        ...

    def floor(self) -> int:
        """Moment in microseconds before which nothing shall be read from the engine again: it was removed here."""
        ...
