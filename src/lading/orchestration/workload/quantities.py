"""Values as Compose files write them: sizes `512m`, durations `1m30s`, and numbers and yes or no, also as texts."""

from __future__ import annotations

import re
from typing import Any, Final

from lading.orchestration.errors import ComposeInvalid

_SIZE: Final = re.compile(r"(?P<number>\d{1,18}(?:\.\d{1,9})?)\s*(?P<unit>[kmgt]?)i?b?", re.IGNORECASE)
_PART: Final = re.compile(r"(?P<number>\d{1,12}(?:\.\d{1,9})?)(?P<unit>us|ms|s|m|h|d)")
_NUMBER: Final = re.compile(r"-?\d{1,12}")
_DECIMAL: Final = re.compile(r"\d{1,6}(?:\.\d{1,9})?")
_UNITS: Final = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SECONDS: Final = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_MOST_BYTES: Final = 1 << 62
_MOST_SECONDS: Final = 7 * 86400.0


def read_bytes(said: Any, default: int, where: str) -> int:
    """A number of bytes; `default` when nothing is said; negative for "no limit"; raises ComposeInvalid."""
    if said is None:
        return default
    text = str(said).strip()
    if text == "-1":
        return -1
    match = _SIZE.fullmatch(text)
    size = int(float(match["number"]) * _UNITS[match["unit"].lower()]) if match else _MOST_BYTES
    if size >= _MOST_BYTES:
        raise ComposeInvalid(f"{where}: {said!r} is not a size.", remedy="Write 512m or 2g.")
    return size


def read_seconds(said: Any, default: float, where: str) -> float:
    """A duration in seconds, up to a week; `default` when nothing is said; raises ComposeInvalid."""
    if said is None:
        return default
    text = str(said).strip()
    parts = list(_PART.finditer(text))
    if _DECIMAL.fullmatch(text):
        seconds = float(text)
    elif parts and "".join(part[0] for part in parts) == text:
        seconds = sum(float(part["number"]) * _SECONDS[part["unit"]] for part in parts)
    else:
        raise ComposeInvalid(f"{where}: {said!r} is not a duration.", remedy="Write 10s, 1m30s or 500ms.")
    if seconds > _MOST_SECONDS:
        raise ComposeInvalid(f"{where}: {said!r} is longer than a week.", remedy="Write 10s, 1m30s or 500ms.")
    return seconds


def read_number(said: Any, default: int, where: str, *, least: int, most: int) -> int:
    """A whole number within bounds; `default` when nothing is said; raises ComposeInvalid."""
    if said is None:
        return default
    text = str(said).strip()
    if _NUMBER.fullmatch(text) is None or not least <= int(text) <= most:
        raise ComposeInvalid(f"{where}: {said!r} is not a number from {least} to {most}.")
    return int(text)


def read_decimal(said: Any, default: float, where: str) -> float:
    """A number that may have a fraction and is not negative; raises ComposeInvalid."""
    if said is None:
        return default
    if _DECIMAL.fullmatch(str(said).strip()) is None:
        raise ComposeInvalid(f"{where}: {said!r} is not a number.", remedy="Write 0.5 or 2.")
    return float(said)


def read_flag(said: Any, default: bool, where: str) -> bool:
    """Yes or no; `default` when nothing is said; raises ComposeInvalid.

    An interpolated `${VARIABLE}` comes as text, and the text "false" must not count as yes.
    """
    if said is None:
        return default
    text = str(said).strip().lower()
    if text not in ("true", "false"):
        raise ComposeInvalid(f"{where}: {said!r} is neither true nor false.", remedy="Write true or false.")
    return text == "true"
