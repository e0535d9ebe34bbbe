"""Lock files that are TOML in form: their `[[package]]` tables, read line by line.

Cargo, poetry, uv and PDM write one key a line. A reader of all of TOML takes quadratic time on keys that were made to
cost it (one line of 32 kB kept the standard library's busy for eight seconds), so only what these tools write is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from lading.supply_chain.inventory.catalogers.documents import DocumentUnreadable

_HEADER: Final = re.compile(r"\s*\[\[(?:package|packages)\]\]\s*(?:#.*)?")
_TEXT: Final = re.compile(
    r"""([A-Za-z0-9_-]{1,60})\s*=\s*(?:"([^"\\]{0,1000})"|'([^']{0,1000})'|([\[{].{0,2000}[\]}]))\s*(?:#.*)?"""
)
_KNOWN: Final = re.compile(
    r"^(?:(?:lock-version|version)[ \t]*=|packages?[ \t]*=[ \t]*\[\]|\[metadata|\[\[packages?\b)", re.MULTILINE
)
_MOST_LINE: Final = 4_000


def package_tables(content: bytes) -> Iterator[dict[str, str]]:
    """Each package's keys with their texts; lists and inline tables as they stand. Raises DocumentUnreadable."""
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise DocumentUnreadable("it is not UTF-8") from error
    if not _KNOWN.search(text):
        raise DocumentUnreadable("it has none of the tables of a lock file")
    return _tables(text)


def _tables(text: str) -> Iterator[dict[str, str]]:
    stated: dict[str, str] | None = None
    inside = False
    for line in (*text.splitlines(), "[end]"):
        if line.startswith("["):
            if stated is not None:
                if not stated.get("name"):
                    raise DocumentUnreadable("a package has no name")
                yield stated
            inside = _HEADER.fullmatch(line[:_MOST_LINE]) is not None
            stated = {} if inside else None
        elif inside and stated is not None and len(line) <= _MOST_LINE and (told := _TEXT.fullmatch(line)):
            stated[told[1]] = told[2] or told[3] or told[4] or ""
