"""Passwords, PINs and tokens in files: what no setting and no argument may hold."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from lading.supply_chain.attest.errors import KeyUnusable

_MOST: Final = 4_096


def read_password(file: Path | None) -> str:
    """The first line of a file; empty without one. Raises KeyUnusable."""
    if file is None:
        return ""
    try:
        with file.open("rb") as opened:
            line = opened.readline(_MOST + 1).rstrip(b"\r\n").decode()
    except (OSError, UnicodeDecodeError) as error:
        raise KeyUnusable(f"The password file {file} cannot be read.", remedy="Check its permissions.") from error
    if not line or len(line) > _MOST:
        raise KeyUnusable(f"The first line of the password file {file} is no password.")
    return line
