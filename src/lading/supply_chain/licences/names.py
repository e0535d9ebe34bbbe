"""What licences are called beside their ids: texts squeezed to what tells them apart, and looked up."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from lading.supply_chain.licences import ids
from lading.supply_chain.licences.expression import OWN

_LATER: Final = re.compile(
    r",?[\s_-]*\(?\b(?:or|and)[\s_-]+\(?(?:at your option\)?[\s_-]+)?(?:any[\s_-]+)?"
    r"(?:later|newer|above|greater|higher)"
    r"(?:[\s_-]+versions?)?\b\)?",
    re.IGNORECASE,
)
_PUNCTUATION: Final = re.compile(r"[^a-z0-9+.]+")
_GLUED: Final = re.compile(r"([a-z]+?)v?([0-9][0-9.]*)(\+?)")
_VERSION: Final = re.compile(r"v?(?:er)?\.?([0-9]+(?:\.[0-9]+)*)(\+?)")
_DROPPED: Final = frozenset(
    {"the", "license", "licenses", "licence", "licences", "licensed", "version", "ver", "v", "software", "gnu", "of"}
    | {"clause", "only", "under", "terms", "free", "open", "source", "osi", "approved"}
)
_FAMILIES: Final = {
    "bsd": "LicenseRef-BSD", "mit": "LicenseRef-MIT", "expat": "LicenseRef-MIT", "permissive": "LicenseRef-permissive",
    "public domain": "LicenseRef-public-domain", "pd": "LicenseRef-public-domain",
}  # fmt: skip
_MOST_OF_VARIANT: Final = 10
_RESTRICTING: Final = re.compile(
    r"(?i)export|nuclear|military|commercial|deriv|patent|propriet|restrict|protection|gpl"
)
_PHRASES: Final = (
    ("lesser general public", "lgpl"), ("library general public", "lgpl"), ("affero general public", "agpl"),
    ("general public", "gpl"), ("mozilla public", "mpl"), ("eclipse public", "epl"), ("documentation", "gfdl"),
)  # fmt: skip


def said_later(text: str) -> str:
    """The text with a plus for every "or any later version"."""
    return _LATER.sub("+", text)


def squeezed(text: str) -> str:
    """What tells the name from others: lower case, no punctuation, numbers apart from letters, no filling words."""
    words: list[str] = []
    for word in _PUNCTUATION.sub(" ", said_later(text.replace("'s", "")).lower()).split():
        word = word.strip(".")
        if word == "+" and words:
            words[-1] = words[-1].rstrip("+") + "+"
        elif found := _VERSION.fullmatch(word):
            words.append(_short(found[1]) + found[2])
        elif (found := _GLUED.fullmatch(word)) and len(found[1]) > 1:
            words += [found[1], _short(found[2].strip(".")) + found[3]]
        elif word and word.rstrip("+") not in _DROPPED:
            words.append(word)
    name = f" {' '.join(words)} "
    for phrase, short in _PHRASES:
        name = name.replace(f" {phrase} ", f" {short} ").replace(f" {phrase}+ ", f" {short}+ ")
    return _once(name.split())


def licence_named(text: str) -> str:
    """The id of the licence that is called so; empty when nobody knows."""
    return _names().get(squeezed(text), "")


def family_named(text: str) -> str:
    """The LicenseRef of the family that a name begins with, as packagers call variants (`BSD-3-clause-Cambridge`);
    empty when there is none, or when the name says that it restricts more."""
    words = _PUNCTUATION.sub(" ", text.lower()).split()
    if not 2 <= len(words) <= _MOST_OF_VARIANT or _RESTRICTING.search(text):
        return ""
    return _FAMILIES.get(words[0], "") or _FAMILIES.get(" ".join(words[:2]), "")


def exception_named(text: str, licence: str) -> str:
    """The id of the exception that is called so beside a licence; empty when nobody knows."""
    name = squeezed(re.sub(r"(?i)\bexceptions?\b|\bspecial\b", " ", text.replace("_", " ").replace("-", " ")))
    version = re.search(r"-([23])\.", licence)
    if name == "gcc" and version and version[1] == "2":
        return "GCC-exception-2.0"
    if name in ("autoconf", "autoconf data") and version:
        return f"Autoconf-exception-{version[1]}.0"
    return _exceptions().get(name, "")


def _short(number: str) -> str:
    """2.0 and 2 are one version; 2.1 is another."""
    while number.endswith(".0"):
        number = number[:-2]
    return number


def _once(words: list[str]) -> str:
    """Without a name in brackets that says the same again: `gpl 2 gpl 2`."""
    half = len(words) // 2
    if half and len(words) == 2 * half and words[:half] == words[half:]:
        words = words[:half]
    return " ".join(words)


@lru_cache(maxsize=1)
def _names() -> dict[str, str]:
    found: dict[str, str] = {}
    for one in ids.table().values():
        if not one.id.startswith(OWN):
            found[squeezed(one.id)] = one.id
    for one in ids.table().values():
        for name in one.names:
            found.setdefault(squeezed(name), one.id)
    found.pop("", None)
    return found


@lru_cache(maxsize=1)
def _exceptions() -> dict[str, str]:
    found: dict[str, str] = {}
    for one in ids.exceptions().values():
        for name in (one.id.replace("-exception", ""), *one.names):
            found.setdefault(squeezed(name.replace("-", " ")), one.id)
    return found
