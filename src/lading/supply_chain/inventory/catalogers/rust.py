"""Rust: the list of crates that cargo-auditable puts into programs, and lock files where nothing was built.

The list is JSON, compressed with zlib, in a section `.dep-v0`. Crates that only helped to build are left out: they are
not in the program.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from lading.kernel.purl import PackageUrl
from lading.supply_chain.inventory.catalogers.cataloger import Places
from lading.supply_chain.inventory.catalogers.documents import DocumentUnreadable
from lading.supply_chain.inventory.catalogers.tables import package_tables
from lading.supply_chain.inventory.limits import MIB
from lading.supply_chain.inventory.programs import ELF, HEAD, MACHO, PE, ProgramDamaged, form_of, opened
from lading.supply_chain.inventory.values import Note, Package, PackageDatabase

_SECTION: Final = ".dep-v0"
_LOCK: Final = "Cargo.lock"
_MOST_LIST: Final = 8 * MIB
_MOST_LOCK: Final = 8 * MIB
_MOST_CRATES: Final = 50_000
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,200}")
_VERSION: Final = re.compile(r"[0-9][A-Za-z0-9.+-]{0,200}")
# Sources of crates that a builder keeps: their lock files say what their authors used, not what is here.
_KEPT_SOURCES: Final = ("/registry/src/", "/git/checkouts/", "/vendor/")
UNREADABLE: Final = "package-metadata-unreadable"
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class RustCataloger:
    """Reads `.dep-v0` of ELF, PE and Mach-O programs, and `Cargo.lock`."""

    name = "rust"
    revision = 1
    places = Places(names=frozenset({_LOCK}), forms=frozenset({ELF, PE, MACHO}), marks=frozenset({_SECTION.encode()}))
    most = 256 * MIB

    def wants(self, path: str) -> bool:
        return not path.endswith(_LOCK) or not any(part in f"/{path}" for part in _KEPT_SOURCES)

    def read(self, path: str, content: bytes) -> PackageDatabase:
        try:
            lock = path.endswith(_LOCK) and not form_of(content[:HEAD])
            packages = tuple(_locked(path, content) if lock else _built(path, content))
        except _Unreadable as error:
            return PackageDatabase(path=path, cataloger=self.name, gaps=(Note(UNREADABLE, path, str(error)),))
        return PackageDatabase(path=path, cataloger=self.name, packages=packages)


class _Unreadable(ValueError):
    pass


def _built(path: str, content: bytes) -> Iterator[Package]:
    try:
        packed = opened(content).section(_SECTION)
    except ProgramDamaged:
        return
    if not packed:
        return
    try:
        pump = zlib.decompressobj()
        text = pump.decompress(packed, _MOST_LIST)
        if not pump.eof:
            raise _Unreadable("the list of crates is too long, or cut short")
        crates = _decode(text).get("packages")
    except (zlib.error, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _Unreadable(f"the list of crates: {str(error)[:100]}") from error
    yield from _crates(path, crates, "kind", declared=False)


def _locked(path: str, content: bytes) -> Iterator[Package]:
    if len(content) > _MOST_LOCK:
        raise _Unreadable(f"it has {len(content)} bytes")
    try:
        # What has no source is of the project itself.
        crates = [table for table in package_tables(content) if table.get("source")]
    except DocumentUnreadable as error:
        raise _Unreadable(str(error)) from error
    yield from _crates(path, crates, "", declared=True)


def _crates(path: str, crates: object, kind: str, *, declared: bool) -> Iterator[Package]:
    if not isinstance(crates, list) or len(crates) > _MOST_CRATES:
        raise _Unreadable("it has no list of crates, or too long a one")
    seen = set()
    for crate in crates:
        if not isinstance(crate, dict) or crate.get(kind) == "build":
            continue
        name, version = crate.get("name"), crate.get("version")
        if not isinstance(name, str) or not isinstance(version, str):
            raise _Unreadable("a crate has no name or no version")
        if not _NAME.fullmatch(name) or not _VERSION.fullmatch(version):
            raise _Unreadable(f"{name[:80]!r} {version[:80]!r} is no crate")
        if (name, version) in seen:
            continue
        seen.add((name, version))
        purl = PackageUrl.of("cargo", name, version=version)
        yield Package(
            purl=str(purl), ecosystem="crates.io", name=name, version=version, path=path, declared_only=declared
        )
