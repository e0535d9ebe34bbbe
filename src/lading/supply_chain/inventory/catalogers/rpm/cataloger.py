"""Which files hold rpm packages, and what a header comes to.

`Packages.db` and `rpmdb.sqlite` are told by their first bytes, not by their names: names have been reused. Images
without rpm itself carry `container-manifest-2`, a line of tab-separated values for each package, as rpm prints them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from lading.kernel.purl import PackageUrl
from lading.supply_chain.inventory.catalogers.cataloger import Places
from lading.supply_chain.inventory.catalogers.collected import MOST_PATH, UNREADABLE, Collected, TooMuch
from lading.supply_chain.inventory.catalogers.rpm import berkeley, ndb, sqlite
from lading.supply_chain.inventory.catalogers.rpm import header as tags
from lading.supply_chain.inventory.catalogers.rpm.errors import DatabaseUnreadable
from lading.supply_chain.inventory.catalogers.rpm.header import Header, HeaderDamaged
from lading.supply_chain.inventory.limits import MIB
from lading.supply_chain.inventory.values import Note, Package, PackageDatabase

_DIRECTORIES: Final = frozenset({"var/lib/rpm", "usr/lib/sysimage/rpm", "usr/share/rpm"})
_DATABASES: Final = frozenset({"rpmdb.sqlite", "Packages", "Packages.db"})
_LOGS: Final = frozenset({"rpmdb.sqlite-wal", "rpmdb.sqlite-journal"})
_MANIFESTS: Final = "var/lib/rpmmanifest"
_MANIFEST: Final = "container-manifest-2"
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9+._-]{0,200}")
_VERSION: Final = re.compile(r"[A-Za-z0-9.+_~^]{1,200}")
_SOURCE: Final = re.compile(r"(.{1,200})-([^-]{1,200}-[^-]{1,200})\.(?:no)?src\.rpm")
_KEYS: Final = "gpg-pubkey"
_MOST_NAMES: Final = 128 * MIB


class RpmCataloger:
    """Reads rpm's database of whichever format, and manifests of images without one."""

    name = "rpm"
    revision = 1
    places = Places(directories=_DIRECTORIES | {_MANIFESTS})
    most = 256 * MIB

    def wants(self, path: str) -> bool:
        directory, _, name = path.rpartition("/")
        return name == _MANIFEST if directory == _MANIFESTS else name in _DATABASES or name in _LOGS

    def read(self, path: str, content: bytes) -> PackageDatabase:
        name = path.rpartition("/")[2]
        if name in _LOGS:
            return self._log(path, content)
        if name == _MANIFEST:
            return self._manifest(path, content)
        found = Collected(path, self.name)
        try:
            for number, blob in enumerate(_headers(content), 1):
                try:
                    package, files = _package(path, Header(blob))
                except HeaderDamaged as error:
                    found.gap(f"header {number}: {error}")
                    continue
                if package.name != _KEYS:
                    found.add(package, files)
        except (DatabaseUnreadable, TooMuch) as error:
            found.gap(str(error))
        return found.database()

    def _log(self, path: str, content: bytes) -> PackageDatabase:
        waiting = sqlite.pending(content) if path.endswith("-wal") else bool(content.strip(b"\0"))
        why = "it holds changes that are not in the database yet, and were not read"
        gaps = (Note(UNREADABLE, path, why),) if waiting else ()
        return PackageDatabase(path=path, cataloger=self.name, gaps=gaps)

    def _manifest(self, path: str, content: bytes) -> PackageDatabase:
        found = Collected(path, self.name)
        try:
            for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
                fields = line.split("\t")
                version, _, release = fields[1].rpartition("-") if len(fields) >= 10 else ("", "", "")
                try:
                    found.add(_made(path, fields[0], fields[8], version, release, fields[7], fields[9], fields[4]))
                except (HeaderDamaged, IndexError):
                    found.gap(f"line {number} names no package or no version")
        except TooMuch as error:
            found.gap(str(error))
        return found.database()


def _headers(content: bytes) -> Iterator[bytes]:
    if content.startswith(sqlite.MAGIC):
        return sqlite.headers(content)
    if content.startswith(ndb.MAGIC):
        return ndb.headers(content)
    if berkeley.is_hash(content):
        return berkeley.headers(content)
    raise DatabaseUnreadable("it is neither SQLite nor NDB nor a hash of Berkeley DB")


def _package(path: str, header: Header) -> tuple[Package, list[str]]:
    package = _made(
        path,
        header.text(tags.NAME),
        str(header.number(tags.EPOCH)),
        header.text(tags.VERSION),
        header.text(tags.RELEASE),
        header.text(tags.ARCHITECTURE),
        header.text(tags.SOURCE_RPM),
        header.text(tags.VENDOR),
        license=header.text(tags.LICENSE),
        module=header.text(tags.MODULARITY_LABEL),
    )
    return package, _files(header)


def _made(
    path: str, name: str, epoch: str, version: str, release: str, architecture: str, source_rpm: str, vendor: str,
    *, license: str = "", module: str = "",
) -> Package:  # fmt: skip
    if not _NAME.fullmatch(name) or not _VERSION.fullmatch(version) or not _VERSION.fullmatch(release):
        raise HeaderDamaged("it names no package, no version or no release")
    full = f"{version}-{release}"
    source = _SOURCE.fullmatch(source_rpm)
    numbered = epoch if epoch.isascii() and epoch.isdigit() and len(epoch) <= 10 and int(epoch) else ""
    architecture = architecture[:40]
    qualifiers = {"arch": architecture, "epoch": numbered, "rpmmod": module[:200]}
    return Package(
        purl=str(PackageUrl.of("rpm", name, version=full, qualifiers=qualifiers)),
        ecosystem="RPM",
        name=name,
        version=f"{numbered}:{full}" if numbered else full,
        path=path,
        source=source[1] if source else name,
        source_version=source[2] if source else full,
        architecture=architecture,
        licenses=(license[:200],) if license else (),
        vendor=vendor[:200],
    )


def _files(header: Header) -> list[str]:
    """The paths that a package owns, without leading slash; very old packages have them in one piece."""
    names = header.texts(tags.BASE_NAMES)
    if not names:
        return [name.lstrip("/") for name in header.texts(tags.OLD_FILE_NAMES)]
    directories = [name.lstrip("/") for name in header.texts(tags.DIRECTORY_NAMES)]
    indexes = header.numbers(tags.DIRECTORY_INDEXES)
    if len(indexes) != len(names) or (indexes and max(indexes) >= len(directories)):
        raise HeaderDamaged("its list of files points outside")
    # One long directory and a million names in it would be gigabytes.
    if max(map(len, directories), default=0) > MOST_PATH or sum(len(directories[one]) for one in indexes) > _MOST_NAMES:
        raise HeaderDamaged("its list of files is too long")
    return [directories[index] + name for index, name in zip(indexes, names, strict=True)]
