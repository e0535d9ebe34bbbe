"""RubyGems versions, as `Gem::Version` orders them.

Segments are numbers and words; a word makes a pre-release and sorts below any number, and a version that ends is
followed by zeros without end. So a zero that stands between cannot be written down as it is: it is told as how many
zeros come before what follows, and what follows decides on which side of the endless zeros they are.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from lading.supply_chain.match.versions.invalid import VersionInvalid

RubyKey = tuple[tuple[int, int, str], ...]
_GRAMMAR: Final = re.compile(r"\s*(?:[0-9]+(?:\.[0-9a-zA-Z]+)*(?:-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?)?\s*")
_SEGMENT: Final = re.compile(r"[0-9]+|[a-z]+", re.IGNORECASE)
_WORD: Final = 0
_ZEROS_THEN_WORD: Final = 1
_END: Final = (2, 0, "")
_ZEROS_THEN_NUMBER: Final = 3
_NUMBER: Final = 4
_MOST: Final = 300


@lru_cache(maxsize=1 << 16)
def key(version: str) -> RubyKey:
    """The sortable form; raises VersionInvalid."""
    if len(version) > _MOST or not version.strip() or not version.isascii() or not _GRAMMAR.fullmatch(version):
        raise VersionInvalid(f"{version[:100]!r} is not a RubyGems version")
    segments = _SEGMENT.findall(version.strip().replace("-", ".pre."))
    first_word = next((at for at, segment in enumerate(segments) if not segment.isdigit()), len(segments))
    out: list[tuple[int, int, str]] = []
    zeros = 0
    for segment in (*_trimmed(segments[:first_word]), *_trimmed(segments[first_word:])):
        if segment.isdigit():
            number = int(segment)
            if number == 0:
                zeros += 1
                continue
            if zeros:
                out.append((_ZEROS_THEN_NUMBER, -zeros, ""))
            out.append((_NUMBER, number, ""))
        else:
            if zeros:
                out.append((_ZEROS_THEN_WORD, zeros, ""))
            out.append((_WORD, 0, segment))
        zeros = 0
    return (*out, _END)


def _trimmed(segments: list[str]) -> list[str]:
    """Without the zeros at the end."""
    while segments and segments[-1].isdigit() and int(segments[-1]) == 0:
        segments = segments[:-1]
    return segments
