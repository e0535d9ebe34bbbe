"""Refused pulls on their way to the ledger: the appending side.

The pull endpoint cannot write facts, so it appends lines to a file, and the worker takes them in (`refusals.take_in`).
Each process has files of its own and holds a shared lock on the one it appends to: the worker knows from the lock that
nothing more will come, and removes the file.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
from pathlib import Path
from typing import Final

import msgspec

from lading.kernel.ids import new_id

MOST_BYTES: Final = 16 << 20
MOST_FILE_BYTES: Final = 1 << 20
PATTERN: Final = "refused-pulls-*.jsonl"
_MOST_TEXT: Final = 500
_log: Final = logging.getLogger(__name__)


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """One refused pull, as it stands in the file."""

    digest: str
    repository: str
    principal: str
    reason: str


class RefusalSpool:
    """Appends refusals. Beyond 16 MiB that nobody took in, further ones are dropped, and the log says so."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._directory = directory
        self._lock = threading.Lock()
        self._descriptor: int | None = None

    def add(self, digest: str, repository: str, principal: str, reason: str) -> None:
        """Append one refusal; it survives the process. Never raises: the pull stays refused when the disk is full."""
        refusal = Refusal(digest=digest, repository=repository, principal=principal, reason=reason[:_MOST_TEXT])
        try:
            with self._lock:
                self._append(msgspec.json.encode(refusal) + b"\n")
        except OSError as error:
            _log.error("a refused pull could not be noted", extra={"digest": digest, "error": str(error)})

    def close(self) -> None:
        """Let go of the file, so that the worker can remove it."""
        with self._lock:
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None

    def _append(self, line: bytes) -> None:
        if self._descriptor is None or os.fstat(self._descriptor).st_size >= MOST_FILE_BYTES:
            if sum(path.stat().st_size for path in self._directory.glob(PATTERN)) >= MOST_BYTES:
                _log.error("refused pulls are not taken in and no longer noted", extra={"spool": str(self._directory)})
                return
            self._turn()
        assert self._descriptor is not None
        os.write(self._descriptor, line)

    def _turn(self) -> None:
        """Go on in a new file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        path = self._directory / f"refused-pulls-{new_id()}.jsonl"
        # Locked under a name that the worker does not look at, so that it never takes a new file for an abandoned one.
        hidden = path.with_suffix(".new")
        descriptor = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        hidden.rename(path)
        self._descriptor = descriptor
