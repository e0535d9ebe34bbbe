"""Package URLs (purl), read and written as the package-url specification says.

    pkg:type/namespace/name@version?qualifiers#subpath

Written here because inventories hold millions of them: the parser is one pass over the text, and names that contain an
encoded slash (`%2F`) survive a round trip.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import quote, unquote

from lading.kernel.errors import InvalidInput

_LOWER_CASE_NAMES: Final = frozenset({"pypi", "deb", "apk", "bitbucket", "github", "composer", "golang"})
_TYPE: Final = re.compile(r"[a-z][a-z0-9.+-]*")


@dataclass(frozen=True, slots=True, order=True)
class PackageUrl:
    """One package of one ecosystem. `qualifiers` are sorted by key; all parts are decoded."""

    type: str
    name: str
    namespace: str = ""
    version: str = ""
    qualifiers: tuple[tuple[str, str], ...] = ()
    subpath: str = ""

    @classmethod
    def parse(cls, text: str) -> PackageUrl:
        """Read a purl; raises InvalidInput when scheme, type or name is missing or malformed."""
        scheme, colon, rest = text.partition(":")
        if scheme.lower() != "pkg" or not colon:
            raise _wrong(text, "it must start with pkg:")
        rest, _, subpath = rest.lstrip("/").partition("#")
        rest, _, query = rest.partition("?")
        kind, slash, path = rest.partition("/")
        kind = kind.lower()
        if not slash or _TYPE.fullmatch(kind) is None:
            raise _wrong(text, "the type is missing or malformed")
        namespace, _, last = path.strip("/").rpartition("/")
        name, at, version = last.rpartition("@") if "@" in last[1:] else (last, "", "")
        if not at:
            name, version = last, ""
        if not name:
            raise _wrong(text, "the name is missing")
        return cls.of(
            kind,
            unquote(name),
            namespace="/".join(unquote(part) for part in namespace.split("/") if part),
            version=unquote(version),
            qualifiers=dict(_pairs(query)),
            subpath="/".join(unquote(part) for part in subpath.split("/") if part not in ("", ".", "..")),
        )

    @classmethod
    def of(
        cls,
        kind: str,
        name: str,
        *,
        namespace: str = "",
        version: str = "",
        qualifiers: dict[str, str] | None = None,
        subpath: str = "",
    ) -> PackageUrl:
        """Build a purl from decoded parts, normalised as its type demands (PyPI: lower case, `_` becomes `-`)."""
        if kind in _LOWER_CASE_NAMES:
            name, namespace = name.lower(), namespace.lower()
        if kind == "pypi":
            name = name.replace("_", "-")
        ordered = tuple(sorted((key.lower(), value) for key, value in (qualifiers or {}).items() if value))
        return cls(kind, name, namespace, version, ordered, subpath)

    def qualifier(self, key: str) -> str:
        """The value of a qualifier, or an empty text."""
        return next((value for name, value in self.qualifiers if name == key), "")

    def without_version(self) -> PackageUrl:
        """The package, whatever its version and qualifiers."""
        return PackageUrl(self.type, self.name, self.namespace)

    def __str__(self) -> str:
        return _render(self)


def _pairs(query: str) -> list[tuple[str, str]]:
    found = []
    for part in query.split("&"):
        key, equals, value = part.partition("=")
        if key and equals and value:
            found.append((key.lower(), unquote(value)))
    return found


@lru_cache(maxsize=65536)
def _encoded(text: str) -> str:
    return quote(text, safe=":.-_~")


def _render(purl: PackageUrl) -> str:
    parts = ["pkg:", purl.type, "/"]
    if purl.namespace:
        parts += ["/".join(_encoded(part) for part in purl.namespace.split("/")), "/"]
    parts.append(_encoded(purl.name))
    if purl.version:
        parts += ["@", _encoded(purl.version)]
    if purl.qualifiers:
        parts += ["?", "&".join(f"{key}={quote(value, safe=':.-_~/')}" for key, value in purl.qualifiers)]
    if purl.subpath:
        parts += ["#", "/".join(_encoded(part) for part in purl.subpath.split("/"))]
    return "".join(parts)


def _wrong(text: str, why: str) -> InvalidInput:
    return InvalidInput(f"{text[:200]!r} is not a package URL: {why}.", remedy="Example: pkg:pypi/jinja2@3.1.6")
