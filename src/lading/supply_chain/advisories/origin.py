"""Where a feed came from, and how old what it says is."""

from __future__ import annotations

import msgspec


class Origin(msgspec.Struct, frozen=True, omit_defaults=True):
    """Of which place and version content is: its address, what the place calls the version, the digest of the file,
    and when that was fetched or found unchanged (RFC 3339)."""

    address: str = ""
    etag: str = ""
    file: str = ""
    fetched: str = ""


class FeedStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A feed as it was last taken in.

    `age_days` counts from when its place was last asked, or from its youngest record when it came as a file; after
    `stale_days` (0: never) it is stale. `error` says why the last attempt to fetch it failed.
    """

    source: str
    records: int
    withdrawn: int
    newest: str
    imported: str
    content: str
    age_days: float
    stale_days: int = 0
    is_stale: bool = False
    address: str = ""
    etag: str = ""
    file: str = ""
    fetched: str = ""
    tried: str = ""
    error: str = ""
    stale_since: str = ""
