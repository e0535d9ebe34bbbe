"""JSON from strangers: bounded, and without a name that stands twice in one object.

Nesting is bounded by the interpreter's own limit. Two programs may read an object with a doubled name differently; a
report that says two things says nothing. The check keeps nothing of what it reads, so that what comes after it (a typed
decoder) decides what memory is used.
"""

from __future__ import annotations

import json
from typing import Any

from lading.kernel.errors import InvalidInput


def check_json(body: bytes, what: str, *, most: int) -> None:
    """Hold these rules.

    Args:
        what: the document's name, for messages.
        most: bytes it may have.

    Raises:
        InvalidInput: it is too large, nested too deep, not UTF-8, not JSON, or says a name twice in one object.
    """
    if len(body) > most:
        raise InvalidInput(f"{what} has {len(body)} bytes; at most {most} are read.", remedy="Split it.")
    try:
        json.loads(body.decode("utf-8-sig"), object_pairs_hook=_once, parse_int=_nothing, parse_float=_nothing)
    except _Doubled as error:
        raise InvalidInput(f"{what} says {str(error)[:100]!r} twice in one object.") from error
    except RecursionError as error:
        raise InvalidInput(f"{what} is nested too deeply.") from error
    except ValueError as error:
        raise InvalidInput(f"{what} is not JSON: {str(error)[:200]}.") from error


class _Doubled(Exception):
    """A name that stands twice."""


def _once(pairs: list[tuple[str, Any]]) -> None:
    names = {name for name, _ in pairs}
    if len(names) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise _Doubled(name)
            seen.add(name)


def _nothing(text: str) -> None:
    del text
