"""`Warning` headers (OCI distribution 1.1, "Warnings"): code 299, agent `-`, no date, 4,096 bytes at most in all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

NAME: Final = "Warning"
_MOST_BYTES: Final = 4_096


def warning_values(said: Iterable[str]) -> list[str]:
    """The values of the headers that say some texts, each once; what is too much is left out from the end."""
    values: list[str] = []
    left = _MOST_BYTES
    for text in dict.fromkeys(said):
        plain = text.encode("ascii", "replace").decode()
        shown = "".join(one if one.isprintable() else " " for one in plain)
        value = '299 - "' + shown.replace("\\", "\\\\").replace('"', '\\"') + '"'
        left -= len(value)
        if left < 0:
            break
        values.append(value)
    return values
