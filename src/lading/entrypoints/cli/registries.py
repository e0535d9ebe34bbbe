"""`lading registry`: its space, its upstreams, its other regions. Each part adds its own commands to the group."""

from __future__ import annotations

from typing import Final

import typer

from lading.entrypoints.cli import mirrors, replications, space

_PARTS: Final = (space, mirrors, replications)


def register(app: typer.Typer) -> None:
    """Add the group with the commands of every part."""
    group = typer.Typer(
        help="The registry: garbage, retention, quotas, usage, upstreams, other regions.", no_args_is_help=True
    )
    for part in _PARTS:
        part.add_to(group)
    app.add_typer(group, name="registry")
