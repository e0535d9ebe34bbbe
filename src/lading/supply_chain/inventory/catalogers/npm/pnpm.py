"""`pnpm-lock.yaml`, versions 5 to 9.

What pnpm writes is YAML of one form: the keys of `packages` two blanks in, their properties four. So it is read line by
line, and a line in that place that is no key makes the file unreadable: loud, and with nothing to blow up. Keys are
`/name/1.0.0` in version 5, `/name@1.0.0` in 6, `name@1.0.0` in 9; peers follow in `_…` or `(…)`. Up to version 8 an
entry says whether it is for development only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from lading.supply_chain.inventory.catalogers.documents import DocumentUnreadable

# A key of more than 1,024 characters stands after a question mark, and its colon on the next line.
_QUOTED: Final = r"""(?:'([^']+)'|"([^"]+)"|([^\s'"#](?:(?!: )[^#\s])*))"""
_KEY: Final = re.compile(rf"  {_QUOTED}:(?: \{{.*\}})?\s*")
_LONG_KEY: Final = re.compile(rf"  \? {_QUOTED}\s*")
_MOST_LINE: Final = 4_000
_PROPERTY: Final = re.compile(r"    (name|version|dev): ['\"]?([^'\"\s]{1,214})['\"]?\s*")
_SLASHED: Final = re.compile(r"/((?:@[^/@]+/)?[^/@]+)/([^/(_]+)(?:[_(].*)?")
_AT: Final = re.compile(r"/?((?:@[^/@]+/)?[^/@]+)@([^/@(:]+)(?:\(.*)?")


def locked_by_pnpm(content: bytes) -> Iterator[tuple[str, str]]:
    """Name and version of every package from a registry; raises DocumentUnreadable."""
    lines = content.decode("utf-8", "replace").splitlines()
    if not any(line.startswith("lockfileVersion:") for line in lines[:50]):
        raise DocumentUnreadable("it does not say its lockfileVersion")
    return iter(_packages(lines))


def _packages(lines: list[str]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    inside, key, stated = False, "", dict[str, str]()
    for line in (*lines, "end:"):
        if line and not line[0].isspace():
            _add(found, key, stated)
            inside, key, stated = line.startswith("packages:"), "", {}
        elif inside and line.startswith("  ") and line[2:3] not in ("", " ", ":", "#"):
            _add(found, key, stated)
            named = (_KEY.fullmatch(line) or _LONG_KEY.fullmatch(line)) if len(line) <= _MOST_LINE else None
            if named is None:
                raise DocumentUnreadable(f"{line[:100]!r} is no key of a package")
            key, stated = named[1] or named[2] or named[3], {}
        elif inside and key and (told := _PROPERTY.fullmatch(line)):
            stated[told[1]] = told[2]
    return found


def _add(found: list[tuple[str, str]], key: str, stated: dict[str, str]) -> None:
    if not key or stated.get("dev") == "true":
        return
    named = _AT.fullmatch(key) or _SLASHED.fullmatch(key)
    name = stated.get("name") or (named[1] if named else "")
    version = stated.get("version") or (named[2] if named else "")
    if name and version:
        found.append((name, version))
