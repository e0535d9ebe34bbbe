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
from typing import Any, Final

from lading.kernel.purl import PackageUrl
from lading.supply_chain.inventory.catalogers.cataloger import Places
from lading.supply_chain.inventory.catalogers.documents import (
    DocumentUnreadable,
    carried_along,
    json_object,
    unreadable,
)
from lading.supply_chain.inventory.limits import MIB
from lading.supply_chain.inventory.programs import ELF, MACHO, PE
from lading.supply_chain.inventory.values import Package, PackageDatabase

_DEPS: Final = ".deps.json"
_LOCK: Final = "packages.lock.json"
_LIBRARY: Final = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_.+-]{0,150})/([0-9][0-9A-Za-z.+-]{0,100})")
_PACK: Final = "runtimepack."
_ASSETS: Final = ("runtime", "native", "runtimeTargets", "resources")
_MOST: Final = 50_000
# Eight bytes before the marker say where the header of the bundle is; they are zero where there is none.
_MARKER: Final = hashlib.sha256(b".net core bundle\n").digest()
_MOST_DEPS: Final = 32 * MIB


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
            document = json_object(content)
            if path.endswith(_DEPS):
                return deps(path, self.name, document)
            locked = islice(_locked(path, document), _MOST)
        except DocumentUnreadable as why:
            return unreadable(path, self.name, str(why))
        found = {package.purl: package for package in locked}
        return PackageDatabase(path=path, cataloger=self.name, packages=tuple(found.values()))


class DotnetBundleCataloger:
    """Reads the deps.json inside single-file .NET programs."""

    name = "dotnet-bundle"
    revision = 1
    places = Places(forms=frozenset({ELF, PE, MACHO}))
    most = 256 * MIB

    def wants(self, path: str) -> bool:
        return ".so" not in path.rpartition("/")[2]

    def read(self, path: str, content: bytes) -> PackageDatabase:
        at = content.find(_MARKER)
        header = int.from_bytes(content[at - 8 : at], "little") if at >= 8 else 0
        if not header:
            return PackageDatabase(path=path, cataloger=self.name)
        try:
            return deps(path, self.name, json_object(_bundled(content, header)))
        except DocumentUnreadable as why:
            return unreadable(path, self.name, f"it is a single-file .NET program: {why}")


def deps(path: str, cataloger: str, document: dict[str, Any]) -> PackageDatabase:
    """The packages of a deps.json and the files that they brought; raises DocumentUnreadable."""
    libraries, targets = document.get("libraries"), document.get("targets")
    if not isinstance(libraries, dict) or not isinstance(targets, dict):
        raise DocumentUnreadable("it has no libraries and targets")
    target = document.get("runtimeTarget")
    name = target.get("name") if isinstance(target, dict) else target
    chosen = targets.get(name) if isinstance(name, str) else None
    present = chosen if isinstance(chosen, dict) else {}
    found, owned = dict[str, Package](), list[str]()
    directory = path[: path.rfind("/") + 1]
    for key, library in islice(libraries.items(), _MOST):
        kind = library.get("type") if isinstance(library, dict) else None
        if kind not in ("package", "runtimepack"):
            continue
        files = list(_files(present.get(key)))
        package = _package(path, key, locked=bool(present) and not files and kind == "package")
        if package is not None:
            found[package.purl] = package
            owned += [f"{directory}{file}" for file in files]
    return PackageDatabase(
        path=path, cataloger=cataloger, packages=tuple(found.values()), owns=tuple(owned[: 4 * _MOST])
    )


def _files(entry: Any) -> Iterator[str]:
    """The files of a library as they lie beside the program: assets lose their folder, those of a platform keep it."""
    if not isinstance(entry, dict):
        return
    for group in _ASSETS:
        assets = entry.get(group)
        for name, detail in assets.items() if isinstance(assets, dict) else ():
            if group == "resources" and isinstance(detail, dict) and isinstance(detail.get("locale"), str):
                yield f"{detail['locale']}/{name.rpartition('/')[2]}"
            else:
                yield name if group == "runtimeTargets" else name.rpartition("/")[2]


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


def _locked(path: str, document: dict[str, Any]) -> Iterator[Package]:
    frameworks = document.get("dependencies")
    if not isinstance(frameworks, dict):
        raise DocumentUnreadable("it has no dependencies")
    for packages in frameworks.values():
        for name, entry in packages.items() if isinstance(packages, dict) else ():
            if isinstance(entry, dict) and entry.get("type") != "Project":
                package = _package(path, f"{name}/{entry.get('resolved')}", locked=True)
                if package is not None:
                    yield package


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
