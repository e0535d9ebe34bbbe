"""Which repositories and tags of an upstream may be asked for: lists of what is allowed and of what is denied.

A pattern is `REPOSITORY[:TAG]` in the names of the upstream; `*` stands for any characters, `/` among them. What is
denied is denied whatever allows it; with nothing in the list of what is allowed, everything is. A digest says nothing
of tags: it may be asked for where a pattern without a tag allows its repository, and none without a tag denies it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Final

from lading.supply_chain.registry.mirroring.errors import UpstreamInvalid

MOST_PATTERNS: Final = 200
_REPOSITORY: Final = re.compile(r"[a-z0-9._/*-]{1,255}")
_TAG: Final = re.compile(r"[A-Za-z0-9._*-]{1,128}")
_MOST_STARS: Final = 8


def checked_selection(patterns: Sequence[str]) -> tuple[str, ...]:
    """Patterns of repositories and tags, each legal; raises UpstreamInvalid."""
    if len(patterns) > MOST_PATTERNS:
        raise UpstreamInvalid(f"{len(patterns)} patterns are too many.", remedy=f"Give at most {MOST_PATTERNS}.")
    for pattern in patterns:
        repository, tag = split(pattern)
        if _REPOSITORY.fullmatch(repository) is None or _TAG.fullmatch(tag) is None or pattern.count("*") > _MOST_STARS:
            raise UpstreamInvalid(
                f"{pattern[:100]!r} is not a pattern of images.",
                remedy="Write it as REPOSITORY or REPOSITORY:TAG, with * for any characters: library/debian:12*.",
            )
    return tuple(dict.fromkeys(patterns))


def split(pattern: str) -> tuple[str, str]:
    """The pattern of repositories and the one of tags, which is `*` where there is none."""
    repository, colon, tag = pattern.partition(":")
    return repository, tag if colon else "*"


def selected(patterns: Sequence[str], repository: str, tag: str) -> bool:
    """Whether one of the patterns takes in a tag of a repository; with an empty tag, whether it does for any tag."""
    for pattern in patterns:
        names, tags = split(pattern)
        if fnmatchcase(repository, names) and (fnmatchcase(tag, tags) if tag else tags == "*"):
            return True
    return False
