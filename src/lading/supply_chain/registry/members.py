"""What an index lists, for whom, and which of it counts: an index is as good as its worst platform.

Builders list attestations beside images, for a platform that is none (`unknown/unknown`); no engine chooses those, and
whoever asks for one by its digest is answered by its own state.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from lading.state import Transaction
from lading.supply_chain.registry.manifest import IMAGES, INDEXES, MOST_NESTING
from lading.supply_chain.registry.sql import reading as sql

MOST_MEMBERS: Final = 1_000
_NO_PLATFORM: Final = "unknown/unknown"


class Member(NamedTuple):
    """An image or index that an index lists, directly or through another; `platform` is empty when nobody says."""

    digest: str
    platform: str


def members_of(tx: Transaction, index: str, platforms: Collection[str] = ()) -> Sequence[Member]:
    """What decides how good an index is; nothing for an image.

    What an entry of an index calls itself is not believed: whatever lists something in turn is looked into.

    Args:
        platforms: only what is for one of these (`os/architecture`), or for nobody knows what; everything when no image
            is for one of them.
    """
    found: dict[str, Member] = {}
    waiting = {index: ""}
    for _ in range(MOST_NESTING):
        rows = sql.member_rows(tx, waiting, MOST_MEMBERS + 1) if waiting and len(found) <= MOST_MEMBERS else ()
        outer, waiting = waiting, {}
        for row in rows:
            if row.digest in found or row.platform == _NO_PLATFORM or row.media_type not in IMAGES | INDEXES:
                continue
            platform = row.platform or outer[row.manifest]
            found[row.digest] = Member(row.digest, platform)
            waiting[row.digest] = platform
    everything = list(found.values())
    if not any(member.platform in platforms for member in everything):
        return everything
    return [member for member in everything if member.platform in platforms or not member.platform]
