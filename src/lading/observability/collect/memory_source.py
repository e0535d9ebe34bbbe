"""An engine in memory: what it is told to have written is what is read. For trying things out and for tests."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

from lading.observability.collect.sources import LogStream, RawLine, Usage, Watched
from lading.observability.errors import SourceGone, SourceUnavailable


class MemoryEngine:
    """A LogSource and StatsSource. `alive = False` makes it refuse and break every stream."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._containers: dict[str, Watched] = {}
        self._lines: dict[str, list[RawLine]] = {}
        self._usage: dict[str, Usage] = {}
        self._alive = True

    def start(self, watched: Watched) -> None:
        """Have a container, or start it again."""
        with self._changed:
            self._containers[watched.id] = watched._replace(running=True)
            self._lines.setdefault(watched.id, [])

    def write(self, container: str, *lines: RawLine) -> None:
        """Let a container write."""
        with self._changed:
            self._lines[container].extend(lines)
            self._changed.notify_all()

    def use(self, container: str, usage: Usage) -> None:
        """Set what a container uses."""
        self._usage[container] = usage

    def stop(self, container: str) -> None:
        """Let a container end; it stays listed."""
        with self._changed:
            self._containers[container] = self._containers[container]._replace(running=False)
            self._changed.notify_all()

    def remove(self, container: str) -> None:
        """Let a container and all it wrote be gone."""
        with self._changed:
            self._containers.pop(container, None)
            self._lines.pop(container, None)
            self._changed.notify_all()

    def set_alive(self, alive: bool) -> None:
        """Let the engine die or come back."""
        with self._changed:
            self._alive = alive
            self._changed.notify_all()

    def containers(self) -> Sequence[Watched]:
        with self._changed:
            self._check()
            return list(self._containers.values())

    def follow(self, container: str, since: int) -> LogStream:
        with self._changed:
            self._check()
            if container not in self._containers:
                raise SourceGone(f"There is no container {container}.")
        return _MemoryStream(self, container, since)

    def usage(self, container: str) -> Usage:
        with self._changed:
            self._check()
            if container not in self._containers:
                raise SourceGone(f"There is no container {container}.")
            return self._usage.get(container, Usage())

    def lines_after(self, container: str, index: int, closed: threading.Event) -> list[RawLine] | None:
        """Wait for lines beyond `index`; None at the end."""
        with self._changed:
            while not closed.is_set():
                self._check()
                lines = self._lines.get(container)
                watched = self._containers.get(container)
                if lines is not None and len(lines) > index:
                    return lines[index:]
                if watched is None or not watched.running:
                    return None
                self._changed.wait(0.05)
        return None

    def _check(self) -> None:
        if not self._alive:
            raise SourceUnavailable("The engine in memory is dead.")


class _MemoryStream:
    def __init__(self, engine: MemoryEngine, container: str, since: int) -> None:
        self._engine = engine
        self._container = container
        self._since = since
        self._closed = threading.Event()

    def __iter__(self) -> Iterator[Sequence[RawLine]]:
        index = 0
        while (lines := self._engine.lines_after(self._container, index, self._closed)) is not None:
            index += len(lines)
            yield [line for line in lines if line.at >= self._since]

    def close(self) -> None:
        self._closed.set()
