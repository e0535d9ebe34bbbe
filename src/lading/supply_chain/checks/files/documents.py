"""Read YAML and JSON, several documents to a file, into nodes that know their lines; size, depth, aliases are bounded.

Events are read one after another, so nesting costs no stack, and an alias is the same node again: its weight is that of
all it stands for. Source: YAML 1.1 and 1.2 ("Merge Key Language-Independent Type" for `<<`); RFC 8259 for JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import yaml

from lading.supply_chain.checks.files.node import Node

MOST_BYTES: Final = 16 << 20
_MOST_NODES: Final = 500_000
_MOST_DEPTH: Final = 100
_MOST_DOCUMENTS: Final = 10_000
_PAIR: Final = re.compile(
    r"(?<!\\)((?:\\\\)*)(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)
_Loader: Any = getattr(yaml, "CLoader", yaml.Loader)


class Unreadable(Exception):
    """A document cannot be read; `str` of it says why. `line` counts from one. It never leaves this room."""

    def __init__(self, why: str, line: int = 0) -> None:
        super().__init__(why)
        self.line = line


class Documents(NamedTuple):
    """The documents of a file, and why what follows them could not be read."""

    nodes: tuple[Node, ...]
    broken: Unreadable | None = None


def read_documents(text: str) -> Documents:
    """Every document up to the first that cannot be read; nothing is raised."""
    found: list[Node] = []
    try:
        for node in _nodes(_as_yaml(text)):
            found.append(node)
            if len(found) > _MOST_DOCUMENTS:
                raise Unreadable(f"it has more than {_MOST_DOCUMENTS} documents", node.line)
    except Unreadable as error:
        return Documents(tuple(found), error)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        why = str(getattr(error, "problem", None) or error)[:200]
        return Documents(tuple(found), Unreadable(why, mark.line + 1 if mark is not None else 0))
    except (RecursionError, ValueError) as error:
        return Documents(tuple(found), Unreadable(str(error)[:200]))
    return Documents(tuple(found))


def _as_yaml(text: str) -> str:
    """JSON with what YAML reads in another way put right: tabs between values, and characters in two escapes."""
    text = text.removeprefix("\ufeff")
    if text.lstrip()[:1] not in ("{", "[") or not ("\t" in text or "\\ud" in text.lower()):
        return text
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return text
    # Outside of texts a tab is a space in JSON; inside it is not allowed.
    return _PAIR.sub(_joined, text.replace("\t", " "))


def _joined(match: re.Match[str]) -> str:
    joined = json.loads(f'"{match[2]}"')
    return match[1] + (joined if len(joined) == 1 and not "\ud800" <= joined <= "\udfff" else "\ufffd")


def _nodes(text: str) -> Iterator[Node]:
    loader = _Loader(text)
    try:
        builder = _Builder()
        while (event := loader.get_event()) is not None:
            kind = type(event)
            if kind is yaml.DocumentStartEvent:
                builder.begin()
            elif kind is yaml.DocumentEndEvent:
                yield builder.root
            elif kind is yaml.StreamEndEvent:
                return
            elif kind is not yaml.StreamStartEvent:
                builder.take(event, kind)
    finally:
        loader.dispose()


class _Open(NamedTuple):
    """A map or list whose end has not come. `keys` holds the key that waits for its value."""

    node: Node
    anchor: str | None
    keys: list[tuple[str, int]]
    merged: list[Node]


class _Builder:
    """Makes documents of their events. Values are counted for the whole file."""

    def __init__(self) -> None:
        self._count = 0
        self.begin()

    def begin(self) -> None:
        """Forget the document before."""
        self.root = Node(1)
        self._open: list[_Open] = []
        self._anchors: dict[str, Node | None] = {}

    def take(self, event: Any, kind: type) -> None:
        """Add what an event brings; raises Unreadable."""
        line = event.start_mark.line + 1
        if kind is yaml.ScalarEvent:
            node = Node(line, scalar=event.value, plain=event.implicit[0])
            self._new(node, event.anchor)
            self._add(node, line)
        elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
            node = Node(line, map={}) if kind is yaml.MappingStartEvent else Node(line, items=[])
            self._new(node, None)
            if event.anchor:
                self._anchors[event.anchor] = None
            self._open.append(_Open(node, event.anchor, [], []))
            if len(self._open) > _MOST_DEPTH:
                raise Unreadable(f"it is nested deeper than {_MOST_DEPTH} levels", line)
        elif kind is yaml.AliasEvent:
            self._add(self._known(event.anchor, line), line)
        else:
            self._close(line)

    def _known(self, anchor: str, line: int) -> Node:
        node = self._anchors.get(anchor)
        if node is None:
            why = "contains itself" if anchor in self._anchors else "stands for nothing that comes before it"
            raise Unreadable(f"alias {anchor[:80]!r} {why}", line)
        return node

    def _new(self, node: Node, anchor: str | None) -> None:
        self._count += 1
        if self._count > _MOST_NODES:
            raise Unreadable(f"it has more than {_MOST_NODES} values", node.line)
        if anchor:
            self._anchors[anchor] = node

    def _close(self, line: int) -> None:
        closed = self._open.pop()
        if closed.node.map is not None:
            for base in closed.merged:
                for key, value in base.entries():
                    closed.node.map.setdefault(key, value)
        if closed.anchor:
            self._anchors[closed.anchor] = closed.node
        self._add(closed.node, line)

    def _add(self, node: Node, line: int) -> None:
        if not self._open:
            self.root = node
            return
        holder, _, keys, merged = self._open[-1]
        holder.weight += node.weight
        if holder.weight > _MOST_NODES:
            raise Unreadable(f"with its aliases written out it has more than {_MOST_NODES} values", line)
        if holder.items is not None:
            holder.items.append(node)
        elif holder.map is not None:
            self._pair(holder.map, keys, merged, node, line)

    def _pair(
        self, into: dict[str, Node], keys: list[tuple[str, int]], merged: list[Node], node: Node, line: int
    ) -> None:
        if not keys:
            if node.scalar is None:
                raise Unreadable("a key is a map or a list", line)
            if node.scalar in into:
                raise Unreadable(f"key {node.scalar[:80]!r} comes twice", line)
            keys.append((node.scalar, node.line if node.line <= line else line))
            return
        key, key_line = keys.pop()
        if key == "<<" and (node.map is not None or node.items is not None):
            merged.extend([node] if node.map is not None else list(node))
            return
        # The line of a map or list is that of its key: there a reader looks for it.
        into[key] = node if node.scalar is not None or node.line == key_line else _moved(node, key_line)


def _moved(node: Node, line: int) -> Node:
    return Node(line, node.map, node.items, node.scalar, node.plain, node.weight)
