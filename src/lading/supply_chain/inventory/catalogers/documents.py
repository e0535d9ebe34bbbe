"""What catalogers of single files share: reading JSON with a reason when it cannot be, and telling lock files of the
image from those that installed packages carry along."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final, TypeVar

import msgspec

from lading.supply_chain.inventory.values import Note, Package, PackageDatabase

UNREADABLE: Final = "package-metadata-unreadable"
_BOM: Final = b"\xef\xbb\xbf"
Form = TypeVar("Form")
# Directories of installed packages: what lies there was packed by their authors, and says nothing of this image.
_INSTALLED: Final = ("/node_modules/", "/site-packages/", "/dist-packages/", "/vendor/", "/usr/share/doc/")
_GEM: Final = re.compile(r"/gems/[^/]+-[0-9][^/]*/")


class DocumentUnreadable(Exception):
    """A document cannot be read; `str` of it says why. It never leaves the catalogers."""


def json_as(content: bytes, form: type[Form]) -> Form:
    """The JSON document in its form; raises DocumentUnreadable where it has another. What the form does not name is
    passed over without being made, however much it is. Of keys that come twice the last counts."""
    try:
        return msgspec.json.decode(content.removeprefix(_BOM), type=form)
    except msgspec.ValidationError as error:
        raise DocumentUnreadable(f"it does not have its form: {str(error)[:100]}") from error
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise DocumentUnreadable(f"it is not JSON: {str(error)[:100]}") from error


def carried_along(path: str) -> bool:
    """Whether a lock file at `path` lies in an installed package."""
    below = f"/{path}"
    return any(part in below for part in _INSTALLED) or _GEM.search(below) is not None


def unreadable(path: str, cataloger: str, why: str) -> PackageDatabase:
    """The result for a file that could not be read: one gap."""
    return PackageDatabase(path=path, cataloger=cataloger, gaps=(Note(UNREADABLE, path, why),))


def bounded(path: str, cataloger: str, packages: Iterable[Package | None], most: int) -> PackageDatabase:
    """The packages of a file, each once, up to a bound; a gap says so when there are more."""
    found: dict[str, Package] = {}
    for package in packages:
        if package is None or package.purl in found:
            continue
        if len(found) == most:
            gaps = (Note(UNREADABLE, path, f"it names more than {most} packages"),)
            return PackageDatabase(path=path, cataloger=cataloger, packages=tuple(found.values()), gaps=gaps)
        found[package.purl] = package
    return PackageDatabase(path=path, cataloger=cataloger, packages=tuple(found.values()))


def texts(value: Any, most: int = 10) -> tuple[str, ...]:
    """A text or a list of texts, as most formats have licences."""
    listed = value if isinstance(value, list) else [value]
    return tuple(one[:200] for one in listed[:most] if isinstance(one, str) and one)


def plain_version(version: Any) -> str:
    """A version as it stands, or nothing when it is no short printable text."""
    if not isinstance(version, str) or not 0 < len(version) <= 200 or not version.isprintable():
        return ""
    return version
