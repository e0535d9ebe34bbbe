"""Where reading goes on, so that a line is neither lost nor kept twice, whenever a process was killed.

What one append made durable was read before everything that it did not, so reading starts a little before the youngest
kept line of any stream, and each stream passes over what it has. Within a stream lines come in the order of their
writing; between the streams of a container the engine may swap lines that are a few milliseconds apart, hence the
overlap.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lading.observability.collect.sources import RawLine
from lading.observability.store import Position

OVERLAP: Final = 1_000_000


class Resume:
    """Numbers the lines of one container and passes over those that are kept already.

    Args:
        kept: the last kept position of each stream.
        floor: nothing before this moment (microseconds) is wanted.
    """

    def __init__(self, kept: Mapping[str, Position], floor: int = 0) -> None:
        self._floor = floor
        self._kept = dict(kept)
        self._passing: dict[str, Position] = {}
        self._last: dict[str, Position] = {}
        self.restart()

    def restart(self) -> int:
        """Get ready for reading from the moment that is returned."""
        self._passing = dict(self._kept)
        self._last = {}
        youngest = max((position.at for position in self._kept.values()), default=0)
        return max(self._floor, youngest - OVERLAP, 0)

    def admit(self, raw: RawLine) -> Position | None:
        """The position of a line that is not kept yet; None for one to pass over."""
        last = self._last.get(raw.stream)
        here = Position(raw.at, last.seq + 1 if last is not None and last.at == raw.at else 0)
        self._last[raw.stream] = here
        passing = self._passing.get(raw.stream)
        if passing is not None:
            if here >= passing:
                del self._passing[raw.stream]
            if here <= passing:
                return None
        if raw.at < self._floor:
            return None
        self._kept[raw.stream] = here
        return here
