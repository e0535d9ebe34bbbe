"""The root of every error Lading raises on purpose.

A message says what happened, to what, and what to do next. Each domain has one root below `LadingError`; adapters
translate third-party exceptions into it and chain the cause. Wire codes (HTTP status, OCI error code) are mapped only
in `entrypoints`; the exit codes of the command line are part of the error because scripts depend on them.
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """Exit codes of the `lading` command, stable across releases."""

    OK = 0
    FAILED = 1
    USAGE = 2
    REFUSED = 3
    NOT_FOUND = 4
    UNAVAILABLE = 5
    UNAUTHENTICATED = 6
    FORBIDDEN = 7
    CONFLICT = 8
    INTEGRITY = 9
    INTERRUPTED = 130


class LadingError(Exception):
    """What happened, to what, and what to do next.

    Args:
        what: one sentence about what happened, naming the thing it happened to.
        remedy: one sentence about what the reader can do; empty when there is nothing to do.
        details: short strings shown below the message (lines of a build log, offending keys). Never secrets.
    """

    code: ClassVar[str] = "error"
    exit_code: ClassVar[ExitCode] = ExitCode.FAILED

    def __init__(self, what: str, *, remedy: str = "", details: tuple[str, ...] = ()) -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy
        self.details = details

    def __str__(self) -> str:
        return f"{self.what} {self.remedy}".rstrip()


class InvalidInput(LadingError):
    """Something handed in does not have the form it must have."""

    code = "invalid_input"
    exit_code = ExitCode.USAGE


class NotFound(LadingError):
    """The thing asked for does not exist, or the asker may not know that it does."""

    code = "not_found"
    exit_code = ExitCode.NOT_FOUND


class Conflict(LadingError):
    """The request contradicts the present state (an illegal move, a name that is taken)."""

    code = "conflict"
    exit_code = ExitCode.CONFLICT


class Refused(LadingError):
    """A policy said no. The message carries the explanation."""

    code = "refused"
    exit_code = ExitCode.REFUSED


class Unavailable(LadingError):
    """Something Lading depends on does not answer (engine, database, registry, disk)."""

    code = "unavailable"
    exit_code = ExitCode.UNAVAILABLE


class Unauthenticated(LadingError):
    """Nobody proved who is asking."""

    code = "unauthenticated"
    exit_code = ExitCode.UNAUTHENTICATED


class Forbidden(LadingError):
    """The asker is known and may not do this."""

    code = "forbidden"
    exit_code = ExitCode.FORBIDDEN


class IntegrityFailure(LadingError):
    """Content does not match what was recorded of it: a digest, a signature, a link of the ledger."""

    code = "integrity"
    exit_code = ExitCode.INTEGRITY
