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
from lading.supply_chain.inventory.limits import MIB
from lading.supply_chain.inventory.values import Note, Package, PackageDatabase

PATHS: Final = ("lib/apk/db/installed", "usr/lib/apk/db/installed")
_BINARY: Final = ("lib/apk/db/installed.adb", "usr/lib/apk/db/installed.adb")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]{0,200}")
_VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~+-]{0,200}")
_MOST_PACKAGES: Final = 100_000
_MOST_GAPS: Final = 20
UNREADABLE: Final = "package-database-unreadable"


class ApkCataloger:
    """Reads `lib/apk/db/installed`, also below `usr`."""

    name = "apk"
    revision = 1
    places = Places(names=frozenset({"installed", "installed.adb"}))
    most = 128 * MIB

    def wants(self, path: str) -> bool:
        return path in PATHS or path in _BINARY

    def read(self, path: str, content: bytes) -> PackageDatabase:
        if path in _BINARY or content[:3] == b"ADB" or b"\0" in content[:4_096]:
            return self._gap(path, "it has apk's binary form, or is not text")
        packages, owned, stretches, gaps = [], [], [], []
        if content and not content.endswith(b"\n\n"):
            gaps.append(Note(UNREADABLE, path, "it is cut short"))
        for number, lines in enumerate(_records(content.decode("utf-8", "replace")), 1):
            if number > _MOST_PACKAGES:
                gaps.append(Note(UNREADABLE, path, f"it has more than {_MOST_PACKAGES} packages"))
                break
            package = _package(path, lines)
            if package is None:
                gaps.append(Note(UNREADABLE, path, f"record {number} names no package or no version"))
                continue
            packages.append(package)
            files = list(_files(lines))
            owned += files
            stretches.append((package.name, len(files)))
        if not packages and not gaps:
            gaps.append(Note(UNREADABLE, path, "it names no package at all"))
        return PackageDatabase(
            path=path,
            cataloger=self.name,
            packages=tuple(packages),
            owns=tuple(owned),
            owners=tuple(stretches),
            gaps=tuple(gaps[:_MOST_GAPS]),
        )

    def _gap(self, path: str, why: str) -> PackageDatabase:
        return PackageDatabase(path=path, cataloger=self.name, gaps=(Note(UNREADABLE, path, why),))


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
        if line.startswith("F:"):
            directory = line[2:].strip("/")
        elif line.startswith("R:"):
            yield f"{directory}/{line[2:]}" if directory else line[2:]
