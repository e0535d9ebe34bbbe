"""Reading parts with DuckDB. No lock: a part that a compaction removed between listing and opening is a reason to
list again, never an error a reader sees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import duckdb

from lading.observability.errors import StoreUnavailable
from lading.observability.store import parts
from lading.observability.store.records import (
    SAMPLES_STREAM,
    SHORTEST_ID,
    LogLine,
    LogQuery,
    Position,
    Sample,
    SampleQuery,
    StreamState,
)

_TRIES: Final = 8
_T = TypeVar("_T")
_LOG_COLUMNS: Final = ", ".join(f'"{name}"' for name in LogLine._fields)
_SAMPLE_COLUMNS: Final = ", ".join(f'"{name}"' for name in Sample._fields)
_WITHIN: Final = """
    "at" >= $since AND "at" < $until
    AND ($subject = '' OR application = $subject OR workload = $subject OR "name" = $subject
         OR (length($subject) >= $shortest AND starts_with(container, $subject)))
"""


class DuckReader:
    """Answers questions from the parts of one directory. Every call stands alone, so threads may share it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def logs(self, query: LogQuery) -> list[LogLine]:
        """See TelemetryStore.logs. Days are read from the wanted end until there are enough lines."""
        found: list[LogLine] = []
        for day in self._days(parts.LOGS, query.since, query.until, newest=query.newest):
            wanted = query.limit - len(found)
            if wanted <= 0:
                break
            of_day = self._read(parts.LOGS, [day], partial(_logs_of_day, query, wanted))
            found = of_day + found if query.newest else found + of_day
        return found

    def samples(self, query: SampleQuery) -> list[Sample]:
        """See TelemetryStore.samples."""
        chosen = self._days(parts.SAMPLES, query.since, query.until, newest=False)
        return self._read(parts.SAMPLES, chosen, lambda run: _samples(run, query))

    def streams(self, containers: Sequence[str]) -> list[StreamState]:
        """See TelemetryStore.streams."""
        if not containers:
            return []
        found: list[StreamState] = []
        for kind, ask in ((parts.LOGS, _streams), (parts.SAMPLES, _sampled)):
            found += self._read(kind, parts.days(self._directory / kind), partial(ask, containers))
        return sorted(found)

    def newest(self, path: Path) -> int:
        """The last moment that a part holds a record of; 0 for an empty one."""
        with duckdb.connect(":memory:") as connection:
            found = connection.execute('SELECT max("at") FROM read_parquet(?)', [str(path)]).fetchone()
        return int(found[0] or 0) if found else 0

    def _days(self, kind: str, since: int, until: int, *, newest: bool) -> list[str]:
        every = parts.days(self._directory / kind)
        chosen = [day for day in every if parts.day_starts(day) < until and day >= parts.day_of(max(since, 0))]
        return chosen[::-1] if newest else chosen

    def _read(self, kind: str, days: Sequence[str], ask: Callable[[_Run], list[_T]]) -> list[_T]:
        """Ask over the live parts of `days`; when one vanishes meanwhile, over the ones that took its place."""
        failure: Exception | None = None
        for _ in range(_TRIES):
            files = [str(part.path) for day in days for part in parts.live_parts(self._directory / kind, day)]
            if not files:
                return []
            try:
                with duckdb.connect(":memory:", config=_CONFIG) as connection:
                    return ask(_run(connection, files))
            except duckdb.IOException as error:
                failure = error
                if all(Path(file).exists() for file in files):
                    break
            except duckdb.Error as error:
                failure = error
                break
        raise StoreUnavailable(
            f"The telemetry store {self._directory} cannot be read: {str(failure)[:200]}.",
            remedy="Move the named part away; the others stay readable.",
        ) from failure


_Run = Callable[[str, dict[str, Any]], list[Any]]


def _run(connection: Any, files: list[str]) -> _Run:
    return lambda sql, values: list(connection.execute(sql, values | {"files": files}).fetchall())


_CONFIG: Final = {
    "threads": "2",
    "memory_limit": "512MB",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}


def _logs_of_day(query: LogQuery, wanted: int, run: _Run) -> list[LogLine]:
    direction = "DESC" if query.newest else "ASC"
    sql = f"""
        SELECT {_LOG_COLUMNS} FROM read_parquet($files)
        WHERE {_WITHIN} AND ($grep = '' OR contains(line, $grep))
        ORDER BY "at" {direction}, seq {direction}, container {direction}, stream {direction} LIMIT $wanted
    """  # noqa: S608 - our own column names
    rows = run(sql, _bounds(query) | {"grep": query.grep, "wanted": wanted})
    lines = [LogLine(*row) for row in rows]
    return lines[::-1] if query.newest else lines


def _samples(run: _Run, query: SampleQuery) -> list[Sample]:
    last = 'QUALIFY row_number() OVER (PARTITION BY container, "at" // $step ORDER BY "at" DESC) = 1'
    sql = f"""
        SELECT {_SAMPLE_COLUMNS} FROM read_parquet($files) WHERE {_WITHIN} {last if query.step else ""}
        ORDER BY "at" DESC LIMIT $wanted
    """  # noqa: S608 - our own column names
    step = {"step": query.step} if query.step else {}
    rows = run(sql, _bounds(query) | step | {"wanted": query.limit})
    return sorted((Sample(*row) for row in rows), key=lambda one: (one.container, one.at))


def _streams(containers: Sequence[str], run: _Run) -> list[StreamState]:
    sql = """
        SELECT container, stream, max({'at': "at", 'seq': seq}), count(*), sum(strlen(line))
        FROM read_parquet($files) WHERE list_contains($containers, container) GROUP BY container, stream
    """
    rows = run(sql, {"containers": list(containers)})
    return [
        StreamState(container, stream, Position(last["at"], last["seq"]), lines, int(size or 0))
        for container, stream, last, lines, size in rows
    ]


def _sampled(containers: Sequence[str], run: _Run) -> list[StreamState]:
    sql = """
        SELECT container, max("at"), count(*)
        FROM read_parquet($files) WHERE list_contains($containers, container) GROUP BY container
    """
    rows = run(sql, {"containers": list(containers)})
    return [StreamState(container, SAMPLES_STREAM, Position(last, 0), count, 0) for container, last, count in rows]


def _bounds(query: LogQuery | SampleQuery) -> dict[str, Any]:
    return {"since": query.since, "until": query.until, "subject": query.subject, "shortest": SHORTEST_ID}
