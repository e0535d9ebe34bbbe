"""JSON that every reader reads alike: no duplicate keys, no NaN, bounded size and depth.

What is signed here is checked by other programs too. Of two members of the same name some take the first and some the
last, so that one file could be two statements; such a file is none.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, NoReturn

from lading.supply_chain.attest.errors import MalformedEnvelope


def decode(content: bytes, what: str, *, most: int) -> dict[str, Any]:
    """The object that `content` is; raises MalformedEnvelope, which names it as `what`."""
    if len(content) > most:
        raise MalformedEnvelope(f"{what} of {len(content)} bytes is not read; at most {most} are.")
    try:
        value = json.loads(content.decode(), object_pairs_hook=_unambiguous, parse_constant=_no_number)
        if b"\\ud" in content or b"\\uD" in content:
            # Half of a surrogate pair is text to this parser, and to nothing that would write it on.
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise MalformedEnvelope(f"{what} is not plain JSON: {str(error)[:200]}.") from error
    if not isinstance(value, dict):
        raise MalformedEnvelope(f"{what} is no JSON object.")
    return value


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        twice, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise ValueError(f"the key {twice[:60]!r} stands twice")
    return made


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number of JSON")
