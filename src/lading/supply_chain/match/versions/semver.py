"""Semantic versions (semver.org 2.0.0, section 11), read as loosely as npm does: `v1.2`, `=1.2.3`, `1`.

A key is `(major, minor, patch, release, identifiers)`: `release` is 0 for a pre-release, which sorts before it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from lading.supply_chain.match.versions.invalid import VersionInvalid

Identifier = tuple[int, int, str]
SemverKey = tuple[int, int, int, int, tuple[Identifier, ...]]
_GRAMMAR: Final = re.compile(
    r"[v=\s]*([0-9]{1,20})(?:\.([0-9]{1,20}))?(?:\.([0-9]{1,20}))?(?:-?([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.+-]*)?\s*"
)
_MOST: Final = 300


@lru_cache(maxsize=1 << 16)
def key(version: str) -> SemverKey:
    """The sortable form; raises VersionInvalid. Build metadata does not count."""
    found = _GRAMMAR.fullmatch(version) if len(version) <= _MOST else None
    if found is None:
        raise VersionInvalid(f"{version[:100]!r} is not a semantic version")
    numbers = int(found[1]), int(found[2] or 0), int(found[3] or 0)
    identifiers = tuple(_identifier(part) for part in found[4].split(".")) if found[4] else ()
    return (*numbers, 0 if identifiers else 1, identifiers)


def _identifier(part: str) -> Identifier:
    return (0, int(part), "") if part.isdigit() else (1, 0, part)
