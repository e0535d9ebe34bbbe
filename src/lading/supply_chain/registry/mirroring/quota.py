"""What registries say about how often they may be asked, read off the headers of an answer.

`RateLimit-Limit: 100;w=21600` and `RateLimit-Remaining: 7;w=21600` as large public registries send them,
`RateLimit-Reset` in seconds (draft-ietf-httpapi-ratelimit-headers, to version 06), `Retry-After` in seconds or as a
date (RFC 9110, section 10.2.3). What is malformed says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final, NamedTuple

_ITEM: Final = re.compile(r"\s*(\d{1,12})\s*(?:;(.*))?", re.ASCII)
_WINDOW: Final = re.compile(r";?\s*w=(\d{1,9})\s*(?:;|$)", re.ASCII)
MOST_REST: Final = timedelta(days=1)
_UNSAID: Final = -1
_REST_UNSAID: Final = 60


class Quota(NamedTuple):
    """Requests in a window of seconds, how many of them are left, and seconds until there are more; -1: not said."""

    limit: int = _UNSAID
    left: int = _UNSAID
    window: int = _UNSAID
    reset: int = _UNSAID

    def rest(self) -> timedelta | None:
        """How long to ask nothing, because nothing is left; None when something is, or nobody said."""
        if self.left != 0:
            return None
        if self.reset > 0:
            seconds = self.reset
        elif self.window > 0 and self.limit > 0:
            # A sliding window gives back one request after this time.
            seconds = -(-self.window // self.limit)
        else:
            seconds = _REST_UNSAID
        return min(timedelta(seconds=seconds), MOST_REST)


def quota_of(headers: Mapping[str, str]) -> Quota | None:
    """What an answer says; None when it says nothing."""
    limit, window = _item(headers.get("ratelimit-limit", ""))
    left, other_window = _item(headers.get("ratelimit-remaining", ""))
    if left < 0:
        return None
    return Quota(limit, left, window if window > 0 else other_window, _item(headers.get("ratelimit-reset", ""))[0])


def retry_after(headers: Mapping[str, str], now: datetime) -> datetime | None:
    """When an answer asks to be asked again, a day ahead at most; None when it does not say."""
    text = headers.get("retry-after", "").strip()
    try:
        if text.isascii() and text.isdigit():
            until = now + timedelta(seconds=min(int(text[:12]), int(MOST_REST.total_seconds())))
        else:
            until = parsedate_to_datetime(text)
            until = until.replace(tzinfo=UTC) if until.tzinfo is None else until
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return max(now, min(until, now + MOST_REST))


def _item(text: str) -> tuple[int, int]:
    """The number of a header and its window."""
    found = _ITEM.fullmatch(text)
    if found is None:
        return _UNSAID, _UNSAID
    window = _WINDOW.search(found[2] or "")
    return int(found[1]), int(window[1]) if window else _UNSAID
