"""Places in the input document: `image.base.reference`, `findings[3].id`. One small grammar for templates, `each` and
remedies.

    path := name { "." name | "[" digits "]" }
"""

from __future__ import annotations

import copy
import re
from typing import Any, Final

_PATH: Final = re.compile(r"[A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*|\[\d{1,6}\])*")
_STEP: Final = re.compile(r"[A-Za-z_][\w-]*|\d+")
PATH_PATTERN: Final = _PATH.pattern


class _Missing:
    """The type of MISSING."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()


def is_path(text: str) -> bool:
    """Whether `text` follows the grammar."""
    return len(text) <= 200 and _PATH.fullmatch(text) is not None


def steps(path: str) -> tuple[str | int, ...]:
    """The parts of a path: names, and numbers for list positions."""
    return tuple(int(part) if part.isdigit() else part for part in _STEP.findall(path))


def lookup(value: Any, path: tuple[str | int, ...]) -> Any:
    """What stands at `path`, or MISSING; null is a value."""
    for step in path:
        if isinstance(step, int):
            if not isinstance(value, list) or step >= len(value):
                return MISSING
            value = value[step]
        elif isinstance(value, dict) and step in value:
            value = value[step]
        else:
            return MISSING
    return value


def changed(document: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A copy of `document` in which the dotted paths of `changes` have their new values; missing parents are made."""
    made = copy.deepcopy(document)
    for path, value in changes.items():
        *parents, last = [str(step) for step in steps(path)]
        place = made
        for parent in parents:
            below = place.get(parent)
            if not isinstance(below, dict):
                below = place[parent] = {}
            place = below
        place[last] = copy.deepcopy(value)
    return made
