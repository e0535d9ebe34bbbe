"""What can go wrong while packages are matched."""

from __future__ import annotations

from lading.kernel.errors import InvalidInput, LadingError


class MatchError(LadingError):
    """The root of this room's errors."""

    code = "match"


class VexInvalid(MatchError, InvalidInput):
    """A VEX document cannot be read, or does not say enough to be believed."""

    code = "vex_invalid"
