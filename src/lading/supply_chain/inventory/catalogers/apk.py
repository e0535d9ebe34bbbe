"""Alpine packages: apk's list of what is installed, a record of one-letter fields for each package, files included.

Alpine's security team speaks of the package that a source makes (`o:`, the origin), so each package carries it. Wolfi,
Chainguard and others keep the same list. A database in apk's binary form (`ADB`) is told as one that cannot be read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from lading.kernel.purl import PackageUrl
from lading.supply_chain.inventory.catalogers.cataloger import Places
from lading.supply_chain.inventory.catalogers.collected import MOST_PATH, Collected, TooMuch
from lading.supply_chain.inventory.limits import MIB
from lading.supply_chain.inventory.values import Package, PackageDatabase

PATHS: Final = ("lib/apk/db/installed", "usr/lib/apk/db/installed")
_BINARY: Final = ("lib/apk/db/installed.adb", "usr/lib/apk/db/installed.adb")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]{0,200}")
_VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~+-]{0,200}")


class ApkCataloger:
    """Reads `lib/apk/db/installed`, also below `usr`."""

    name = "apk"
    revision = 1
    places = Places(names=frozenset({"installed", "installed.adb"}))
    most = 128 * MIB

    def wants(self, path: str) -> bool:
        return path in PATHS or path in _BINARY

    def read(self, path: str, content: bytes) -> PackageDatabase:
        found = Collected(path, self.name)
        if path in _BINARY or content[:3] == b"ADB" or b"\0" in content[:4_096]:
            found.gap("it has apk's binary form, or is not text")
            return found.database()
        if content and not content.endswith(b"\n\n"):
            found.gap("it is cut short")
        try:
            for number, lines in enumerate(_records(content.decode("utf-8", "replace")), 1):
                package = _package(path, lines)
                if package is None:
                    found.gap(f"record {number} names no package or no version")
                else:
                    found.add(package, _files(lines))
        except TooMuch as error:
            found.gap(str(error))
        return found.database()


def _records(text: str) -> Iterator[list[str]]:
    for record in text.replace("\r\n", "\n").split("\n\n"):
        if record.strip():
            yield record.split("\n")


def _package(path: str, lines: list[str]) -> Package | None:
    fields: dict[str, str] = {}
    for line in lines:
        if line.startswith("F:"):
            break
        if line[1:2] == ":":
            fields.setdefault(line[0], line[2:].strip())
    name, version = fields.get("P", ""), fields.get("V", "")
    if not _NAME.fullmatch(name) or not _VERSION.fullmatch(version):
        return None
    architecture, origin = fields.get("A", "")[:40], fields.get("o", "")
    purl = PackageUrl.of("apk", name, namespace="alpine", version=version, qualifiers={"arch": architecture})
    return Package(
        purl=str(purl),
        ecosystem="Alpine",
        name=name,
        version=version,
        path=path,
        source=origin if _NAME.fullmatch(origin) else name,
        source_version=version,
        architecture=architecture,
        licenses=(fields["L"][:200],) if fields.get("L") else (),
    )


def _files(lines: list[str]) -> Iterator[str]:
    """`F:` names a directory, the `R:` that follow names of files in it."""
    directory = ""
    for line in lines:
        if len(line) > MOST_PATH:
            continue
        if line.startswith("F:"):
            directory = line[2:].strip("/")
        elif line.startswith("R:"):
            yield f"{directory}/{line[2:]}" if directory else line[2:]
