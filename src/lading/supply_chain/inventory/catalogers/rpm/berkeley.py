"""`Packages` in Berkeley DB's hash format, versions 8 to 10, of either byte order; values too long for a page overflow.

Every page of the hash is looked at, instead of every bucket: chains of buckets can be made to go in circles, and a page
that is not in use is of no type. An overflow chain must bring bytes with each page and be as long as it claims.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from lading.supply_chain.inventory.catalogers.rpm.errors import DatabaseUnreadable

_MAGIC: Final = 0x00061561
_PAGE_HEAD: Final = 26
_HASH: Final = frozenset({2, 13})
_OVERFLOW: Final = 7
_INLINE: Final = 1
_OFF_PAGE: Final = 3


def is_hash(content: bytes) -> bool:
    """Whether the first page says that this is a hash of Berkeley DB."""
    return len(content) >= 512 and _order(content) != ""


def headers(content: bytes) -> Iterator[bytes]:
    """The headers in the order of their pages.

    Raises (while iterating):
        DatabaseUnreadable: it is damaged, or no database of rpm.
    """
    file = _opened(content)
    left, damaged = len(content), 0
    for number in range(1, file.last + 1):
        page = file.page(number)
        if page[25] not in _HASH:
            continue
        if file.number("I", page, 8) != number:
            damaged += 1
            continue
        for key, value in _pairs(file, page):
            if not any(key):  # The record of key 0 counts packages.
                continue
            left -= len(value)
            if left < 0:
                raise DatabaseUnreadable("its values share pages")
            yield value
    if damaged:
        raise DatabaseUnreadable(f"{damaged} of its pages are damaged")


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    order: str
    size: int
    last: int

    def page(self, number: int) -> bytes:
        page = self.content[number * self.size : (number + 1) * self.size]
        if len(page) < self.size:
            raise DatabaseUnreadable(f"it ends before page {number}: it is cut short")
        return page

    def number(self, form: str, page: bytes, at: int) -> int:
        if at + struct.calcsize(form) > len(page):
            raise DatabaseUnreadable("a page points outside of itself")
        return int(struct.unpack_from(self.order + form, page, at)[0])


def _order(content: bytes) -> str:
    for order in "<>":
        if struct.unpack_from(f"{order}I", content, 12)[0] == _MAGIC:
            return order
    return ""


def _opened(content: bytes) -> _File:
    if not is_hash(content):
        raise DatabaseUnreadable("it is no hash of Berkeley DB")
    order = _order(content)
    version, size = struct.unpack_from(f"{order}II", content, 16)
    last = struct.unpack_from(f"{order}I", content, 32)[0]
    if not 8 <= version <= 10 or size not in {1 << bits for bits in range(9, 17)} or content[24]:
        raise DatabaseUnreadable(f"version {version} with pages of {size} bytes, or encrypted")
    if (last + 1) * size > len(content):
        raise DatabaseUnreadable(f"it should have {last + 1} pages and has {len(content) // size}: it is cut short")
    return _File(content, order, size, last)


def _pairs(file: _File, page: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Items lie from the end of the page downwards, keys and values in turn; each ends where the one before begins."""
    count = min(file.number("H", page, 20), (file.size - _PAGE_HEAD) // 2)
    starts = struct.unpack_from(f"{file.order}{count}H", page, _PAGE_HEAD)
    end, items = file.size, []
    for start in starts:
        if not _PAGE_HEAD <= start < end:
            raise DatabaseUnreadable("the items of a page overlap")
        items.append(page[start:end])
        end = start
    for key, value in zip(items[::2], items[1::2], strict=False):
        yield _whole(file, key), _whole(file, value)


def _whole(file: _File, item: bytes) -> bytes:
    if item[0] == _INLINE:
        return item[1:]
    if item[0] != _OFF_PAGE or len(item) < 12:
        raise DatabaseUnreadable(f"an item of type {item[0]}")
    number, size = file.number("I", item, 4), file.number("I", item, 8)
    if size > len(file.content):
        raise DatabaseUnreadable(f"a value of {size} bytes in a file of {len(file.content)}")
    parts, left = [], size
    while left > 0:
        page = file.page(number) if 0 < number <= file.last else b""
        used = file.number("H", page, 22) if page and page[25] == _OVERFLOW else 0
        if not 0 < used <= min(left, file.size - _PAGE_HEAD):
            raise DatabaseUnreadable("a value is not as long as it claims")
        parts.append(page[_PAGE_HEAD : _PAGE_HEAD + used])
        left -= used
        number = file.number("I", page, 16)
    return b"".join(parts)
