"""What a container writes is hostile text: cut, decoded and freed of terminal control before it is kept."""

from __future__ import annotations

import re
from typing import Final

MOST_BYTES: Final = 16_384
# ECMA-48: CSI and OSC sequences (ended by BEL or ST), other two-byte escapes, then every control character but tab.
_ESCAPES: Final = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\|$)|\x1b[ -/]*[0-~]|[\x00-\x08\x0a-\x1f\x7f-\x9f]"
)


def clean(raw: bytes) -> str:
    """One line as text: bad UTF-8 becomes U+FFFD, escape sequences and control characters go."""
    text = raw.decode("utf-8", errors="replace")
    return text if text.isprintable() else _ESCAPES.sub("", text)
