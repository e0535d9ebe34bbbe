"""What can go wrong while a target is opened and read."""

from __future__ import annotations

from lading.kernel.errors import IntegrityFailure, InvalidInput, LadingError, NotFound, Unavailable


class ScanError(LadingError):
    """The root of this room's errors."""

    code = "scan"


class TargetUnknown(ScanError, NotFound):
    """There is no such target."""

    code = "target_unknown"


class TargetInvalid(ScanError, InvalidInput):
    """A target is not of any kind that can be scanned, or is malformed, or beyond the bounds."""

    code = "target_invalid"


class TargetUnreadable(ScanError, Unavailable):
    """A target cannot be read now: a file without permission, a full disk, an engine that does not answer."""

    code = "target_unreadable"


class ContentAltered(ScanError, IntegrityFailure):
    """A layer has other content than its digest says."""

    code = "content_altered"
