"""What catalogers of single files share: reading JSON with a reason when it cannot be, and telling lock files of the
image from those that installed packages carry along."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from lading.supply_chain.inventory.values import Note, PackageDatabase

UNREADABLE: Final = "package-metadata-unreadable"
_BOM: Final = b"\xef\xbb\xbf"
_decode = msgspec.json.Decoder().decode
# Directories of installed packages: what lies there was packed by their authors, and says nothing of this image.
_INSTALLED: Final = ("node_modules/", "site-packages/", "dist-packages/", "/gems/", "vendor/", "usr/share/doc/")


class DocumentUnreadable(Exception):
    """A document cannot be read; `str` of it says why. It never leaves the catalogers."""


def json_document(content: bytes) -> Any:
    """The JSON document; raises DocumentUnreadable. Of keys that come twice the last counts, as with most readers."""
    try:
        return _decode(content.removeprefix(_BOM))
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise DocumentUnreadable(f"it is not JSON: {str(error)[:100]}") from error


def json_object(content: bytes) -> dict[str, Any]:
    """The JSON object; raises DocumentUnreadable."""
    document = json_document(content)
    if not isinstance(document, dict):
        raise DocumentUnreadable("it is no JSON object")
    return document


def carried_along(path: str) -> bool:
    """Whether a lock file at `path` lies in an installed package."""
    return any(part in f"/{path}" for part in _INSTALLED)


def unreadable(path: str, cataloger: str, why: str) -> PackageDatabase:
    """The result for a file that could not be read: one gap."""
    return PackageDatabase(path=path, cataloger=cataloger, gaps=(Note(UNREADABLE, path, why),))


def texts(value: Any, most: int = 10) -> tuple[str, ...]:
    """A text or a list of texts, as most formats have licences."""
    listed = value if isinstance(value, list) else [value]
    return tuple(one[:200] for one in listed[:most] if isinstance(one, str) and one)


def plain_version(version: Any) -> str:
    """A version as it stands, or nothing when it is no short printable text."""
    if not isinstance(version, str) or not 0 < len(version) <= 200 or not version.isprintable():
        return ""
    return version
