"""The policy input document at the edge: bounded, plain JSON, and exactly the bytes that will be kept.

What the rules judge is what is decoded from the canonical bytes, so a replay judges the same values. Numbers outside of
64 bits are refused because the CEL engines read them each in their own way.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from lading.kernel.canonical import canonical_json
from lading.policy.errors import PolicyInvalid

MOST_BYTES: Final = 32 * 1024 * 1024
MOST_DEPTH: Final = 24
_INT64: Final = range(-(2**63), 2**63)
_decode = msgspec.json.Decoder(dict[str, Any]).decode


def canonical_document(document: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """The document as rules will see it, and its canonical bytes.

    Raises:
        PolicyInvalid: not JSON, too large, too deep, or with a number outside of 64 bits.
    """
    try:
        body = canonical_json(document)
        if len(body) > MOST_BYTES:
            raise PolicyInvalid(f"The policy input has {len(body)} bytes.", remedy=f"At most {MOST_BYTES} are judged.")
        decoded = read_document(body)
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
        raise PolicyInvalid(f"The policy input is not plain JSON: {str(error)[:200]}.") from error
    _check(decoded)
    return decoded, body


def read_document(body: bytes) -> dict[str, Any]:
    """The document from its canonical bytes."""
    return _decode(body)


def _check(document: dict[str, Any]) -> None:
    level: list[Any] = [document]
    for _ in range(MOST_DEPTH):
        below: list[Any] = []
        for value in level:
            for one in value.values() if isinstance(value, dict) else value:
                if isinstance(one, (dict, list)):
                    below.append(one)
                elif isinstance(one, int) and one not in _INT64:
                    raise PolicyInvalid(f"The policy input has the number {str(one)[:40]}, which is beyond 64 bits.")
        if not below:
            return
        level = below
    raise PolicyInvalid(f"The policy input nests more than {MOST_DEPTH} deep.")
