"""One byte form for one value: what is hashed, signed and compared is encoded here and nowhere else.

JSON with sorted keys, no white space and UTF-8, as RFC 8785 orders it. Floats are avoided in hashed content.
"""

from __future__ import annotations

import msgspec

_ENCODER = msgspec.json.Encoder(order="sorted")


def canonical_json(value: object) -> bytes:
    """The canonical bytes of a JSON value, a msgspec struct or a dataclass."""
    return _ENCODER.encode(value)
