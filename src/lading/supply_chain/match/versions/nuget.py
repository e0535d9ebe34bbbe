"""NuGet versions: SemVer 2.0.0 with up to four numbers, labels without regard to case, as NuGetVersion orders."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from lading.supply_chain.match.versions.invalid import VersionInvalid

NugetKey = tuple[int, int, int, int, int, tuple[tuple[int, int, str], ...]]
_GRAMMAR: Final = re.compile(
    r"([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?(?:\.([0-9]+))?"
    r"(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
)
_INTEGER: Final = re.compile(r"-?[0-9]+")
_MOST_NUMBER: Final = (1 << 31) - 1
_MOST: Final = 300


@lru_cache(maxsize=1 << 16)
def key(version: str) -> NugetKey:
    """The sortable form; raises VersionInvalid. Numbers are of 32 bits, as in .NET."""
    found = _GRAMMAR.fullmatch(version.strip()) if len(version) <= _MOST else None
    numbers = [int(part or 0) for part in found.groups()[:4]] if found else []
    if found is None or max(numbers) > _MOST_NUMBER:
        raise VersionInvalid(f"{version[:100]!r} is not a NuGet version")
    labels = tuple(_label(part) for part in found[5].split(".")) if found[5] else ()
    return numbers[0], numbers[1], numbers[2], numbers[3], 0 if labels else 1, labels


def _label(part: str) -> tuple[int, int, str]:
    """A label that .NET reads as a 32-bit integer is a number and comes before words."""
    if _INTEGER.fullmatch(part) and -_MOST_NUMBER - 1 <= int(part) <= _MOST_NUMBER:
        return 0, int(part), ""
    return 1, 0, part.upper()
