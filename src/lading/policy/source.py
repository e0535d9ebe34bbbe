"""Reading rule files: YAML made strict, with the line of everything kept for the error messages.

A rule file is input like any other. So: no aliases (that is how a YAML bomb is built), no duplicate keys, no implicit
dates, a bound on size and depth, and only the safe types.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import msgspec
import yaml
from yaml.constructor import ConstructorError

from lading.policy.errors import PolicyInvalid
from lading.policy.rule import Rule

MOST_BYTES: Final = 256 * 1024
MOST_DEPTH: Final = 20
MOST_DOCUMENTS: Final = 200
_STEP: Final = re.compile(r"\.([A-Za-z_]\w*)|\[(\d+|\.\.\.)\]")


@dataclass(frozen=True, slots=True)
class Sourced:
    """A rule and where it stands."""

    rule: Rule
    origin: str
    node: yaml.Node

    def where(self, path: str = "$") -> str:
        """`file:line` of a place in the rule, written as `$.examples[0].denied`; the nearest known parent's line."""
        return f"{self.origin}:{_line(self.node, path)}"


def read_rules(text: str | bytes, origin: str) -> list[Sourced]:
    """The rules of one file, one a YAML document.

    Raises:
        PolicyInvalid: names file and line, and the rule where it has got an id.
    """
    if len(text) > MOST_BYTES:
        raise PolicyInvalid(
            f"{origin} has more than {MOST_BYTES} bytes.",
            remedy="Split it: a rule file has some dozens of rules at most.",
        )
    try:
        loader = _Loader(text if isinstance(text, str) else text.decode())
    except (UnicodeError, yaml.YAMLError) as error:
        raise _not_yaml(origin, error) from error
    found = []
    try:
        while loader.check_node():
            node = loader.get_node()
            if node is not None and not _is_empty(node):
                found.append(_rule(loader, node, origin))
            if len(found) > MOST_DOCUMENTS:
                raise PolicyInvalid(f"{origin} has more than {MOST_DOCUMENTS} rules.", remedy="Split it.")
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        raise _not_yaml(origin, error) from error
    finally:
        loader.dispose()
    return found


def _rule(loader: _Loader, node: yaml.Node, origin: str) -> Sourced:
    data = loader.construct_document(node)
    try:
        rule = msgspec.convert(data, Rule)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `")
        name = data.get("id") if isinstance(data, dict) else None
        about = f"rule {name!r}" if isinstance(name, str) else "this rule"
        line = _line(node, path.removesuffix("`") or "$", what)
        raise PolicyInvalid(
            f"{origin}:{line}: {about}: {what}.", remedy="Keys of a rule: " + ", ".join(Rule.__struct_fields__) + "."
        ) from error
    return Sourced(rule, origin, node)


class _Loader(yaml.SafeLoader):
    """The safe loader without aliases, duplicate keys, merge keys, dates and deep nesting."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            self._refuse("aliases (*name) are not allowed in rules")
        self.depth += 1
        if self.depth > MOST_DEPTH:
            self._refuse(f"nested more than {MOST_DEPTH} deep")
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1

    def _refuse(self, why: str) -> NoReturn:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        raise ConstructorError(None, None, why, event.start_mark)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
                raise ConstructorError(None, None, "a key must be text", key.start_mark)
            if key.value in seen:
                raise ConstructorError(None, None, f"the key {key.value!r} stands twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


# Dates stay text: `until: 2026-01-01` is parsed where it is meant.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":timestamp", ":merge"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _is_empty(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"


def _line(node: yaml.Node, path: str, what: str = "") -> int:
    unknown = re.search(r"unknown field `([^`]+)`", what)
    steps = [name or position for name, position in _STEP.findall(path)] + ([unknown[1]] if unknown else [])
    line = node.start_mark.line
    for step in steps:
        below = _below(node, step)
        if below is None:
            break
        key, node = below
        line = key.start_mark.line
    return int(line) + 1


def _below(node: yaml.Node, step: str) -> tuple[yaml.Node, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        return next(((key, value) for key, value in node.value if key.value == step), None)
    if isinstance(node, yaml.SequenceNode) and step.isdigit() and int(step) < len(node.value):
        return node.value[int(step)], node.value[int(step)]
    return None


def _not_yaml(origin: str, error: Exception) -> PolicyInvalid:
    mark = getattr(error, "problem_mark", None)
    place = f"{origin}:{mark.line + 1}" if mark is not None else origin
    problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
    return PolicyInvalid(f"{place}: {str(problem)[:200]}.", remedy="Mend the YAML of the rule file.")
