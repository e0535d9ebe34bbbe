"""The ids of licences: which there are, of which kind, and what deprecated ones are called now.

Our own table knows the common ones with their kind. Whether another id is one of SPDX's is asked of the index that
`license-expression` brings; it is read only then, for it is large.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml
from license_expression import get_license_index

_TABLE: Final = Path(__file__).parent / "table.yaml"
_EXCEPTIONS: Final = "exceptions"


class Category(StrEnum):
    """What a licence asks for, mildest first. Source that may be read but not used freely counts as proprietary."""

    PERMISSIVE = "permissive"
    WEAK_COPYLEFT = "weak-copyleft"
    STRONG_COPYLEFT = "strong-copyleft"
    NETWORK_COPYLEFT = "network-copyleft"
    PROPRIETARY = "proprietary"
    UNKNOWN = "unknown"


RANKS: Final = {category: rank for rank, category in enumerate(Category)}
# What the index calls kinds, as far as they say enough; its copyleft knows no network.
_KINDS: Final = {
    "Permissive": Category.PERMISSIVE,
    "Public Domain": Category.PERMISSIVE,
    "Copyleft Limited": Category.WEAK_COPYLEFT,
    "Copyleft": Category.STRONG_COPYLEFT,
    "Source-available": Category.PROPRIETARY,
    "Free Restricted": Category.PROPRIETARY,
    "Proprietary Free": Category.PROPRIETARY,
}
# Deprecated ids that stand for a licence with an exception.
JOINED: Final = {
    "gpl-2.0-with-autoconf-exception": ("GPL-2.0-only", "Autoconf-exception-2.0"),
    "gpl-2.0-with-bison-exception": ("GPL-2.0-only", "Bison-exception-2.2"),
    "gpl-2.0-with-classpath-exception": ("GPL-2.0-only", "Classpath-exception-2.0"),
    "gpl-2.0-with-font-exception": ("GPL-2.0-only", "Font-exception-2.0"),
    "gpl-2.0-with-gcc-exception": ("GPL-2.0-only", "GCC-exception-2.0"),
    "gpl-3.0-with-autoconf-exception": ("GPL-3.0-only", "Autoconf-exception-3.0"),
    "gpl-3.0-with-gcc-exception": ("GPL-3.0-only", "GCC-exception-3.1"),
    "ecos-2.0": ("GPL-2.0-or-later", "eCos-exception-2.0"),
    "wxwindows": ("LGPL-2.0-or-later", "WxWindows-exception-3.1"),
}
_FAMILIES: Final = ("gpl-", "lgpl-", "agpl-", "gfdl-")


class Known(msgspec.Struct, frozen=True):
    """A licence or exception that is known: its id as SPDX writes it, its kind, and other names of it."""

    id: str
    category: Category
    names: tuple[str, ...] = ()
    is_exception: bool = False


def find(identity: str) -> Known | None:
    """A licence by its id in any case; deprecated ids by their present form. None for what is no SPDX id."""
    wanted = _modern(identity.lower())
    found = table().get(wanted)
    return found if found is not None else _index().get(wanted)


def find_exception(identity: str) -> Known | None:
    """An exception by its id in any case."""
    wanted = identity.lower()
    found = exceptions().get(wanted)
    if found is not None:
        return found
    other = _index().get(wanted)
    return other if other is not None and other.is_exception else None


@lru_cache(maxsize=1)
def table() -> dict[str, Known]:
    """The licences of our own table, by id in lower case."""
    return {one.id.lower(): one for one in _read() if not one.is_exception}


@lru_cache(maxsize=1)
def exceptions() -> dict[str, Known]:
    """The exceptions of our own table, by id in lower case. Each of them makes strong copyleft weak."""
    return {one.id.lower(): one for one in _read() if one.is_exception}


def later(identity: str) -> tuple[str, ...]:
    """The ids that `ID+` and `…-or-later` let one choose from, in our own table; none for any other id."""
    wanted = identity.removesuffix("+").lower()
    if wanted.endswith("-or-later"):
        stem, tail = wanted.removesuffix("-or-later"), "-only"
    elif identity.endswith("+"):
        stem, tail = wanted, ""
    else:
        return ()
    family, _, number = stem.rpartition("-")
    return tuple(one.id for version, one in _versions(family, tail) if version >= _number(number))


def _versions(family: str, tail: str) -> Iterator[tuple[tuple[int, ...], Known]]:
    for key, one in table().items():
        stem = key.removesuffix(tail) if tail and key.endswith(tail) else key if not tail else ""
        before, _, number = stem.rpartition("-")
        if before == family and _number(number):
            yield _number(number), one


def _number(text: str) -> tuple[int, ...]:
    parts = text.split(".")
    return tuple(map(int, parts)) if all(part.isascii() and part.isdigit() and len(part) < 9 for part in parts) else ()


def _modern(wanted: str) -> str:
    """`gpl-2.0` and `gpl-2.0+` as they are called since SPDX 3.0 of the list."""
    if wanted.startswith(_FAMILIES) and not wanted.endswith(("-only", "-or-later")):
        return wanted.removesuffix("+") + ("-or-later" if wanted.endswith("+") else "-only")
    return wanted


@lru_cache(maxsize=1)
def _read() -> tuple[Known, ...]:
    document: dict[str, dict[str, list[Any]]] = yaml.load(_TABLE.read_text("utf-8"), yaml.CSafeLoader)
    return tuple(
        Known(str(identity), Category.UNKNOWN if kind == _EXCEPTIONS else Category(kind), tuple(map(str, names)),
              kind == _EXCEPTIONS)
        for kind, some in document.items()
        for identity, names in some.items()
    )  # fmt: skip


@lru_cache(maxsize=1)
def _index() -> dict[str, Known]:
    found: dict[str, Known] = {}
    for one in get_license_index():
        identity = one.get("spdx_license_key") or ""
        if not identity or identity.startswith("LicenseRef-"):
            continue
        known = Known(identity, _KINDS.get(one["category"], Category.UNKNOWN), (), bool(one["is_exception"]))
        for name in (identity, *one["other_spdx_license_keys"]):
            if not name.startswith("LicenseRef-"):
                found.setdefault(name.lower(), known)
    return found
