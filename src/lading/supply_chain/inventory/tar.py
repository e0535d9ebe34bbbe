"""A tar reader for streams that nobody vouches for: ustar, pax and GNU, one header at a time, nothing unpacked.

Written here because an inventory reads every byte of every image: the standard library's reader spends most of its time
on objects that an inventory does not need. Formats: POSIX.1-2001 pax and ustar, GNU long names, base-256 numbers, and
old GNU sparse headers (skipped, never expanded).
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Collection, Iterator
from typing import Final

from lading.supply_chain.inventory.limits import DEFAULT, Limits
from lading.supply_chain.inventory.stream import StreamEnded

BLOCK: Final = 512
_ZEROS: Final = bytes(BLOCK)
_EMPTY: Final = hashlib.sha256().digest()
_MOST_MARK: Final = 64
_MOST_SIZE: Final = 1 << 53
_TEXT: Final = "surrogateescape"


class Member:
    """A header of the archive, with pax and GNU extensions applied. `path` and `link` are as they stand there."""

    __slots__ = ("gid", "link", "major", "minor", "mode", "path", "size", "sparse", "stored", "type", "uid")

    def __init__(self) -> None:
        self.path = self.link = ""
        self.type = "0"
        self.mode = self.uid = self.gid = self.size = self.stored = self.major = self.minor = 0
        self.sparse = False


class TarReader:
    """Iterates over the members of a tar stream; between two members `content` may be called once.

    Raises (while iterating or reading):
        StreamEnded: the stream is not tar, is cut short, or a header goes beyond a bound.
    """

    def __init__(self, chunks: Iterator[bytes], limits: Limits = DEFAULT) -> None:
        self._chunks = chunks
        self._limits = limits
        self._buffer = b""
        self._at = 0
        self._left = 0
        self._padding = 0
        self.bytes_read = 0
        self.seen: set[bytes] = set()

    def __iter__(self) -> Iterator[Member]:
        extended: dict[str, str] = {}
        while True:
            self._skip(self._left + self._padding)
            self._left = self._padding = 0
            header = self._take(BLOCK)
            if header == _ZEROS:
                return
            if not header:
                raise StreamEnded("layer-truncated", "the archive has no end")
            member = _parse(header)
            kind = member.type
            if kind in "xgLK":
                body = self._extension(member)
                if kind == "x":
                    extended |= _pax(body)
                elif kind != "g":
                    extended["path" if kind == "L" else "linkpath"] = _text(body)
                continue
            if kind == "S":
                self._skip_sparse_map(header)
                member.sparse, member.type = True, "0"
            if extended:
                _apply(member, extended)
                extended = {}
            if member.type not in "07" or member.path.endswith("/"):
                _without_content(member)
            self._left, self._padding = member.stored, -member.stored % BLOCK
            yield member

    def content(
        self, keep: int, marks: Collection[bytes] = (), look: Callable[[bytes], bool] | None = None
    ) -> tuple[bytes, bytes | None]:
        """The sha256 of the present member's content, and the content itself when it has at most `keep` bytes.

        Of longer content, `seen` then holds those of `marks` (short texts) that came by. `look` is shown the content
        piece by piece, as long as it says that it wants more.
        """
        self.seen = set()
        size, self._left = self._left, 0
        if size == 0:
            return _EMPTY, b"" if keep >= 0 else None
        start, end = self._at, self._at + size
        if end <= len(self._buffer):
            self._at = end
            data = self._buffer[start:end]
            if look is not None:
                look(data)
            if size > keep:
                self.seen.update(mark for mark in marks if mark in data)
            return hashlib.sha256(data).digest(), data if size <= keep else None
        return self._long_content(size, size <= keep, marks, look)

    def head(self, size: int) -> bytes:
        """The first bytes of the present member's content, at most `size`, without taking them."""
        size = min(size, self._left)
        while self._at + size > len(self._buffer) and (more := next(self._chunks, b"")):
            self.bytes_read += len(more)
            self._buffer, self._at = self._buffer[self._at :] + more, 0
        return self._buffer[self._at : self._at + size]

    def trailing(self) -> bool:
        """Read what follows the end of the archive; whether there is anything but zeros in it."""
        found = any(self._buffer[self._at :])
        for chunk in self._chunks:
            self.bytes_read += len(chunk)
            found = found or chunk.count(0) != len(chunk)
        return found

    def _long_content(
        self, size: int, keep: bool, marks: Collection[bytes], look: Callable[[bytes], bool] | None
    ) -> tuple[bytes, bytes | None]:
        hasher = hashlib.sha256()
        kept = io.BytesIO()
        before = b""
        for piece in self._pieces(size):
            hasher.update(piece)
            if look is not None and not look(bytes(piece)):
                look = None
            if keep:
                kept.write(piece)
            elif marks:
                # A mark may lie across two pieces.
                near = before + bytes(piece)
                self.seen.update(mark for mark in marks if mark in near)
                before = near[-_MOST_MARK:]
        return hasher.digest(), kept.getvalue() if keep else None

    def _extension(self, member: Member) -> bytes:
        if member.size > self._limits.extended_header:
            raise StreamEnded("layer-header-too-large", f"an extended header of {member.size} bytes")
        body = b"".join(bytes(piece) for piece in self._pieces(member.size))
        self._skip(-member.size % BLOCK)
        return body

    def _skip_sparse_map(self, header: bytes) -> None:
        more, blocks = header[482], 0
        while more:
            block, blocks = self._take(BLOCK), blocks + 1
            if not block or blocks * BLOCK > self._limits.extended_header:
                raise StreamEnded("layer-header-too-large", "the map of a sparse file does not end")
            more = block[504]

    def _take(self, size: int) -> bytes:
        """Exactly `size` bytes, or nothing at the very end."""
        start, end = self._at, self._at + size
        if end <= len(self._buffer):
            self._at = end
            return self._buffer[start:end]
        return b"".join(bytes(piece) for piece in self._pieces(size, at_end_nothing=True))

    def _skip(self, size: int) -> None:
        if self._at + size <= len(self._buffer):
            self._at += size
            return
        for _ in self._pieces(size):
            pass

    def _pieces(self, size: int, *, at_end_nothing: bool = False) -> Iterator[memoryview]:
        begun = False
        while size > 0:
            if self._at == len(self._buffer):
                self._buffer, self._at = next(self._chunks, b""), 0
                self.bytes_read += len(self._buffer)
                if not self._buffer:
                    if at_end_nothing and not begun:
                        return
                    raise StreamEnded("layer-truncated", f"the archive ends {size} bytes early")
            piece = memoryview(self._buffer)[self._at : self._at + size]
            begun = True
            self._at += len(piece)
            size -= len(piece)
            yield piece


def _parse(header: bytes) -> Member:
    expected = _number(header[148:156])
    if sum(header) - sum(header[148:156]) + 256 != expected:
        raise StreamEnded("layer-corrupt", "a header does not match its checksum: this is not tar, or it is damaged")
    member = Member()
    member.type = chr(header[156]) if header[156] else "0"
    path = _text(header[:100])
    if header[257:263] == b"ustar\0" and header[345]:
        path = f"{_text(header[345:500])}/{path}"
    member.path = path
    if header[157]:
        member.link = _text(header[157:257])
    member.mode = _number(header[100:108]) & 0o7777
    member.uid = _number(header[108:116])
    member.gid = _number(header[116:124])
    member.size = member.stored = _number(header[124:136])
    if member.type in "34":
        member.major, member.minor = _number(header[329:337]), _number(header[337:345])
    elif member.type == "S":
        member.size = _number(header[483:495])
    return member


def _number(field: bytes) -> int:
    """Octal text, or base-256 when the first bit is set (GNU); negative and absurd values end the reading."""
    if field[0] & 0x80:
        value = int.from_bytes(bytes([field[0] & 0x7F]) + field[1:])
        if field[0] == 0xFF or value > _MOST_SIZE:
            raise StreamEnded("layer-corrupt", "a number in a header is negative or absurd")
        return value
    text = field.split(b"\0", 1)[0].strip(b" ")
    try:
        return int(text, 8) if text else 0
    except ValueError as error:
        raise StreamEnded("layer-corrupt", "a number in a header is not a number") from error


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("utf-8", _TEXT)


def _pax(body: bytes) -> dict[str, str]:
    """Records `LENGTH KEY=VALUE\\n` of a pax extended header."""
    found: dict[str, str] = {}
    at = 0
    while at < len(body):
        space = body.find(b" ", at, at + 20)
        digits = body[at:space] if space > 0 else b""
        end = at + int(digits) if digits.isdigit() else 0
        if end <= space or end > len(body) or body[end - 1 : end] != b"\n":
            raise StreamEnded("layer-corrupt", "a pax record has a wrong length")
        key, equals, value = body[space + 1 : end - 1].partition(b"=")
        if not equals:
            raise StreamEnded("layer-corrupt", "a pax record has no key")
        found[key.decode("utf-8", _TEXT)] = value.decode("utf-8", _TEXT)
        at = end
    return found


def _apply(member: Member, extended: dict[str, str]) -> None:
    member.path = extended.get("path", member.path)
    member.link = extended.get("linkpath", member.link)
    for key, name in (("size", "stored"), ("uid", "uid"), ("gid", "gid")):
        if key in extended:
            setattr(member, name, _decimal(extended[key]))
    member.size = member.stored if "size" in extended else member.size
    if any(key.startswith("GNU.sparse.") for key in extended):
        member.sparse = True
        member.path = extended.get("GNU.sparse.name", member.path)
        member.size = _decimal(extended.get("GNU.sparse.realsize", extended.get("GNU.sparse.size", str(member.size))))


def _decimal(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 16):
        raise StreamEnded("layer-corrupt", "a number in a pax header is not a number")
    return int(text)


def _without_content(member: Member) -> None:
    """Links, directories and devices carry no content, whatever their size field says: as Go's archive/tar has it."""
    if member.type in "123456" or member.path.endswith("/"):
        member.size = member.stored = 0
