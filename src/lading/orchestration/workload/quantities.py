"""Sizes and durations as Compose files write them: `512m`, `1gb`, `1m30s`."""

from __future__ import annotations

import re
from typing import Any, Final

from lading.orchestration.errors import ComposeInvalid

_SIZE: Final = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[kmgt]?)i?b?", re.IGNORECASE)
_PART: Final = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>us|ms|s|m|h|d)")
_UNITS: Final = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SECONDS: Final = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def read_bytes(said: Any, default: int, where: str) -> int:
    """A number of bytes; `default` when nothing is said; negative for "no limit"; raises ComposeInvalid."""
    if said is None:
        return default
    if isinstance(said, int):
        return said
    if str(said).strip() == "-1":
        return -1
    match = _SIZE.fullmatch(str(said).strip())
    if match is None:
        raise ComposeInvalid(f"{where}: {said!r} is not a size.", remedy="Write 512m or 2g.")
    return int(float(match["number"]) * _UNITS[match["unit"].lower()])


def read_seconds(said: Any, default: float, where: str) -> float:
    """A duration in seconds; `default` when nothing is said; raises ComposeInvalid."""
    if said is None:
        return default
    if isinstance(said, int | float) and not isinstance(said, bool):
        return float(said)
    text = str(said).strip()
    parts = list(_PART.finditer(text))
    if not parts or "".join(part[0] for part in parts) != text:
        raise ComposeInvalid(f"{where}: {said!r} is not a duration.", remedy="Write 10s, 1m30s or 500ms.")
    return sum(float(part["number"]) * _SECONDS[part["unit"]] for part in parts)
