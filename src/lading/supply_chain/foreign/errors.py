"""What can go wrong while a report is taken in."""

from __future__ import annotations

from lading.kernel.errors import Conflict, InvalidInput, LadingError


class ForeignError(LadingError):
    """The root of this room's errors."""

    code = "report"


class ReportInvalid(ForeignError, InvalidInput):
    """A report is malformed, beyond the bounds, or of a form that is not read."""

    code = "report_invalid"


class ReportMismatch(ForeignError, Conflict):
    """A report says that it is about another image."""

    code = "report_mismatch"
