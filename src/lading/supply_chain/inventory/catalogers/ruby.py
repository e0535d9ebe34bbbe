"""Ruby gems: `specifications/*.gemspec` of what is installed, and `Gemfile.lock`.

RubyGems writes the specifications itself, with a stub line at the head (`# stub: rake 13.0.6 ruby lib`); they are Ruby
programs, read here as text and never run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from lading.kernel.purl import PackageUrl
from lading.supply_chain.inventory.catalogers.cataloger import Places
from lading.supply_chain.inventory.catalogers.documents import bounded, carried_along, unreadable
from lading.supply_chain.inventory.limits import MIB
from lading.supply_chain.inventory.values import Package, PackageDatabase

_FOLDERS: Final = frozenset({"specifications", "default"})
_LOCKS: Final = frozenset({"Gemfile.lock", "gems.locked"})
_STUB: Final = re.compile(
    r"^# stub: ([A-Za-z0-9._-]{1,200}) ([0-9A-Za-z.-]{1,200}) ([A-Za-z0-9._-]{1,100}) ", re.MULTILINE
)
_FIELD: Final = re.compile(r"""^\s{0,20}s\.(name|version|platform) = ["']([^"'\n]{1,200})["']""", re.MULTILINE)
_LICENSES: Final = re.compile(r"^\s{0,20}s\.licenses? = ([^\n]{1,2000})", re.MULTILINE)
_QUOTED: Final = re.compile(r"""["']([^"']{1,200})["']""")
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,200}")
_VERSION: Final = re.compile(r"[0-9]+(?:\.[0-9A-Za-z]+)*(?:-[0-9A-Za-z.-]+)?")
_LOCKED: Final = re.compile(r" {4}([A-Za-z0-9._-]{1,200}) \(([0-9][0-9A-Za-z.]{0,100})(?:-([A-Za-z0-9._-]{1,100}))?\)")
_MOST: Final = 100_000


class RubyCataloger:
    """Reads the specifications of installed gems, and lock files of Bundler."""

    name = "ruby"
    revision = 1
    places = Places(folders=_FOLDERS, names=_LOCKS)
    most = 4 * MIB

    def wants(self, path: str) -> bool:
        directory, _, name = path.rpartition("/")
        if name in _LOCKS:
            return not carried_along(path)
        return name.endswith(".gemspec") and directory.endswith(("specifications", "specifications/default"))

    def read(self, path: str, content: bytes) -> PackageDatabase:
        text = content.decode("utf-8", "replace")
        if not path.endswith(".gemspec"):
            return self._locked(path, text)
        stub = _STUB.search(text[:4_000])
        fields = dict(_FIELD.findall(text))
        name, version, platform = stub.groups() if stub else (
            fields.get("name", ""), fields.get("version", ""), fields.get("platform", "ruby")
        )  # fmt: skip
        if not _NAME.fullmatch(name) or not _VERSION.fullmatch(version):
            return unreadable(path, self.name, "it names no gem or no version")
        stated = _LICENSES.search(text)
        licenses = tuple(_QUOTED.findall(stated[1])[:10]) if stated else ()
        package = _package(path, name, version, platform, licenses)
        return PackageDatabase(path=path, cataloger=self.name, packages=(package,), owns=_owned(path))

    def _locked(self, path: str, text: str) -> PackageDatabase:
        if not re.search(r"^(GEM|GIT|PATH|DEPENDENCIES|PLATFORMS)\s*$", text, re.MULTILINE):
            return unreadable(path, self.name, "it has none of the sections of a Gemfile.lock")
        return bounded(path, self.name, _lock(path, text), _MOST)


def _package(
    path: str, name: str, version: str, platform: str, licenses: tuple[str, ...] = (), locked: bool = False
) -> Package:
    architecture = "" if platform == "ruby" else platform
    return Package(
        purl=str(PackageUrl.of("gem", name, version=version, qualifiers={"platform": architecture})),
        ecosystem="RubyGems",
        name=name,
        version=version,
        path=path,
        architecture=architecture,
        licenses=licenses,
        declared_only=locked,
    )


def _owned(path: str) -> tuple[str, ...]:
    """The directory that the gem was unpacked to; default gems lie among Ruby's own files instead."""
    directory, _, file = path.rpartition("/")
    home = directory.removesuffix("specifications")
    return (f"{home}gems/{file.removesuffix('.gemspec')}/",) if home != directory else ()


def _lock(path: str, text: str) -> Iterator[Package]:
    """The gems of every section but PATH, which are the project's own."""
    section = ""
    for line in text.splitlines():
        if line and not line[0].isspace():
            section = line.strip()
        elif section in ("GEM", "GIT", "PLUGIN SOURCE") and (found := _LOCKED.fullmatch(line.rstrip())):
            yield _package(path, found[1], found[2], found[3] or "ruby", locked=True)
