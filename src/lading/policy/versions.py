"""The order of versions, as far as policy needs it: which of some versions is the newest?

The matching room knows every ecosystem's order exactly and is wired in here; `SimpleOrder` is good enough for the
versions that one package's fixes have among themselves.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Protocol


class VersionOrder(Protocol):
    """An ecosystem's order of versions."""

    def newest(self, ecosystem: str, versions: Sequence[str]) -> str:
        """The newest of `versions` (at least one), in the order of `ecosystem`; equal ones: the first.

        A version that the ecosystem cannot read sorts below all that it can; nothing is raised.
        """
        ...


_PART: Final = re.compile(r"\d+|[A-Za-z]+|[~+]")
_BEFORE_RELEASE: Final = frozenset({"a", "alpha", "b", "beta", "c", "rc", "pre", "preview", "dev", "snapshot", "m"})
_END: Final = (2, 0, "")


class SimpleOrder:
    """Numbers by value; `~` and pre-release words before the end, `+` and other letters after; an epoch above all."""

    def newest(self, ecosystem: str, versions: Sequence[str]) -> str:  # noqa: ARG002 - one order for all
        best = versions[0]
        for version in versions[1:]:
            if _key(version) > _key(best):
                best = version
        return best


def _key(version: str) -> tuple[int, list[tuple[int, int, str]]]:
    epoch, colon, rest = version[:200].partition(":")
    first, text = (int(epoch), rest) if colon and epoch.isascii() and epoch.isdigit() else (0, version[:200])
    if len(text) > 1 and text[0] in "vV" and text[1].isdigit():
        text = text[1:]
    return first, [*(_part(part) for part in _PART.findall(text)), _END]


def _part(part: str) -> tuple[int, int, str]:
    if part == "~":
        return 0, 0, ""
    if part[0].isdigit():
        return 4, int(part), ""
    return (1, 0, part.lower()) if part.lower() in _BEFORE_RELEASE else (3, 0, part.lower())
