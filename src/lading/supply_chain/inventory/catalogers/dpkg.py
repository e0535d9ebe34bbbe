"""Debian packages: dpkg's status file, one file for each in `status.d` (distroless), and the lists of their files.

The status file is a list of stanzas as of deb822(5). Debian's security team speaks of source packages, so each binary
package carries the source that it was built from.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from lading.kernel.purl import PackageUrl
from lading.supply_chain.inventory.catalogers.cataloger import Places
from lading.supply_chain.inventory.limits import MIB
from lading.supply_chain.inventory.values import Note, Package, PackageDatabase

_STATUS: Final = "var/lib/dpkg/status"
_STATUS_D: Final = "var/lib/dpkg/status.d"
_INFO: Final = "var/lib/dpkg/info"
_FIELD: Final = re.compile(r"^(Package|Status|Version|Source|Architecture):([^\n]*)$", re.MULTILINE | re.IGNORECASE)
_SOURCE: Final = re.compile(r"(\S+)(?:\s+\(([^)]+)\))?")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9+.~-]{0,200}")
_VERSION: Final = re.compile(r"[A-Za-z0-9.+~:-]{1,200}")
_MOST_PACKAGES: Final = 100_000
_ABSENT: Final = frozenset({"not-installed", "config-files"})
UNREADABLE: Final = "package-database-unreadable"


class DpkgCataloger:
    """Reads `var/lib/dpkg/status`, `status.d/*` with its `.md5sums`, and `info/*.list`."""

    name = "dpkg"
    revision = 2
    places = Places(names=frozenset({"status"}), directories=frozenset({_STATUS_D, _INFO}))
    most = 32 * MIB

    def wants(self, path: str) -> bool:
        if path.startswith(_INFO):
            return path.endswith(".list")
        return path == _STATUS or path.startswith(f"{_STATUS_D}/")

    def read(self, path: str, content: bytes) -> PackageDatabase:
        text = content.decode("utf-8", "replace")
        if path.startswith(_INFO):
            owner = path.rpartition("/")[2].removesuffix(".list").partition(":")[0]
            owned = tuple(line[1:] for line in text.splitlines() if len(line) > 1 and line.startswith("/"))
            return PackageDatabase(path=path, cataloger=self.name, owner=owner, owns=owned)
        if path.endswith(".md5sums"):
            return PackageDatabase(path=path, cataloger=self.name, owner=_summed_owner(path), owns=tuple(_summed(text)))
        packages, absent, gaps = [], [], []
        if b"\0" in content or (content and not content.endswith(b"\n") and path == _STATUS):
            gaps.append(Note(UNREADABLE, path, "it is cut short or is not text"))
        for number, stanza in enumerate(_stanzas(text), 1):
            if number > _MOST_PACKAGES:
                gaps.append(Note(UNREADABLE, path, f"it has more than {_MOST_PACKAGES} packages"))
                break
            fields = {key.lower(): value.strip() for key, value in _FIELD.findall(stanza)}
            if fields.get("status", "").split(" ")[-1] in _ABSENT:
                absent.append(fields.get("package", "")[:200])
                continue
            package = _package(path, fields)
            if package is None:
                gaps.append(Note(UNREADABLE, path, f"stanza {number} names no package or no version"))
            else:
                packages.append(package)
        if not packages and not gaps:
            gaps.append(Note(UNREADABLE, path, "it names no package at all"))
        return PackageDatabase(
            path=path, cataloger=self.name, packages=tuple(packages), gaps=tuple(gaps[:20]), absent=tuple(absent)
        )


def _summed_owner(path: str) -> str:
    return path.rpartition("/")[2].removesuffix(".md5sums")


def _summed(text: str) -> Iterator[str]:
    """Lines of md5sum(1): distroless images have them in the place of lists of files."""
    for line in text.splitlines():
        _, blank, name = line.partition("  ")
        if blank and name:
            yield name.strip().removeprefix("./").lstrip("/")


def _stanzas(text: str) -> Iterator[str]:
    for stanza in text.replace("\r\n", "\n").split("\n\n"):
        if stanza.strip():
            yield stanza


def _package(path: str, fields: dict[str, str]) -> Package | None:
    name, version = fields.get("package", ""), fields.get("version", "")
    if not _NAME.fullmatch(name) or not _VERSION.fullmatch(version):
        return None
    source = _SOURCE.match(fields.get("source", ""))
    architecture = fields.get("architecture", "")[:40]
    purl = PackageUrl.of("deb", name, namespace="debian", version=version, qualifiers={"arch": architecture})
    return Package(
        purl=str(purl),
        ecosystem="Debian",
        name=name,
        version=version,
        path=path,
        source=source[1] if source else name,
        source_version=(source[2] or version) if source else version,
        architecture=architecture,
    )
