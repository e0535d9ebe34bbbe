"""Which points are kept, and which sets nobody needs any more."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from lading.continuity.point import DIGITS, SET, Point, points
from lading.continuity.repository import Snapshot, Vault
from lading.kernel.clock import parse_timestamp, timestamp
from lading.kernel.errors import InvalidInput

# A set without a point may belong to a backup that is being taken on another machine.
_YOUNG: Final = timedelta(days=2)
_RULE: Final = re.compile(r"(last|hourly|daily|weekly|monthly)=(\d{1,5})")
_PERIODS: Final[dict[str, Callable[[datetime], str]]] = {
    "hourly": lambda moment: moment.strftime("%Y-%m-%d %H"),
    "daily": lambda moment: moment.strftime("%Y-%m-%d"),
    "weekly": lambda moment: moment.strftime("%G-%V"),
    "monthly": lambda moment: moment.strftime("%Y-%m"),
}


@dataclass(frozen=True, slots=True)
class Keep:
    """How many points are kept: the last ones, and the last one of each of so many hours, days, weeks and months."""

    counts: dict[str, int]

    @classmethod
    def parse(cls, text: str) -> Keep:
        """Read `last=24,daily=14,…`.

        Raises:
            InvalidInput: it says something else, or would keep nothing.
        """
        counts: dict[str, int] = {}
        for word in filter(None, (part.strip() for part in text.split(","))):
            found = _RULE.fullmatch(word)
            if found is None:
                raise InvalidInput(f"{word!r} does not say which backups to keep.", remedy="Write last=24,daily=14.")
            counts[found[1]] = int(found[2])
        if not any(counts.values()):
            raise InvalidInput(f"{text!r} would keep no backup.", remedy="Write last=24,daily=14 or the like.")
        return cls(counts)

    def kept(self, found: Sequence[Point]) -> set[str]:
        """The snapshots of the points that stay; the youngest always does."""
        newest = sorted(found, key=lambda point: point.at, reverse=True)
        stay = {point.snapshot for point in newest[: max(1, self.counts.get("last", 0))]}
        for name, period in _PERIODS.items():
            seen: list[str] = []
            for point in newest:
                here = period(parse_timestamp(point.at))
                if here not in seen and len(seen) < self.counts.get(name, 0):
                    seen.append(here)
                    stay.add(point.snapshot)
        return stay


def unneeded(snapshots: Sequence[Snapshot], keep: Keep, now: datetime) -> list[str]:
    """The snapshots to forget: points beyond what is kept, and old sets that no point that stays needs."""
    found = points(snapshots)
    stay = keep.kept(found)
    needed = {start for point in found if point.snapshot in stay for start in point.sets}
    young = timestamp(now - _YOUNG)
    sets = [item for item in snapshots if item.tags.get("kind") == SET]
    gone = [item.id for item in sets if item.id[:DIGITS] not in needed and item.tags.get("at", "") < young]
    return [point.snapshot for point in found if point.snapshot not in stay] + gone


def tidy(vault: Vault, keep: Keep, now: datetime) -> int:
    """Forget what is not kept and give its space back; returns how many snapshots went."""
    gone = unneeded(vault.snapshots(), keep, now)
    if gone:
        vault.forget(gone)
        vault.prune()
    return len(gone)
