"""Patterns of repository names: `shop/*` is everything below `shop/`, `shop/web*` everything that begins so.

`*` stands for any characters, `/` among them; nothing else is special. One rule for the people who grant and for the
database that lists (`repository_like` in the registry's queries).
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Final

from lading.identity.errors import InvalidName

_GRAMMAR: Final = re.compile(r"[a-z0-9._/*-]+")
_MOST: Final = 255
_MOST_STARS: Final = 8


def checked_pattern(text: str) -> str:
    """A legal pattern; empty for one that narrows nothing (`*`, or none). Raises InvalidName."""
    if text in ("", "*", "**"):
        return ""
    if len(text) > _MOST or text.count("*") > _MOST_STARS or _GRAMMAR.fullmatch(text) is None:
        raise InvalidName(
            f"{text[:80]!r} cannot be a pattern of repositories.",
            remedy=f"Write it like shop/* with at most {_MOST_STARS} stars: lower-case letters, digits, . _ - / and *.",
        )
    return text


def matches(pattern: str, repository: str) -> bool:
    """Whether a repository's name matches. The time is linear in its length for each star."""
    return fnmatchcase(repository, pattern)
