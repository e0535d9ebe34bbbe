"""A value of a YAML or JSON document that knows its line, so that what a rule says leads the reader there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_TRUE: Final = frozenset({"true", "yes", "on", "y"})
_FALSE: Final = frozenset({"false", "no", "off", "n"})


@dataclass(slots=True, eq=False)
class Node:
    """One value: a map, a list, a scalar, or nothing where the document has none.

    `line` counts from one; of something that is not there it is the line of what would hold it. `plain` says that a
    scalar stands without quotes. `weight` is how many values it is made of, with aliases written out.
    """

    line: int
    map: dict[str, Node] | None = None
    items: list[Node] | None = None
    scalar: str | None = None
    plain: bool = False
    weight: int = 1

    def __getitem__(self, key: str) -> Node:
        """The value of a key; nothing, on this line, where there is none."""
        found = self.map.get(key) if self.map is not None else None
        return Node(self.line) if found is None else found

    def at(self, *keys: str) -> Node:
        """The value further down."""
        node = self
        for key in keys:
            node = node[key]
        return node

    def __contains__(self, key: str) -> bool:
        return self.map is not None and key in self.map

    def __iter__(self) -> Iterator[Node]:
        """The items of a list; nothing of anything else."""
        return iter(self.items or ())

    def entries(self) -> Iterator[tuple[str, Node]]:
        """The keys of a map with their values; nothing of anything else."""
        return iter((self.map or {}).items())

    @property
    def there(self) -> bool:
        """Whether the document says anything here: not even `null` counts."""
        return self.map is not None or self.items is not None or (self.scalar is not None and not self.is_null)

    @property
    def is_null(self) -> bool:
        """Whether it is an explicit nothing."""
        return self.scalar is not None and self.plain and self.scalar in ("", "~", "null", "Null", "NULL")

    @property
    def text(self) -> str:
        """A scalar as it stands; nothing where there is none."""
        return "" if self.scalar is None or self.is_null else self.scalar

    @property
    def is_true(self) -> bool:
        """Whether it says yes, in any of the ways in which YAML 1.1 or a text can."""
        return self.text.lower() in _TRUE

    @property
    def is_false(self) -> bool:
        """Whether it says no."""
        return self.text.lower() in _FALSE

    @property
    def number(self) -> int | None:
        """A whole number, also in base eight and sixteen; None where it is none."""
        text = self.text.replace("_", "")
        for base in (10, 0):
            try:
                return int(text, base) if len(text) < 40 else None
            except ValueError:
                continue
        return None

    def texts(self) -> list[str]:
        """The scalars of a list, or the one scalar."""
        return [item.text for item in self] if self.items is not None else [self.text] if self.text else []
