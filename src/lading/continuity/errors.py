"""What can go wrong with backups and restores."""

from __future__ import annotations

from lading.kernel.errors import Conflict, IntegrityFailure, InvalidInput, LadingError, NotFound, Unavailable


class ContinuityError(LadingError):
    """The root of this room's errors."""


class NotConfigured(ContinuityError, InvalidInput):
    """Nobody said where backups go, or with which password."""


class ToolMissing(ContinuityError, Unavailable):
    """A program that is needed is not installed, or is too old."""


class RepositoryFailed(ContinuityError, Unavailable):
    """The repository cannot be reached, read or written."""


class RepositoryAbsent(ContinuityError, NotFound):
    """There is no repository at the place that is set."""


class RepositoryBusy(ContinuityError, Conflict):
    """Another process holds the repository, or another backup is under way."""


class WrongPassword(ContinuityError, InvalidInput):
    """The password does not open the repository."""


class BackupDamaged(ContinuityError, IntegrityFailure):
    """What was backed up is not there any more, or is not what it was."""


class BackupUnknown(ContinuityError, NotFound):
    """There is no such backup."""


class RestoreRefused(ContinuityError, Conflict):
    """The place of a restore is in use or not empty."""


class CopyFailed(ContinuityError, Unavailable):
    """The database could not be copied or loaded."""
