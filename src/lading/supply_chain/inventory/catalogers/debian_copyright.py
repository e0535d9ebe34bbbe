"""The licences of Debian packages, which dpkg does not know: `usr/share/doc/PACKAGE/copyright` (Debian policy, 12.5).

Some are machine-readable (DEP-5): the licence of each group of files is a field. Of the others the texts and references
to `/usr/share/common-licenses` are recognised that are common; what is none of these stays unknown. The packaging's own
licence (`Files: debian/*`) is not that of the program.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from lading.supply_chain.inventory.catalogers.cataloger import Places
from lading.supply_chain.inventory.limits import MIB
from lading.supply_chain.inventory.values import PackageDatabase

DIRECTORY: Final = "usr/share/doc/"
NAME: Final = "copyright"
_MOST_FIELDS: Final = 20_000
_MOST_LICENCES: Final = 50
_MOST_NAME: Final = 200
_MOST_WORDS: Final = 12
_MOST_READ: Final = 128 << 10
_FORMAT: Final = re.compile(r"^Format(?:-Specification)?:", re.MULTILINE | re.IGNORECASE)
_FILES: Final = re.compile(r"Files:([^\n]*(?:\n[ \t]+[^\n]*)*)")
_FILES_FIELD: Final = "\nFiles:"
_FIELD: Final = "\nLicense:"
_BETWEEN: Final = "\n\n"
_COMMON: Final = re.compile(r"/usr/share/common-licenses/([a-z]+(?:-[0-9]+(?:\.[0-9]+)*)?)")
_GNU: Final = re.compile(
    r"gnu (lesser |library |affero )?general public licen[sc]e(?:\s*\([a-z]+\))?,?\s*"
    r"(?:as published by the free software foundation[;,]?\s*)?(?:either\s+)?(?:version|v\.?)\s*([123](?:\.[01])?)"
)
_LATER: Final = re.compile(r"(?:any|or) (?:later|newer|higher)")
_GNU_NAMES: Final = {"": "GPL", "lesser ": "LGPL", "library ": "LGPL", "affero ": "AGPL"}
_GNU_ONLY: Final = ("gpl", "lgpl", "gfdl")
_COMMENTS: Final = ("*", "#", "|", '"')
_BSD: Final = "redistribution and use in source and binary forms"
# Beginnings of licences that are quoted, and what they are called.
_TEXTS: Final = (
    ("permission is hereby granted, free of charge, to any person obtaining a copy", "Expat"),
    ("permission to use, copy, modify, and distribute this software for any purpose with or without fee", "ISC"),
    ("permission to use, copy, modify, and/or distribute this software for any purpose with or without fee", "ISC"),
    ("permission to use, copy, modify, and distribute this software and its documentation", "HPND"),
    ("permission to use, copy, modify, distribute, and sell this software and its documentation", "HPND-sell-variant"),
    ("altered source versions must be plainly marked as such", "Zlib"),
    ("apache license, version 2.0", "Apache-2.0"),
    ("mozilla public license, version 2.0", "MPL-2.0"),
    ("mozilla public license, v. 2.0", "MPL-2.0"),
    ("under the same terms as perl", "Artistic or GPL-1+"),
    ("boost software license", "BSL-1.0"),
    ("info-zip license", "Info-ZIP"),
    ("this software is copyrighted by the regents of the university of california, sun microsystems", "TCL"),
)


class CopyrightCataloger:
    """Reads `usr/share/doc/*/copyright`; it names no packages, only licences."""

    name = "copyright"
    revision = 1
    places = Places(names=frozenset({NAME}), minor=True)
    most = 4 * MIB

    def wants(self, path: str) -> bool:
        return path.startswith(DIRECTORY) and path.count("/") == 4

    def read(self, path: str, content: bytes) -> PackageDatabase:
        text = content.decode("utf-8", "replace").replace("\r\n", "\n")
        found = _stated(text) if _FORMAT.search(text[:4_096]) else ()
        return PackageDatabase(path=path, cataloger=self.name, licences=found or _recognised(text))


def _stated(text: str) -> tuple[str, ...]:
    """The licences of the groups of files, each once, in order. A paragraph without files is the text of a licence that
    others name, except the first, which is about all."""
    program: dict[str, None] = {}
    packaging: dict[str, None] = {}
    at = text.find(_FIELD)
    for _ in range(_MOST_FIELDS):
        if at < 0 or len(program) >= _MOST_LICENCES:
            break
        begun = text.rfind(_BETWEEN, 0, at + 1)
        end = text.find("\n", at + 1)
        files = _FILES.match(text, text.find(_FILES_FIELD, max(begun, 0), at) + 1)
        if files is not None or begun < 0:
            names = text[at + len(_FIELD) : end if end >= 0 else len(text)].strip()
            own = files is not None and all(one.startswith("debian/") for one in files[1].split())
            (packaging if own else program).update(dict.fromkeys(_names(names, text, at)))
        at = text.find(_FIELD, at + 1)
    return tuple(program or packaging)[:_MOST_LICENCES]


def _names(names: str, text: str, at: int) -> tuple[str, ...]:
    """What a field calls the licence; where it quotes one in the place of a name, what that is."""
    if names and len(names.split()) <= _MOST_WORDS:
        return (names[:_MOST_NAME],)
    end = text.find(_BETWEEN, at + 1)
    return _recognised(text[at : end if end >= 0 else len(text)])


def _recognised(text: str) -> tuple[str, ...]:
    """The licences that a text in prose names or quotes; none where it is not sure."""
    # Comment signs and line breaks stand anywhere in quoted licences.
    prose = text[:_MOST_READ].lower()
    for sign in _COMMENTS:
        prose = prose.replace(sign, " ")
    prose = " ".join(prose.split())
    found: dict[str, None] = {}
    for reference in _COMMON.finditer(prose):
        found[_common(reference[1], prose[max(0, reference.start() - 1_500) : reference.start()])] = None
    if "general public licen" in prose and not any(name.startswith(("GPL", "LGPL", "AGPL")) for name in found):
        found.update(dict.fromkeys(_gnu(prose)))
    found.update((name, None) for beginning, name in _TEXTS if beginning in prose)
    if _BSD in prose:
        found[_bsd(prose)] = None
    if not found and "public domain" in prose:
        return ("public-domain",)
    return tuple(found)[:_MOST_LICENCES]


def _common(name: str, before: str) -> str:
    """A file of /usr/share/common-licenses by its Debian name, with a plus where any later version will do."""
    shown = (
        name.upper() if name.startswith(_GNU_ONLY) or name in ("bsd", "mpl-1.1", "mpl-2.0", "cc0-1.0") else name.title()
    )
    # Where no version is named, the file is a link to the latest: whoever says so means any.
    return f"{shown}+" if name.startswith(_GNU_ONLY) and _LATER.search(before) else shown


def _gnu(prose: str) -> Iterator[str]:
    for found in _GNU.finditer(prose):
        later = "+" if _LATER.search(prose[found.end() : found.end() + 120]) else ""
        yield f"{_GNU_NAMES[found[1] or '']}-{found[2]}{later}"


def _bsd(prose: str) -> str:
    if "all advertising materials mentioning" in prose:
        return "BSD-4-clause"
    endorsed = re.search(r"neither the names? of|may not be used to endorse|may be used to endorse", prose)
    return "BSD-3-clause" if endorsed else "BSD-2-clause"
