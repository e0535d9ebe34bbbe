"""Go module versions, as golang.org/x/mod/semver orders them, and releases of Go itself (`go1.21rc2`).

The `v` may be missing, as in the Go vulnerability database. Pseudo-versions are pre-releases and need no rule of their
own; `+incompatible` is build metadata and does not count.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from lading.supply_chain.match.versions.invalid import VersionInvalid
from lading.supply_chain.match.versions.semver import SemverKey, ordered

_NUMBER: Final = r"(0|[1-9][0-9]{0,99})"
_IDENTIFIER: Final = r"(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_GRAMMAR: Final = re.compile(
    rf"v?{_NUMBER}(?:\.{_NUMBER}(?:\.{_NUMBER}"
    rf"(?:-({_IDENTIFIER}(?:\.{_IDENTIFIER})*))?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?)?)?"
)
_RELEASE: Final = re.compile(r"go([0-9]{1,9})(?:\.([0-9]{1,9}))?(?:\.([0-9]{1,9}))?(?:(beta|rc)([0-9]{1,9}))?")
_MOST: Final = 300


@lru_cache(maxsize=1 << 16)
def key(version: str) -> SemverKey:
    """The sortable form; raises VersionInvalid."""
    if len(version) <= _MOST:
        found = _GRAMMAR.fullmatch(version)
        if found is not None:
            return ordered(found[1], found[2], found[3], found[4])
        release = _RELEASE.fullmatch(version)
        if release is not None:
            return ordered(release[1], release[2], release[3], f"{release[4]}.{release[5]}" if release[4] else None)
    raise VersionInvalid(f"{version[:100]!r} is not a Go version")
