"""Every rule's trigger looked for at once, by an automaton whose time is linear in the content, whatever it holds.

Vectorscan (BSD) does it, so that rules need no regular expressions over whole files: those only see the places that it
names. It is the only module that knows the library.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from threading import Lock
from typing import Final

import hyperscan

from lading.supply_chain.secrets.form import Form

_compiling: Final = Lock()


class Prefilter:
    """Finds where rules have to look. Not to be shared by threads: take one for each reading."""

    def __init__(self, forms: Sequence[Form]) -> None:
        with _compiling:
            self._database = _compiled(tuple(form.trigger for form in forms))
        self._scratch = hyperscan.Scratch(self._database)
        self._reaches = [(form.back, form.reach) for form in forms]
        self._windows: dict[int, list[list[int]]] = {}
        self._most = 0
        self.strikes = 0

    def windows(self, content: bytes, most: int) -> dict[int, list[list[int]]]:
        """By the number of a form: stretches `[low, high]` of the content that its pattern is to be tried on.

        They are in order and do not overlap. `strikes` counts up; when it would pass `most` the search stops there.
        """
        self._windows = {}
        self._most = most
        if not content:
            return self._windows
        with suppress(hyperscan.ScanTerminated):
            self._database.scan(content, match_event_handler=self._strike, scratch=self._scratch)
        return self._windows

    def _strike(self, number: int, _start: int, end: int, _flags: int, _context: object) -> bool | None:
        back, reach = self._reaches[number]
        low, high = max(0, end - back), end + reach
        windows = self._windows.setdefault(number, [])
        if windows and windows[-1][1] >= low:
            windows[-1][0] = min(windows[-1][0], low)
            windows[-1][1] = max(windows[-1][1], high)
        else:
            windows.append([low, high])
        self.strikes += 1
        return self.strikes > self._most or None


@cache
def _compiled(triggers: tuple[bytes, ...]) -> hyperscan.Database:
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    database.compile(
        expressions=list(triggers),
        ids=list(range(len(triggers))),
        elements=len(triggers),
        flags=hyperscan.HS_FLAG_DOTALL,
    )
    return database
