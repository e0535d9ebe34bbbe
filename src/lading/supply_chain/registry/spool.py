"""What the pull endpoint has to say, on its way to the database: the appending side.

The pull endpoint cannot write, so it appends lines to files, and the worker takes them in (`taking_in`). Each process
has files of its own and holds a shared lock on the one it appends to: the worker knows from the lock that nothing more
will come, and removes the file.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
from datetime import timedelta
from pathlib import Path
from typing import Final

import msgspec

from lading.kernel.clock import Clock, SystemClock, timestamp
from lading.kernel.ids import new_id
from lading.kernel.repeats import Repeats, Times

MOST_BYTES: Final = 16 << 20
MOST_FILE_BYTES: Final = 1 << 20
REFUSALS: Final = "refused-pulls"
PULLS: Final = "answered-pulls"
STALE: Final = "stale-pulls"
PULLS_WAIT: Final = timedelta(seconds=2)
STALE_WAIT: Final = timedelta(minutes=1)
_MOST_STALE: Final = 1_000
_MOST_TEXT: Final = 500
_log: Final = logging.getLogger(__name__)


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """One refused pull, as it stands in the file."""

    digest: str
    repository: str
    principal: str
    reason: str
    times: int = 1


class PullCount(msgspec.Struct, frozen=True, kw_only=True):
    """How often a manifest was pulled since the last line about it, and when last."""

    digest: str
    repository: str
    times: int
    last: str


class StaleNote(msgspec.Struct, frozen=True, kw_only=True):
    """Something was served that may be old."""

    digest: str
    repository: str
    reference: str
    why: str


class Spool:
    """Appends lines to files. Beyond 16 MiB that nobody took in, further ones are dropped, and the log says so."""

    def __init__(self, directory: Path, name: str) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._directory = directory
        self._name = name
        self._lock = threading.Lock()
        self._descriptor: int | None = None

    def append(self, *items: msgspec.Struct) -> None:
        """Append a line for each; they survive the process. Never raises: a full disk must not fail a request."""
        try:
            with self._lock:
                self._append(b"".join(msgspec.json.encode(item) + b"\n" for item in items))
        except OSError as error:
            _log.error(
                "what the pull endpoint saw could not be noted", extra={"spool": self._name, "error": str(error)}
            )

    def close(self) -> None:
        """Let go of the file, so that the worker can remove it."""
        with self._lock:
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None

    def _append(self, lines: bytes) -> None:
        if self._descriptor is None or os.fstat(self._descriptor).st_size >= MOST_FILE_BYTES:
            if sum(path.stat().st_size for path in self._directory.glob(pattern(self._name))) >= MOST_BYTES:
                _log.error("nobody takes in what the pull endpoint saw", extra={"spool": self._name})
                return
            self._turn()
        assert self._descriptor is not None
        os.write(self._descriptor, lines)

    def _turn(self) -> None:
        """Go on in a new file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        path = self._directory / f"{self._name}-{new_id()}.jsonl"
        # Locked under a name that the worker does not look at, so that it never takes a new file for an abandoned one.
        hidden = path.with_suffix(".new")
        descriptor = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        hidden.rename(path)
        self._descriptor = descriptor


class PullNotes:
    """What the pull endpoint notes down: refusals at once, answered pulls added up and every two seconds.

    A process that is killed loses the counts of its last two seconds, and no first refusal.
    """

    def __init__(self, directory: Path, clock: Clock | None = None) -> None:
        self._refusals = Spool(directory, REFUSALS)
        self._repeats: Repeats[Refusal] = Repeats(self._say, _wider, clock)
        self._pulls = Spool(directory, PULLS)
        self._stale = Spool(directory, STALE)
        self._stale_noted: dict[tuple[str, str], float] = {}
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, str], int] = {}
        self._timer: threading.Timer | None = None

    def refused(self, digest: str, repository: str, principal: str, reason: str) -> None:
        """Note a refused pull; the same again within a minute is counted, and noted once more then."""
        text = reason[:_MOST_TEXT]
        self._repeats.note(Refusal(digest=digest, repository=repository, principal=principal, reason=text))

    def stale(self, digest: str, repository: str, reference: str, why: str) -> None:
        """Note that something was served that may be old, once a minute for each reference."""
        now = self._clock.monotonic()
        with self._lock:
            noted = self._stale_noted.get((repository, reference))
            if noted is not None and now - noted < STALE_WAIT.total_seconds():
                return
            if len(self._stale_noted) >= _MOST_STALE:
                self._stale_noted.clear()
            self._stale_noted[repository, reference] = now
        self._stale.append(StaleNote(digest=digest, repository=repository, reference=reference, why=why[:_MOST_TEXT]))

    def pulled(self, repository: str, digest: str) -> None:
        """Count an answered pull of a manifest."""
        with self._lock:
            self._counts[repository, digest] = self._counts.get((repository, digest), 0) + 1
            if self._timer is None:
                self._timer = threading.Timer(PULLS_WAIT.total_seconds(), self.flush)
                self._timer.daemon = True
                self._timer.start()

    def flush(self) -> None:
        """Write down what was counted."""
        with self._lock:
            counts, self._counts, self._timer = self._counts, {}, None
        now = timestamp(self._clock.now())
        lines = [
            PullCount(digest=digest, repository=repository, times=times, last=now)
            for (repository, digest), times in counts.items()
        ]
        if lines:
            self._pulls.append(*lines)

    def close(self) -> None:
        """Write down what was counted, and let go of the files."""
        with self._lock:
            timer = self._timer
        if timer is not None:
            timer.cancel()
        self.flush()
        self._repeats.close()
        self._refusals.close()
        self._pulls.close()
        self._stale.close()

    def _say(self, refusal: Refusal, times: Times) -> None:
        self._refusals.append(msgspec.structs.replace(refusal, times=times.count))


def _wider(refusal: Refusal) -> tuple[Refusal, Refusal]:
    """Each is about content that is there, so their number is bounded by it; whose and why is not."""
    return refusal, msgspec.structs.replace(refusal, principal="various", reason="various")


def pattern(name: str) -> str:
    """What the files of a spool are called."""
    return f"{name}-*.jsonl"
