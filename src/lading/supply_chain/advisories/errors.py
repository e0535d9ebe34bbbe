"""What can go wrong while advisories are taken in."""

from __future__ import annotations

from lading.kernel.errors import InvalidInput, LadingError, Unavailable


class AdvisoryError(LadingError):
    """The root of this room's errors."""

    code = "advisory"


class AdvisoryInvalid(AdvisoryError, InvalidInput):
    """A record or a feed does not have the form it must have."""

    code = "advisory_invalid"


class FeedUnavailable(AdvisoryError, Unavailable):
    """A feed cannot be fetched."""

    code = "feed_unavailable"
