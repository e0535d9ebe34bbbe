"""A Compose file as its rules see it: services with what they extend in the same file, values as they are written.

Variables are not replaced: what has one is open, and no rule that needs the value speaks of it. Source: the Compose
specification ("services", "extends", "Short syntax" and "Long syntax" of ports and volumes).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from lading.supply_chain.checks.files.documents import Unreadable
from lading.supply_chain.checks.files.node import Node

_MOST_EXTENDS: Final = 10
_VARIABLE: Final = r"\$(?:\{[^}]{1,200}\}|[A-Za-z_]\w*)"
_PORT: Final = re.compile(
    rf"(?:(?:(?P<host>\[[0-9a-fA-F:.]+\]|[0-9]+(?:\.[0-9]+){{3}}|{_VARIABLE}|[A-Za-z][\w.-]*|):)?"
    rf"(?P<published>[0-9]*(?:-[0-9]+)?|{_VARIABLE}):)?"
    r"(?P<target>[0-9]+(?:-[0-9]+)?)(?:/(?P<protocol>\w+))?"
)


class Port(NamedTuple):
    """A port that is published. `host` is empty for all interfaces, `published` for one that the engine chooses."""

    line: int
    host: str
    published: str
    target: str

    @property
    def open_to_all(self) -> bool:
        """Whether every interface of the host listens."""
        return self.host in ("", "0.0.0.0", "[::]", "::", "*")  # noqa: S104 - that is what is looked for


class Mount(NamedTuple):
    """A path of the host in a container."""

    line: int
    source: str
    read_only: bool
    propagation: str


@dataclass(frozen=True, slots=True)
class Service:
    """One service. `whole` says that this file holds all of it: what it does not say then is not said anywhere.

    `line` is that of its name, `node` has what it extends merged in.
    """

    name: str
    line: int
    node: Node
    whole: bool = True

    @property
    def builds(self) -> bool:
        """Whether its image is made here, so that the name of the image is one that is given, not taken."""
        return self.node["build"].there

    def ports(self) -> Iterator[Port]:
        """The ports that it publishes."""
        for item in self.node["ports"]:
            if item.map is not None:
                yield Port(item.line, item["host_ip"].text, item["published"].text, item["target"].text)
            elif (match := _PORT.fullmatch(item.text)) is not None:
                yield Port(item.line, match["host"] or "", match["published"] or "", match["target"])

    def mounts(self) -> Iterator[Mount]:
        """The paths of the host that it mounts."""
        for item in self.node["volumes"]:
            if item.map is not None:
                if item["type"].text == "bind" or item["source"].text.startswith(("/", ".", "~")):
                    yield Mount(
                        item.line, item["source"].text, item["read_only"].is_true, item.at("bind", "propagation").text
                    )
                continue
            source, _, rest = item.text.partition(":")
            if rest and source.startswith(("/", ".", "~", "$")):
                options = rest.partition(":")[2].split(",")
                shared = next((one for one in options if one in ("shared", "rshared", "slave", "rslave")), "")
                yield Mount(item.line, source, "ro" in options, shared)

    def variables(self) -> Iterator[tuple[int, str, str]]:
        """Line, name and value of the variables that the file sets; nothing of those it only hands on."""
        yield from _variables(self.node["environment"])

    def arguments(self) -> Iterator[tuple[int, str, str]]:
        """The same of build arguments."""
        yield from _variables(self.node.at("build", "args"))

    def options(self) -> list[tuple[int, str]]:
        """`security_opt`, with `=` and `:` alike, and lines."""
        return [(item.line, item.text.replace("=", ":", 1).strip()) for item in self.node["security_opt"]]


@dataclass(frozen=True, slots=True)
class ComposeFile:
    """A whole file. `gaps` are lines and sentences about what it leaves to other files."""

    services: tuple[Service, ...]
    gaps: tuple[tuple[int, str], ...] = ()


def read_compose(root: Node) -> ComposeFile:
    """The services of a document.

    Raises:
        Unreadable: it is no map with services.
    """
    services = root["services"]
    if services.map is None:
        raise Unreadable("it has no services", root.line)
    found: list[Service] = []
    gaps: list[tuple[int, str]] = []
    for name, node in services.entries():
        if node.map is None and node.there:
            raise Unreadable(f"service {name[:80]} is not a map", node.line)
        merged, outside = _extended(name, node, services, ())
        if outside:
            gaps.append((node.line, f"service {name[:80]} extends one of {outside[:100]}, which was not read"))
        # Without an image and a build it is a piece that another file completes.
        whole = not outside and (merged["image"].there or merged["build"].there)
        found.append(Service(name, node.line, merged, whole))
    return ComposeFile(tuple(found), tuple(gaps))


def _extended(name: str, node: Node, services: Node, above: tuple[str, ...]) -> tuple[Node, str]:
    """A service with what it extends below it, and the file that it extends from where that is another one."""
    extends = node["extends"]
    if not extends.there:
        return node, ""
    base_name = extends["service"].text or extends.text
    if extends["file"].there or base_name not in services:
        return node, extends["file"].text or "another file"
    if base_name in above or base_name == name or len(above) >= _MOST_EXTENDS:
        raise Unreadable(f"service {name[:80]} extends itself", extends.line)
    base, outside = _extended(base_name, services[base_name], services, (*above, name))
    merged = Node(node.line, map={**(base.map or {}), **(node.map or {})}, weight=node.weight + base.weight)
    return merged, outside


def _variables(node: Node) -> Iterator[tuple[int, str, str]]:
    for name, value in node.entries():
        yield value.line, name, value.text
    for item in node:
        name, is_set, text = item.text.partition("=")
        if is_set:
            yield item.line, name, text
