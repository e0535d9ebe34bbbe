"""Programs for tests: just enough of ELF, PE and Mach-O around sections that somebody looks into."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping, Sequence

GO_MAGIC = b"\xff Go buildinf:"
GUARD = b"0123456789abcdef"
BASE = 0x400000


def elf(sections: Mapping[str, bytes], *, wide: bool = True, order: str = "<") -> bytes:
    """An ELF with one writable segment: the whole file, at address BASE."""
    names = b"\0" + b"".join(name.encode() + b"\0" for name in (*sections, ".shstrtab"))
    bodies = [*sections.values(), names]
    head, segment, section = (64, 56, 64) if wide else (52, 32, 40)
    at = -(-(head + segment) // 16) * 16
    body, headers, named = b"", bytes(section), 1
    for name, content in zip((*sections, ".shstrtab"), bodies, strict=True):
        place = (at + len(body), len(content))
        words = (named, 1, 0, BASE + place[0], *place, 0, 0, 1, 0)
        headers += struct.pack(order + ("IIQQQQIIQQ" if wide else "IIIIIIIIII"), *words)
        body += content + bytes(-len(content) % 16)
        named += len(name) + 1
    size = at + len(body)
    loaded = (1, 6, 0, BASE, BASE, size, size, 1) if wide else (1, 0, BASE, BASE, size, size, 6, 1)
    ident = b"\x7fELF" + bytes([2 if wide else 1, 1 if order == "<" else 2, 1]) + bytes(9)
    rest = (2, 62, 1, BASE, head, size, 0, head, segment, 1, section, len(sections) + 2, len(sections) + 1)
    return (
        ident + struct.pack(order + ("HHIQQQIHHHHHH" if wide else "HHIIIIIHHHHHH"), *rest)
        + struct.pack(order + ("IIQQQQQQ" if wide else "IIIIIIII"), *loaded)
    ).ljust(at, b"\0") + body + headers  # fmt: skip


def pe(sections: Mapping[str, bytes]) -> bytes:
    """A 64-bit PE; all sections are writable."""
    head = b"MZ" + bytes(58) + struct.pack("<I", 64) + b"PE\0\0"
    head += struct.pack("<HHIIIHH", 0x8664, len(sections), 0, 0, 0, 240, 2)
    head += struct.pack("<H22xQ", 0x20B, BASE) + bytes(208)
    at = 64 + 24 + 240 + 40 * len(sections)
    at += -at % 16
    table, body = b"", b""
    for name, content in sections.items():
        padded = content + bytes(-len(content) % 16)
        table += struct.pack("<8sIIIIIIHHI", name.encode(), len(content), 0x1000 + len(body), len(padded), at + len(body), 0, 0, 0, 0, 0xC0000040)  # fmt: skip
        body += padded
    return (head + table).ljust(at, b"\0") + body


def macho(sections: Mapping[str, bytes], *, universal: bool = False) -> bytes:
    """A 64-bit Mach-O with one segment."""
    size = 72 + 80 * len(sections)
    at = 32 + size
    body, table = b"", b""
    for name, content in sections.items():
        table += struct.pack("<16s16sQQIIIIIIII", name.encode(), b"__DATA", BASE + at + len(body), len(content), at + len(body), 0, 0, 0, 0, 0, 0, 0)  # fmt: skip
        body += content + bytes(-len(content) % 16)
    segment = struct.pack("<II16sQQQQiiII", 0x19, size, b"__DATA", BASE, at + len(body), 0, at + len(body), 7, 3, len(sections), 0)  # fmt: skip
    thin = struct.pack("<IiiIIIII", 0xFEEDFACF, 0x1000007, 3, 2, 1, size, 0, 0) + segment + table + body
    if not universal:
        return thin
    return b"\xca\xfe\xba\xbe" + struct.pack(">IIIIII", 1, 0x1000007, 3, 64, len(thin), 0).ljust(60, b"\0") + thin


def counted(text: bytes) -> bytes:
    """A text after its length, a varint."""
    out, size = b"", len(text)
    while size >= 0x80:
        out += bytes([size & 0x7F | 0x80])
        size >>= 7
    return out + bytes([size]) + text


def go_information(version: str, lines: Sequence[str]) -> bytes:
    """Build information as Go has written it since 1.18."""
    modules = GUARD + "".join(f"{line}\n" for line in lines).encode() + GUARD if lines else b""
    return GO_MAGIC + bytes([8, 2]) + bytes(16) + counted(version.encode()) + counted(modules)


def pointing_go_information(version: str, lines: Sequence[str], at: int, *, width: int = 8, order: str = "<") -> bytes:
    """Build information as Go wrote it before 1.18, for a section that is loaded at address `at`."""
    modules = GUARD + "".join(f"{line}\n" for line in lines).encode() + GUARD
    word = f"{order}{'Q' if width == 8 else 'I'}"
    strings = at + 32
    texts = strings + 4 * width
    head = GO_MAGIC + bytes([width, 1 if order == ">" else 0])
    head += (struct.pack(word, strings) + struct.pack(word, strings + 2 * width)).ljust(16, b"\0")
    pointers = struct.pack(word, texts) + struct.pack(word, len(version))
    pointers += struct.pack(word, texts + len(version)) + struct.pack(word, len(modules))
    return head + pointers + version.encode() + modules


def crates(*listed: Mapping[str, object]) -> bytes:
    """The section that cargo-auditable writes."""
    return zlib.compress(json.dumps({"packages": listed}).encode())
