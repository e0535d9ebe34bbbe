"""Debian versions (deb-version(7)) as byte strings that sort as dpkg compares.

A version is an epoch and two parts, upstream and revision. In a part, runs of non-digits and numbers alternate. In a
run `~` sorts before the end of the run, the end before letters, letters before all else; numbers sort by value, and
nothing is zero. Each run is written with one byte a character and closed by END, each number as its length and its
digits.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from lading.supply_chain.match.versions.invalid import VersionInvalid

_TILDE: Final = 1
_END: Final = 2
_PAIR: Final = re.compile(rb"([^0-9]*)([0-9]*)")
_LEGAL: Final = re.compile(r"(?:([0-9]{1,9}):)?([A-Za-z0-9.+~:-]+)")
_MOST: Final = 500


def _orders() -> bytes:
    table = bytearray(range(256))
    for code in range(33, 127):
        table[code] = code if chr(code).isalpha() else code + 128
    table[ord("~")] = _TILDE
    return bytes(table)


_ORDER: Final = _orders()


@lru_cache(maxsize=1 << 16)
def key(version: str) -> bytes:
    """The sortable form; raises VersionInvalid."""
    found = _LEGAL.fullmatch(version.strip())
    if found is None or len(version) > _MOST:
        raise VersionInvalid(f"{version[:100]!r} is not a Debian version")
    upstream, _, revision = found[2].rpartition("-") if "-" in found[2] else (found[2], "", "")
    return int(found[1] or 0).to_bytes(4) + _part(upstream) + _part(revision)


def _part(text: str) -> bytes:
    out = bytearray()
    for run, digits in _PAIR.findall(text.encode("ascii")):
        if not run and not digits:
            break
        number = digits.lstrip(b"0")
        out += run.translate(_ORDER)
        out.append(_END)
        out += len(number).to_bytes(2)
        out += number
    if not out:
        out += b"\x02\x00\x00"
    out.append(_END)
    return bytes(out)
