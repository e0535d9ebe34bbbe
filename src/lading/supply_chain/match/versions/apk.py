"""Alpine versions (apk-tools 3), also of Wolfi and Chainguard, as tuples that sort as apk compares.

    number{.number}…{letter}{_suffix{number}}…{~hash}{-rnumber}

Two versions are compared part by part. Where their parts differ in kind, one that goes on with a pre-release suffix is
the lower; otherwise the kind that stands further left in the grammar is the higher, and the end is the lowest. What
does not follow the grammar counts up to there, and less than if it ended there: advisories have such versions.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

from lading.supply_chain.match.versions.invalid import VersionInvalid

_LEGAL: Final = re.compile(
    r"(?P<first>[0-9]+)(?P<numbers>(?:\.[0-9]+)*)(?P<letter>[a-z]?)"
    r"(?P<suffixes>(?:_(?:alpha|beta|pre|rc|cvs|svn|git|hg|p)(?![a-z])[0-9]*)*)"
    r"(?P<hash>~[0-9a-f]+)?(?P<revision>-r[0-9]+)?(?P<rest>[!-.0-~]*)"
)
_SUFFIX: Final = re.compile(r"_([a-z]+)([0-9]*)")
_BEFORE: Final = ("alpha", "beta", "pre", "rc")
_AFTER: Final = ("cvs", "svn", "git", "hg", "p")
_MOST: Final = 300
# Kinds of parts, lowest first.
_EARLIER, _ODD, _END, _REVISION, _HASH, _COUNT, _LATER, _LETTER, _NUMBER = range(9)
ApkKey = tuple[tuple[Any, ...], ...]


@lru_cache(maxsize=1 << 16)
def key(version: str) -> ApkKey:
    """The sortable form; raises VersionInvalid."""
    found = _LEGAL.fullmatch(version) if len(version) <= _MOST else None
    if found is None:
        raise VersionInvalid(f"{version[:100]!r} is not an Alpine version")
    parts: list[tuple[Any, ...]] = [(_NUMBER, 1, int(found["first"]))]
    parts += [_number(digits) for digits in found["numbers"].split(".")[1:]]
    if found["letter"]:
        parts.append((_LETTER, found["letter"]))
    for word, count in _SUFFIX.findall(found["suffixes"]):
        parts.append((_EARLIER, _BEFORE.index(word)) if word in _BEFORE else (_LATER, _AFTER.index(word)))
        if count:
            parts.append((_COUNT, int(count)))
    if found["hash"]:
        parts.append((_HASH, found["hash"]))
    if found["revision"]:
        parts.append((_REVISION, int(found["revision"][2:])))
    return (*parts, (_ODD if found["rest"] else _END,))


def _number(digits: str) -> tuple[Any, ...]:
    """A number after the first; with a leading zero it sorts as text, below all without."""
    return (_NUMBER, 0, digits) if digits[0] == "0" else (_NUMBER, 1, int(digits))
