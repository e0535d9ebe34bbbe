"""Conditional requests (RFC 9110, section 13): what a client has is not sent, and what changed is not overwritten.

The entity tag of a manifest or blob is its digest in quotes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from starlette.types import Scope

_ANY: Final = "*"
Condition = Callable[[str], bool]


def is_known(scope: Scope, digest: str) -> bool:
    """Whether `If-None-Match` says that the client has this content."""
    said = _values(scope, b"if-none-match")
    return _names(said, digest) if said else False


def range_counts(scope: Scope, digest: str) -> bool:
    """Whether a Range header is to be followed: without `If-Range`, or when that names this content."""
    said = _values(scope, b"if-range")
    return not said or said == f'"{digest}"'


def condition(scope: Scope) -> Condition | None:
    """What must hold of the digest that a reference names (empty for none) before it is written; None for anything."""
    wanted, unwanted = _values(scope, b"if-match"), _values(scope, b"if-none-match")
    if not wanted and not unwanted:
        return None

    def holds(current: str) -> bool:
        if wanted and not (current and _names(wanted, current)):
            return False
        return not (unwanted and current and _names(unwanted, current))

    return holds


def _names(said: str, digest: str) -> bool:
    tags = [one.strip().removeprefix("W/") for one in said.split(",")]
    return _ANY in tags or f'"{digest}"' in tags


def _values(scope: Scope, name: bytes) -> str:
    return ",".join(value.decode("latin-1") for key, value in scope["headers"] if key == name).strip()
