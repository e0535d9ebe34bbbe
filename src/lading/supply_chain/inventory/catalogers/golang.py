"""Go programs: the build information that the Go linker puts into every program since 1.12, modules and toolchain.

It begins with a magic of 14 bytes. Since Go 1.18 the texts follow it; before, it points to them by memory addresses.
The standard library counts as the module `stdlib`, as the Go vulnerability database has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from lading.kernel.purl import PackageUrl
from lading.supply_chain.inventory.catalogers.cataloger import Places
from lading.supply_chain.inventory.limits import MIB
from lading.supply_chain.inventory.programs import ELF, MACHO, PE, Program, ProgramDamaged, opened
from lading.supply_chain.inventory.values import Note, Package, PackageDatabase

_MAGIC: Final = b"\xff Go buildinf:"
_HEADER: Final = 32
_SECTIONS: Final = (".go.buildinfo", "__go_buildinfo")
_BIG_ENDIAN, _INLINE = 1, 2
_GUARD: Final = 16
_MOST_TEXT: Final = 16 * MIB
_MOST_MODULES: Final = 20_000
_MODULE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~/+!-]{0,500}")
_VERSION: Final = re.compile(r"v[0-9][A-Za-z0-9.+-]{0,200}|\(devel\)")
_GO: Final = re.compile(r"\bgo([0-9]{1,4})\.([0-9]{1,4})(?:\.([0-9]{1,6}))?(?:(rc|beta)([0-9]{1,6}))?")
UNREADABLE: Final = "package-metadata-unreadable"


class GoCataloger:
    """Reads the build information of ELF, PE and Mach-O programs."""

    name = "go"
    revision = 1
    places = Places(forms=frozenset({ELF, PE, MACHO}), marks=frozenset({_MAGIC}))
    most = 256 * MIB

    def wants(self, path: str) -> bool:
        return bool(path)

    def read(self, path: str, content: bytes) -> PackageDatabase:
        try:
            version, modules = _build_information(opened(content))
        except ProgramDamaged as error:
            # A damaged program without build information is not Go's to complain of.
            damaged = _MAGIC in content
            gaps = (Note(UNREADABLE, path, f"Go build information: {error}"),) if damaged else ()
            return PackageDatabase(path=path, cataloger=self.name, gaps=gaps)
        if not version:
            return PackageDatabase(path=path, cataloger=self.name)
        packages = [] if (library := _standard_library(path, version)) is None else [library]
        packages += _modules(path, modules)
        gaps = () if packages else (Note(UNREADABLE, path, f"Go build information of {version[:60]!r}"),)
        return PackageDatabase(path=path, cataloger=self.name, packages=tuple(packages), gaps=gaps)


def _build_information(program: Program) -> tuple[str, str]:
    """The version of Go and the text about modules; both empty where there is no build information."""
    at = _found(program)
    if at < 0:
        return "", ""
    header = program.content[at : at + _HEADER]
    if len(header) < _HEADER:
        raise ProgramDamaged("it is cut short")
    width, flags = header[14], header[15]
    if flags & _INLINE:
        version, at = _counted(program.content, at + _HEADER)
        modules, _ = _counted(program.content, at)
    elif width in (4, 8):
        order = ">" if flags & _BIG_ENDIAN else "<"
        addresses = [
            int.from_bytes(header[16 + n * width :][:width], "big" if order == ">" else "little") for n in (0, 1)
        ]
        version, modules = (_pointed(program, address, width, order) for address in addresses)
    else:
        raise ProgramDamaged(f"pointers of {width} bytes")
    return version.decode("utf-8", "replace"), _unguarded(modules).decode("utf-8", "replace")


def _found(program: Program) -> int:
    """Where the build information begins: in its own section, else in data, where files for Windows have it."""
    for name in _SECTIONS:
        offset, size = program.sections.get(name, (0, 0))
        if size and (at := program.content.find(_MAGIC, offset, offset + size)) >= 0:
            return at
    left = len(program.content)
    for segment in program.segments:
        # Segments may be said to lie over each other, thousands of times: they are searched as far as there are bytes.
        left -= segment.size if segment.writable else 0
        if left < 0:
            break
        end = segment.offset + segment.size
        at = program.content.find(_MAGIC, segment.offset, end) if segment.writable else -1
        while at >= 0 and (at - segment.offset) % 16:
            at = program.content.find(_MAGIC, at + 1, end)
        if at >= 0:
            return at
    return -1


def _counted(content: bytes, at: int) -> tuple[bytes, int]:
    """A text after its length (a varint), and where it ends."""
    size = shift = 0
    for byte in content[at : at + 10]:
        at += 1
        size |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    if size > _MOST_TEXT or at + size > len(content):
        raise ProgramDamaged(f"a text of {size} bytes")
    return content[at : at + size], at + size


def _pointed(program: Program, address: int, width: int, order: str) -> bytes:
    """The text whose Go string header (pointer and length) lies at an address; none at address 0."""
    if address == 0:
        return b""
    size = program.pointer(address + width, width, order)
    if size > _MOST_TEXT:
        raise ProgramDamaged(f"a text of {size} bytes")
    return program.at(program.pointer(address, width, order), size) if size else b""


def _unguarded(modules: bytes) -> bytes:
    """The text about modules stands between two marks of 16 bytes."""
    whole = len(modules) > 2 * _GUARD and modules[-_GUARD - 1 : -_GUARD] == b"\n"
    return modules[_GUARD:-_GUARD] if whole else b""


def _standard_library(path: str, version: str) -> Package | None:
    found = _GO.search(version)
    if found is None:
        return None
    number = f"{found[1]}.{found[2]}.{found[3] or 0}"
    number += f"-{found[4]}.{found[5]}" if found[4] else "-devel" if version.startswith("devel") else ""
    return _package(path, "stdlib", number, {})


def _modules(path: str, text: str) -> Iterator[Package]:
    """Lines `mod` (the program's own module), `dep`, and `=>` for what was taken in the place of the line before."""
    lines = text.split("\n")
    revision = next((line[19:] for line in lines if line.startswith("build\tvcs.revision=")), "")
    made: list[tuple[str, str, dict[str, str]]] = []
    for line in lines[: 4 * _MOST_MODULES]:
        word, *fields = line.split("\t")
        if word not in ("mod", "dep", "=>") or len(fields) < 2:
            continue
        name, version = fields[0], fields[1]
        qualifiers = {"vcs_revision": revision[:100]} if word == "mod" else {}
        if word == "=>" and made:
            replaced = made.pop()[0]
            # A directory on the builder's disk has no version of its own; what it replaced is the best name there is.
            name, version = (replaced, version or "(devel)") if name.startswith((".", "/")) else (name, version)
        made.append((name, version, qualifiers))
    for name, version, qualifiers in made[:_MOST_MODULES]:
        if _MODULE.fullmatch(name) and _VERSION.fullmatch(version):
            yield _package(path, name, version, qualifiers)


def _package(path: str, name: str, version: str, qualifiers: dict[str, str]) -> Package:
    namespace, _, last = name.rpartition("/")
    purl = PackageUrl.of("golang", last, namespace=namespace, version=version, qualifiers=qualifiers)
    return Package(purl=str(purl), ecosystem="Go", name=name, version=version, path=path)
