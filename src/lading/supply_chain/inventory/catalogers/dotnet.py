"""NuGet packages of .NET programs: `*.deps.json`, also inside single-file programs, and `packages.lock.json`.

deps.json is what the host resolves assemblies with: `libraries` names what the program was built from, `targets` which
files of each are really there. A package without a file at run time is only declared. A single-file program carries its
deps.json in a bundle, whose header stands where a marker in the program points to (dotnet/designs, "single-file").
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Iterator
from itertools import islice
from typing import Final

import msgspec

from lading.kernel.purl import PackageUrl
from lading.supply_chain.inventory.catalogers.cataloger import Places
from lading.supply_chain.inventory.catalogers.documents import (
    DocumentUnreadable,
    bounded,
    carried_along,
    json_as,
    unreadable,
)
from lading.supply_chain.inventory.limits import MIB
from lading.supply_chain.inventory.programs import ELF, MACHO, PE
from lading.supply_chain.inventory.values import Package, PackageDatabase

_DEPS: Final = ".deps.json"
_LOCK: Final = "packages.lock.json"
_LIBRARY: Final = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_.+-]{0,150})/([0-9][0-9A-Za-z.+-]{0,100})")
_PACK: Final = "runtimepack."
_MOST: Final = 50_000
# Eight bytes before the marker say where the header of the bundle is; they are zero where there is none.
_MARKER: Final = hashlib.sha256(b".net core bundle\n").digest()
_MOST_DEPS: Final = 32 * MIB


class _Asset(msgspec.Struct):
    locale: str | None = None


class _Target(msgspec.Struct):
    runtime: dict[str, _Asset] = {}
    native: dict[str, _Asset] = {}
    platforms: dict[str, _Asset] = msgspec.field(default_factory=dict, name="runtimeTargets")
    resources: dict[str, _Asset] = {}


class _Library(msgspec.Struct):
    type: str = ""


class _Named(msgspec.Struct):
    name: str = ""


class _Deps(msgspec.Struct):
    target: _Named | str = msgspec.field(default="", name="runtimeTarget")
    targets: dict[str, dict[str, _Target]] | None = None
    libraries: dict[str, _Library] | None = None


class _Locked(msgspec.Struct):
    type: str = ""
    resolved: str | None = None


class _Lock(msgspec.Struct):
    dependencies: dict[str, dict[str, _Locked]] | None = None


class DotnetCataloger:
    """Reads deps.json files, and lock files of NuGet."""

    name = "dotnet"
    revision = 1
    places = Places(suffixes=frozenset({".json"}))
    most = 16 * MIB

    def wants(self, path: str) -> bool:
        return path.endswith(_DEPS) or (f"/{path}".endswith(f"/{_LOCK}") and not carried_along(path))

    def read(self, path: str, content: bytes) -> PackageDatabase:
        try:
            if path.endswith(_DEPS):
                return deps(path, self.name, content)
            lock = json_as(content, _Lock)
        except DocumentUnreadable as why:
            return unreadable(path, self.name, str(why))
        if lock.dependencies is None:
            return unreadable(path, self.name, "it has no dependencies")
        return bounded(path, self.name, _locked(path, lock.dependencies), _MOST)


class DotnetBundleCataloger:
    """Reads the deps.json inside single-file .NET programs."""

    name = "dotnet-bundle"
    revision = 1
    places = Places(forms=frozenset({ELF, PE, MACHO}), marks=frozenset({_MARKER}))
    most = 256 * MIB

    def wants(self, path: str) -> bool:
        return ".so" not in path.rpartition("/")[2]

    def read(self, path: str, content: bytes) -> PackageDatabase:
        at = content.find(_MARKER)
        header = int.from_bytes(content[at - 8 : at], "little") if at >= 8 else 0
        if not header:
            return PackageDatabase(path=path, cataloger=self.name)
        try:
            return deps(path, self.name, _bundled(content, header))
        except DocumentUnreadable as why:
            return unreadable(path, self.name, f"it is a single-file .NET program: {why}")


def deps(path: str, cataloger: str, content: bytes) -> PackageDatabase:
    """The packages of a deps.json and the files that they brought; raises DocumentUnreadable."""
    document = json_as(content, _Deps)
    if document.libraries is None or document.targets is None:
        raise DocumentUnreadable("it has no libraries and targets")
    chosen = document.target if isinstance(document.target, str) else document.target.name
    present = document.targets.get(chosen, {})
    nothing = _Target()
    files = {key: list(_files(present.get(key, nothing))) for key in document.libraries}
    packages = (
        _package(path, key, locked=bool(present) and not files[key] and library.type == "package")
        for key, library in document.libraries.items()
        if library.type in ("package", "runtimepack")
    )
    directory = path[: path.rfind("/") + 1]
    owned = (
        f"{directory}{file}"
        for key, library in document.libraries.items()
        if library.type != "project"
        for file in files[key]
    )
    database = bounded(path, cataloger, packages, _MOST)
    return msgspec.structs.replace(database, owns=tuple(islice(owned, 4 * _MOST)))


def _files(target: _Target) -> Iterator[str]:
    """The files of a library as they lie beside the program: assets lose their folder, those of a platform keep it."""
    for name in (*target.runtime, *target.native):
        yield name.rpartition("/")[2]
    yield from (name for name in target.platforms if ".." not in name)
    for name, asset in target.resources.items():
        yield f"{asset.locale.replace('/', '')}/{name.rpartition('/')[2]}" if asset.locale else name.rpartition("/")[2]


def _package(path: str, key: str, *, locked: bool) -> Package | None:
    named = _LIBRARY.fullmatch(key.removeprefix(_PACK))
    if named is None:
        return None
    return Package(
        purl=str(PackageUrl.of("nuget", named[1], version=named[2])),
        ecosystem="NuGet",
        name=named[1].lower(),
        version=named[2],
        path=path,
        declared_only=locked,
    )


def _locked(path: str, frameworks: dict[str, dict[str, _Locked]]) -> Iterator[Package | None]:
    for packages in frameworks.values():
        for name, entry in packages.items():
            if entry.type != "Project":
                yield _package(path, f"{name}/{entry.resolved}", locked=True)


def _bundled(content: bytes, header: int) -> bytes:
    """The deps.json of a bundle whose header is at `header`; raises DocumentUnreadable."""
    try:
        major, _, _, length = struct.unpack_from("<IIiB", content, header)
        if length & 0x80:
            raise DocumentUnreadable("the name of its bundle is too long")
        if major < 2:
            raise DocumentUnreadable(f"its bundle has the form {major}, which does not say where its deps.json is")
        at, size = struct.unpack_from("<qq", content, header + 13 + length)
    except (struct.error, OverflowError) as error:
        raise DocumentUnreadable("the header of its bundle lies outside it") from error
    if at <= 0 or not 0 < size <= _MOST_DEPS or at + size > len(content):
        raise DocumentUnreadable("it names no deps.json inside it")
    return content[at : at + size]
