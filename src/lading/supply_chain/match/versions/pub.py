"""Dart's Pub versions: semantic versions in which, unlike elsewhere, build metadata counts (package:pub_semver)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from lading.supply_chain.match.versions.invalid import VersionInvalid
from lading.supply_chain.match.versions.semver import Identifier, SemverKey, identifier, ordered

_PARTS: Final = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_GRAMMAR: Final = re.compile(rf"([0-9]{{1,20}})\.([0-9]{{1,20}})\.([0-9]{{1,20}})(?:-({_PARTS}))?(?:\+({_PARTS}))?")
_MOST: Final = 300


@lru_cache(maxsize=1 << 12)
def key(version: str) -> tuple[SemverKey, tuple[Identifier, ...]]:
    """The sortable form; raises VersionInvalid. A version with a build is above the same one without."""
    found = _GRAMMAR.fullmatch(version) if len(version) <= _MOST else None
    if found is None:
        raise VersionInvalid(f"{version[:100]!r} is not a Pub version")
    build = tuple(identifier(part) for part in found[5].split(".")) if found[5] else ()
    return ordered(found[1], found[2], found[3], found[4]), build
