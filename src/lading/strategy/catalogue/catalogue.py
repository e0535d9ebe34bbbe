"""Read the catalogue."""

from __future__ import annotations

from functools import cache
from importlib import resources

import msgspec
import yaml


class Capability(msgspec.Struct, frozen=True, kw_only=True):
    """Something a strategy must do. `status` is how far Lading itself is: `works`, `partial` or `planned`."""

    id: str
    title: str
    evidence: tuple[str, ...]
    status: str
    note: str


class Area(msgspec.Struct, frozen=True, kw_only=True):
    """Capabilities that belong together."""

    area: str
    capabilities: tuple[Capability, ...]


@cache
def catalogue() -> tuple[Area, ...]:
    """Every area with its capabilities, in the order they are shown."""
    text = resources.files(__package__).joinpath("capabilities.yaml").read_text(encoding="utf-8")
    return msgspec.convert(yaml.safe_load(text), tuple[Area, ...])


def capability_table() -> str:
    """The catalogue as a Markdown table with Lading's own status, for docs/capabilities.md."""
    lines = [
        "# Capabilities",
        "",
        "What a whole container strategy must do, and how far Lading is. `works`: usable on real input, refuses bad",
        "input, tested. `partial`: the part named works, the rest is missing. `planned`: not there yet.",
    ]
    for area in catalogue():
        lines += [
            "",
            f"## {area.area}",
            "",
            "| id | capability | status | what is there, what is missing |",
            "|---|---|---|---|",
        ]
        lines += [f"| {item.id} | {item.title} | {item.status} | {item.note} |" for item in area.capabilities]
    return "\n".join(lines) + "\n"
