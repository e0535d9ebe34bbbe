"""What is kept, and how it is asked for. Times are microseconds since 1970; what is not known is None, never 0."""

from __future__ import annotations

from typing import NamedTuple


class LogLine(NamedTuple):
    """One line a container wrote.

    `stream` is `stdout`, `stderr` or `lading` (a remark of the collector). `seq` counts the lines of one stream within
    one microsecond, so (container, stream, at, seq) names the line and reading it again names it the same.
    """

    container: str
    name: str
    workload: str
    application: str
    stream: str
    at: int
    seq: int
    line: str
    truncated: bool = False


class Sample(NamedTuple):
    """What a container used at one moment. `cpu_seconds_total`, `rx_bytes` and `tx_bytes` are cumulative."""

    container: str
    name: str
    workload: str
    application: str
    at: int
    cpu_seconds_total: float | None = None
    cpu_percent: float | None = None
    memory_bytes: int | None = None
    memory_limit: int | None = None
    rx_bytes: int | None = None
    tx_bytes: int | None = None
    pids: int | None = None
    restarts: int | None = None


class Position(NamedTuple):
    """The last line of a stream that is kept; the one after it is the next to read."""

    at: int
    seq: int


SAMPLES_STREAM = "samples"


class StreamState(NamedTuple):
    """How much of one stream of one container is kept; its samples are the stream `samples`, of 0 bytes."""

    container: str
    stream: str
    position: Position
    lines: int
    bytes: int


class LogQuery(NamedTuple):
    """Which lines: `subject` is an application, a workload, a container's name or the start of its id (empty: all).

    `since` is inclusive, `until` exclusive. `newest` takes the youngest `limit` lines, else the oldest; either way the
    answer is oldest first. `grep` is plain text that the line contains.
    """

    subject: str = ""
    since: int = 0
    until: int = 1 << 62
    grep: str = ""
    limit: int = 200
    newest: bool = True


class SampleQuery(NamedTuple):
    """Which samples: the last one of each container within each `step` microseconds (0: all of them)."""

    subject: str = ""
    since: int = 0
    until: int = 1 << 62
    step: int = 0
    limit: int = 100_000


SHORTEST_ID = 8


def matches(subject: str, record: LogLine | Sample) -> bool:
    """Whether a record belongs to what a person named."""
    return (
        not subject
        or subject in (record.application, record.workload, record.name)
        or (len(subject) >= SHORTEST_ID and record.container.startswith(subject))
    )
