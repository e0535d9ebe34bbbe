"""Identifiers that sort by the time they were made (UUID version 7, RFC 9562 section 5.7)."""

from __future__ import annotations

import os
import time
from uuid import UUID


def new_id() -> str:
    """A fresh UUIDv7 in its canonical text form."""
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10))
    high = (milliseconds & ((1 << 48) - 1)) << 80
    versioned = high | (0x7 << 76) | ((random >> 68) << 64) | (0b10 << 62) | (random & ((1 << 62) - 1))
    return str(UUID(int=versioned & ((1 << 128) - 1)))
