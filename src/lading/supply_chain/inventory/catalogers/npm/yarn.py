"""`yarn.lock` of yarn 1 and of yarn 2 and later ("berry").

Both are blocks of lines: patterns at the margin, ending in a colon, and properties below, two blanks in. Berry's is
YAML in form, but what yarn writes has no anchors, flows or multi-line texts, so lines are enough and nothing can be
blown up. Neither says which packages are for development only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from lading.supply_chain.inventory.catalogers.documents import DocumentUnreadable

_HEADS: Final = ("# yarn lockfile v1", "__metadata:")
_VERSION: Final = re.compile(r'  version:? "?([^"\s]{1,200})"?\s*')
_RESOLUTION: Final = re.compile(r'  resolution: "((?:@[^/@"]+/)?[^/@"]+)@npm:([^"#:]{1,200})[^"]*"\s*')


def locked_by_yarn(content: bytes) -> Iterator[tuple[str, str]]:
    """Name and version of every package from a registry; raises DocumentUnreadable."""
    text = content.decode("utf-8", "replace")
    if not any(head in text[:2_000] for head in _HEADS):
        raise DocumentUnreadable("it does not start as a lock file of yarn does")
    return _berry(text) if "__metadata:" in text[:2_000] else _classic(text)


def _classic(text: str) -> Iterator[tuple[str, str]]:
    name = ""
    for line in text.splitlines():
        if line and not line[0].isspace() and line[0] != "#":
            name = _name(line.rstrip().rstrip(":").partition(",")[0].strip().strip('"'))
        elif name and (found := _VERSION.fullmatch(line)):
            yield name, found[1]
            name = ""


def _berry(text: str) -> Iterator[tuple[str, str]]:
    """Only what comes from npm has `@npm:` in its resolution: not workspaces, links and patches of them."""
    for line in text.splitlines():
        if found := _RESOLUTION.fullmatch(line):
            yield found[1], found[2]


def _name(pattern: str) -> str:
    """`@scope/name@^1.0`; an alias is `other@npm:@scope/name@^1.0`; local files and links name nothing."""
    at = pattern.find("@", 1)
    name, wanted = pattern[:at], pattern[at + 1 :]
    if wanted.startswith("npm:"):
        real = wanted[4:]
        return real[: real.find("@", 1)] if "@" in real[1:] else name
    return "" if wanted.startswith(("file:", "link:", "portal:", "workspace:")) else name
