"""What can go wrong while packages are matched."""

from __future__ import annotations

from lading.kernel.errors import LadingError


class MatchError(LadingError):
    """The root of this room's errors."""

    code = "match"
