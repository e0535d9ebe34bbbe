"""The ports of collecting: who runs, what they write, what they use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol


class Watched(NamedTuple):
    """A container to collect from. `running` is also true while it is paused or restarting."""

    id: str
    name: str
    workload: str
    application: str
    running: bool


class RawLine(NamedTuple):
    """A line as the engine gives it, cleaned for keeping: `at` in microseconds, `stream` stdout or stderr."""

    stream: str
    at: int
    text: str
    truncated: bool = False


class Usage(NamedTuple):
    """What a container uses now, as cumulative counters where there are such. None: the engine does not know."""

    cpu_seconds_total: float | None = None
    memory_bytes: int | None = None
    memory_limit: int | None = None
    rx_bytes: int | None = None
    tx_bytes: int | None = None
    pids: int | None = None
    restarts: int | None = None


class LogStream(Protocol):
    """Lines as they come, in batches of those that came together.

    Iteration ends when the container has stopped, or is removed, and everything it wrote was given.
    """

    def __iter__(self) -> Iterator[Sequence[RawLine]]:
        """Raises SourceUnavailable when the engine breaks off."""
        ...

    def close(self) -> None:
        """End the iteration, from any thread."""
        ...


class LogSource(Protocol):
    """An engine, seen by the collector."""

    def containers(self) -> Sequence[Watched]:
        """Every container under Lading's care, stopped ones too; raises SourceUnavailable."""
        ...

    def follow(self, container: str, since: int) -> LogStream:
        """The lines of `container` that were written at or after `since` (microseconds), per stream in their order.

        Raises:
            SourceGone: there is no such container.
            SourceUnavailable: the engine does not answer.
        """
        ...


class StatsSource(Protocol):
    """What containers use."""

    def usage(self, container: str) -> Usage:
        """What a running container uses at this moment; raises SourceGone and SourceUnavailable."""
        ...
