"""Maven versions, as `ComparableVersion` of Maven 3.9 reads and orders them.

A version is a list of items: numbers, qualifiers and lists. A dash, and a change between letters and digits, opens a
list inside the list; what is null at the end of a list (0, the empty qualifier) is dropped. The order is Maven's own
item by item, for it is no plain order of tuples: a missing item has a rank between `snapshot` and `sp`, and for odd
texts such as `1--alpha` Maven's answers are not even transitive.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

from lading.supply_chain.match.versions.invalid import VersionInvalid

# The kinds of items in the order in which Maven puts them where they meet at the same place.
_QUALIFIER: Final = 0
_LIST: Final = 1
_NUMBER: Final = 2
_QUALIFIERS: Final = {"alpha": 0, "beta": 1, "milestone": 2, "rc": 3, "cr": 3, "snapshot": 4, "sp": 6}
_RELEASES: Final = frozenset({"", "ga", "final", "release"})
_RELEASE: Final = (5, "")
_SHORT: Final = {"a": "alpha", "b": "beta", "m": "milestone"}
_ZERO: Final = (_NUMBER, (0, 0))
_LEGAL: Final = re.compile(r"[!#-&'+\-.0-9;=@A-Z^_`a-z~]+")
_MOST: Final = 256

Item = tuple[int, Any]


class MavenVersion:
    """A version that compares as Maven says. Equal ones have the same items, so it can stand in sets."""

    __slots__ = ("items",)

    def __init__(self, items: tuple[Item, ...]) -> None:
        self.items = items

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MavenVersion) and self.items == other.items

    def __hash__(self) -> int:
        return hash(self.items)

    def __lt__(self, other: MavenVersion) -> bool:
        return _lists(self.items, other.items) < 0

    def __le__(self, other: MavenVersion) -> bool:
        return _lists(self.items, other.items) <= 0

    def __gt__(self, other: MavenVersion) -> bool:
        return _lists(self.items, other.items) > 0

    def __ge__(self, other: MavenVersion) -> bool:
        return _lists(self.items, other.items) >= 0


@lru_cache(maxsize=1 << 16)
def key(version: str) -> MavenVersion:
    """The sortable form; raises VersionInvalid: ASCII without what a POM may not hold."""
    if not 0 < len(version) <= _MOST or not _LEGAL.fullmatch(version):
        raise VersionInvalid(f"{version[:100]!r} is not a Maven version")
    return MavenVersion(_Parsing(version.lower()).run())


class _Parsing:
    """One walk over the text. `_stack` holds the lists that are open, the innermost last."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._root: list[Any] = []
        self._stack: list[list[Any]] = [self._root]
        self._start = 0
        self._digits = False

    def run(self) -> tuple[Item, ...]:
        for at, character in enumerate(self._text):
            if character in ".-":
                self._stack[-1].append(self._item(at) if at > self._start else _ZERO)
                self._start = at + 1
                if character == "-":
                    self._open()
            else:
                self._turn(at, character.isdigit())
        if self._start < len(self._text):
            if not self._digits and self._stack[-1]:
                self._open()
            self._stack[-1].append(self._item(len(self._text)))
        return _frozen(self._root)

    def _turn(self, at: int, digit: bool) -> None:
        """Letters meet digits, or digits letters: what came before is an item, what follows a list."""
        if at > self._start and digit != self._digits:
            if digit:
                if self._stack[-1]:
                    self._open()
                text = self._text[self._start : at]
                self._stack[-1].append(_qualifier(_SHORT.get(text, text)))
            else:
                self._stack[-1].append(self._item(at))
            self._start = at
            self._open()
        self._digits = digit

    def _open(self) -> None:
        opened: list[Any] = []
        self._stack[-1].append(opened)
        self._stack.append(opened)

    def _item(self, end: int) -> Item:
        text = self._text[self._start : end]
        return _number(text) if self._digits else _qualifier(text)


def _number(text: str) -> Item:
    """Maven keeps numbers of up to 9, up to 18 and more digits apart, and a longer kind is above a shorter one."""
    stripped = text.lstrip("0") or text
    return _NUMBER, ((len(stripped) > 9) + (len(stripped) > 18), int(stripped))


def _qualifier(text: str) -> Item:
    if text in _RELEASES:
        return _QUALIFIER, _RELEASE
    rank = _QUALIFIERS.get(text)
    return _QUALIFIER, (7, text) if rank is None else (rank, "")


def _frozen(items: list[Any]) -> tuple[Item, ...]:
    """The items without what is null at the end, innermost lists first. Lists at the end are looked behind."""
    done = [(_LIST, _frozen(item)) if isinstance(item, list) else item for item in items]
    for at in range(len(done) - 1, -1, -1):
        kind, value = done[at]
        if _null(kind, value):
            del done[at]
        elif kind != _LIST:
            break
    return tuple(done)


def _null(kind: int, value: Any) -> bool:
    if kind == _NUMBER:
        return bool(value[1] == 0)
    return value == _RELEASE if kind == _QUALIFIER else not value


def _lists(left: tuple[Item, ...], right: tuple[Item, ...]) -> int:
    both = min(len(left), len(right))
    for at in range(both):
        one, other = left[at], right[at]
        if one == other:
            continue
        if one[0] != other[0]:
            return -1 if one[0] < other[0] else 1
        found = _lists(one[1], other[1]) if one[0] == _LIST else (-1 if one[1] < other[1] else 1)
        if found:
            return found
    if len(left) > both:
        return _against_nothing(left[both:])
    return -_against_nothing(right[both:])


def _against_nothing(items: tuple[Item, ...]) -> int:
    """How items stand to none at all: the first that is not null decides."""
    for kind, value in items:
        if kind == _NUMBER:
            found = int(value[1] > 0)
        elif kind == _QUALIFIER:
            found = (value > _RELEASE) - (value < _RELEASE)
        else:
            found = _against_nothing(value)
        if found:
            return found
    return 0
