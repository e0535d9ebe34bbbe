"""One thread that follows the log of one container until it has stopped or is gone."""

from __future__ import annotations

import logging
import threading

from lading.observability.collect.intake import Intake
from lading.observability.collect.resume import Resume
from lading.observability.collect.sources import LogSource, LogStream, RawLine, Watched
from lading.observability.errors import SourceGone, SourceUnavailable
from lading.observability.store import LogLine

log = logging.getLogger(__name__)


class Tail:
    """Follows `watched` from where `resume` says. `start` again after an end: it goes on where it stopped.

    `broken` tells why the last reading ended other than by the end of the log; `lost` counts lines read too late to
    be kept.
    """

    def __init__(self, watched: Watched, source: LogSource, intake: Intake, resume: Resume) -> None:
        self.watched = watched
        self.broken = ""
        self.lost = 0
        self._source = source
        self._intake = intake
        self._resume = resume
        self._stream: LogStream | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._activity = 0

    @property
    def reading(self) -> bool:
        """Whether its thread runs."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def activity(self) -> int:
        """A number that changes whenever lines come."""
        return self._activity

    def start(self) -> None:
        """Begin to read, in a thread of its own."""
        self._thread = threading.Thread(target=self.read, name=f"tail-{self.watched.name[:40]}", daemon=True)
        self._thread.start()

    def join(self, seconds: float) -> bool:
        """Wait for the end of the log; whether it came."""
        if self._thread is not None:
            self._thread.join(seconds)
        return not self.reading

    def stop(self) -> None:
        """Read no further."""
        self._stopping.set()
        stream = self._stream
        if stream is not None:
            stream.close()

    def read(self) -> None:
        """Read to the end of the log, or until stopped."""
        self.broken = ""
        try:
            stream = self._source.follow(self.watched.id, self._resume.restart())
            self._stream = stream
            if self._stopping.is_set():
                stream.close()
            for batch in stream:
                self._activity += len(batch)
                self._hand_over([line for raw in batch if (line := self._admit(raw)) is not None])
        except SourceGone:
            log.debug("container gone before its log was read", extra={"container": self.watched.id})
        except SourceUnavailable as error:
            self.broken = error.what
        finally:
            self._stream = None

    def _hand_over(self, lines: list[LogLine]) -> None:
        if lines and not self._intake.put(self.watched.id, lines):
            self.lost += len(lines)

    def _admit(self, raw: RawLine) -> LogLine | None:
        position = self._resume.admit(raw)
        if position is None:
            return None
        who = self.watched
        return LogLine(who.id, who.name, who.workload, who.application, raw.stream, *position, raw.text, raw.truncated)
