"""Read a YAML file as Compose understands YAML, within bounds, and remember where in the file each key stands.

YAML 1.2's core schema: `no` and `22:22` are texts. A key that comes twice is refused, for one of them would be lost.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from lading.orchestration.errors import ComposeInvalid

MOST_BYTES: Final = 1 << 20
MOST_NODES: Final = 50_000
MOST_DEPTH: Final = 40

PathOf = Sequence[str | int]


class YamlFile:
    """One file. `document` is a map of keys."""

    def __init__(self, name: str, document: dict[str, Any], root: yaml.Node) -> None:
        self.name = name
        self.document = document
        self._root = root

    def find(self, path: PathOf) -> tuple[int, int]:
        """How many parts of a path exist in the file, and the line (from 1) of the last that does."""
        node, line = self._root, 1
        for depth, part in enumerate(path):
            step = _child(node, part)
            if step is None:
                return depth, line
            node, line = step
        return len(path), line


def read_yaml(file: Path) -> YamlFile:
    """Read one file.

    Raises:
        ComposeInvalid: it cannot be read, is no YAML, is too large, or is no map; names the line where there is one.
    """
    try:
        with file.open("rb") as handle:
            raw = handle.read(MOST_BYTES + 1)
        if len(raw) > MOST_BYTES:
            raise ComposeInvalid(f"{file.name} is larger than 1 MiB.")
        return _read(raw.decode(), file.name)
    except (OSError, UnicodeDecodeError) as error:
        raise ComposeInvalid(f"{file.name} cannot be read: {error}.") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{file.name}:{mark.line + 1}" if mark is not None else file.name
        problem = getattr(error, "problem", None) or error
        raise ComposeInvalid(f"{place}: {problem}.", remedy="Mend the file there; it is read as YAML 1.2.") from error


def _read(text: str, name: str) -> YamlFile:
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        if not isinstance(root, yaml.MappingNode):
            raise ComposeInvalid(f"{name} is not a map of keys.", remedy="Begin it with services:")
        _weigh(root, {}, ())
        return YamlFile(name, loader.construct_document(root), root)
    finally:
        loader.dispose()


class _Loader(yaml.SafeLoader):
    """SafeLoader with the core schema of YAML 1.2 and a bound on depth."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - as PyYAML declares it

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise yaml.YAMLError(f"it is nested deeper than {MOST_DEPTH} levels")
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


_TEXT: Final = "tag:yaml.org,2002:str"
_CORE: Final = {
    "bool": (r"true|True|TRUE|false|False|FALSE", [*"tTfF"]),
    "int": (r"[-+]?(?:0|[1-9][0-9]*)|0x[0-9a-fA-F]+", [*"-+0123456789"]),
    "float": (r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?", [*"-+.0123456789"]),
    "null": (r"~|null|Null|NULL|", [*"~nN", ""]),
    "merge": (r"<<", ["<"]),
}
for _tag, (_pattern, _first) in _CORE.items():
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern})$"), _first)


def _weigh(node: yaml.Node, known: dict[int, tuple[int, int]], above: tuple[int, ...]) -> tuple[int, int]:
    """Nodes and levels below a node with every alias written out: a few aliases can make a small file endless."""
    if id(node) in above:
        raise yaml.MarkedYAMLError(problem="it contains itself", problem_mark=node.start_mark)
    if id(node) not in known:
        _check_tag(node)
        size, depth = 1, 1
        for child in _children(node):
            below_size, below_depth = _weigh(child, known, (*above, id(node)))
            size, depth = size + below_size, max(depth, 1 + below_depth)
        known[id(node)] = size, depth
    size, depth = known[id(node)]
    if size > MOST_NODES or depth > MOST_DEPTH:
        what = f"with its aliases written out it has more than {MOST_NODES} values or {MOST_DEPTH} levels"
        raise yaml.MarkedYAMLError(problem=what, problem_mark=node.start_mark)
    return size, depth


def _check_tag(node: yaml.Node) -> None:
    """A tag that the file gives itself (`!!int a`, `!!binary`) has to be one that the value would have had anyway."""
    name = node.tag.rpartition(":")[2]
    if isinstance(node, yaml.ScalarNode):
        fits = name == "str" or (name in _CORE and re.fullmatch(_CORE[name][0], node.value) is not None)
    else:
        fits = name == ("map" if isinstance(node, yaml.MappingNode) else "seq")
    if not fits or not node.tag.startswith("tag:yaml.org,2002:"):
        raise yaml.MarkedYAMLError(problem=f"tag {node.tag} is not supported here", problem_mark=node.start_mark)


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.SequenceNode):
        return list(node.value)
    if not isinstance(node, yaml.MappingNode):
        return []
    seen: set[str] = set()
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode) or (key.tag != _TEXT and key.value != "<<"):
            raise yaml.MarkedYAMLError(problem="a key is no text", problem_mark=key.start_mark)
        if key.value in seen and key.value != "<<":
            raise yaml.MarkedYAMLError(problem=f"key {key.value!r} comes twice", problem_mark=key.start_mark)
        seen.add(key.value)
    return [child for pair in node.value for child in pair]


def _child(node: yaml.Node, part: str | int) -> tuple[yaml.Node, int] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(part):
                return value, key.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part].start_mark.line + 1
    return None
