"""Semantic versions (semver.org 2.0.0, section 11): to the letter, and as loosely as npm reads them.

A key is `(major, minor, patch, release, identifiers)`: `release` is 0 for a pre-release, which sorts before it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from lading.supply_chain.match.versions.invalid import VersionInvalid

Identifier = tuple[int, int, str]
SemverKey = tuple[int, int, int, int, tuple[Identifier, ...]]
_PART: Final = r"[0-9A-Za-z-]+"
_PARTS: Final = rf"{_PART}(?:\.{_PART})*"
# npm knows no version of fewer than three numbers; advisories write them, and mean zeros.
_LOOSE: Final = re.compile(
    rf"[v=\s]*([0-9]{{1,20}})(?:(?:\.([0-9]{{1,20}}))?(?:-({_PARTS}))?"
    rf"|\.([0-9]{{1,20}})\.([0-9]{{1,20}})(?:-?({_PARTS}))?)(?:\+{_PARTS})?\s*"
)
_NUMBER: Final = r"(0|[1-9][0-9]{0,19})"
_STRICT_PART: Final = r"(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_STRICT: Final = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-({_STRICT_PART}(?:\.{_STRICT_PART})*))?(?:\+{_PARTS})?"
)
_SHORT: Final = re.compile(rf"{_NUMBER}(?:\.{_NUMBER})?()()")
_MOST_NUMBER: Final = (1 << 64) - 1
_MOST: Final = 300


@lru_cache(maxsize=1 << 16)
def key(version: str) -> SemverKey:
    """The sortable form of `1.2.3-rc.1`, `v1.2`, `=1.2.3`, `1.2.3rc`; raises VersionInvalid. Builds do not count."""
    found = _LOOSE.fullmatch(version) if len(version) <= _MOST else None
    if found is None:
        raise VersionInvalid(f"{version[:100]!r} is not a semantic version")
    return ordered(found[1], found[2] or found[4], found[5], found[3] or found[6])


@lru_cache(maxsize=1 << 16)
def strict_key(version: str) -> SemverKey:
    """The sortable form of a version to the letter of the specification, or of one or two numbers, which advisories
    write and mean zeros; raises VersionInvalid."""
    found = (_STRICT.fullmatch(version) or _SHORT.fullmatch(version)) if len(version) <= _MOST else None
    if found is None or any(int(number or 0) > _MOST_NUMBER for number in found.groups()[:3]):
        raise VersionInvalid(f"{version[:100]!r} is not a semantic version")
    return ordered(found[1], found[2], found[3], found[4])


def ordered(major: str, minor: str | None, patch: str | None, pre_release: str | None) -> SemverKey:
    """The key of a version that was taken apart."""
    identifiers = tuple(identifier(part) for part in pre_release.split(".")) if pre_release else ()
    return int(major), int(minor or 0), int(patch or 0), 0 if identifiers else 1, identifiers


def identifier(part: str) -> Identifier:
    """One identifier of a pre-release: numbers sort by value and before words."""
    return (0, int(part), "") if part.isdigit() else (1, 0, part)
