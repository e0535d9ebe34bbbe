"""RPM versions (rpm-version(7)), `[epoch:]version[-release]`, as byte strings that sort as rpm compares.

Version and release are runs of digits and of letters; all other characters only part them. At a place where two differ,
`~` is the lowest, then comes the end, `^`, letters, and numbers, which sort by value.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from lading.supply_chain.match.versions.invalid import VersionInvalid

_TILDE, _END, _CARET, _LETTERS, _DIGITS = b"\x01", b"\x02", b"\x03", b"\x04", b"\x05"
_RUN: Final = re.compile(r"~|\^|[0-9]+|[A-Za-z]+")
_LEGAL: Final = re.compile(r"(?:([0-9]{1,10}):)?([!-9;-~]+)")
_MOST: Final = 500


@lru_cache(maxsize=1 << 16)
def key(version: str) -> bytes:
    """The sortable form; raises VersionInvalid. A missing epoch is 0."""
    found = _LEGAL.fullmatch(version) if len(version) <= _MOST else None
    if found is None:
        raise VersionInvalid(f"{version[:100]!r} is not an RPM version")
    upstream, _, release = found[2].rpartition("-") if "-" in found[2] else (found[2], "", "")
    return int(found[1] or 0).to_bytes(5) + _part(upstream) + _part(release)


def _part(text: str) -> bytes:
    out = []
    for run in _RUN.findall(text):
        if run == "~":
            out.append(_TILDE)
        elif run == "^":
            out.append(_CARET)
        elif run[0].isdigit():
            number = run.lstrip("0").encode()
            out.append(_DIGITS + len(number).to_bytes(2) + number)
        else:
            out.append(_LETTERS + run.encode() + b"\0")
    return b"".join(out) + _END
