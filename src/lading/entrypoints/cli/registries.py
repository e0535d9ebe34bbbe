"""`lading registry`: its space, its upstreams, its other regions, its files. Each part adds its own commands."""

from __future__ import annotations

from typing import Final

import typer

from lading.entrypoints.cli import mirrors, replications, space, trees

_PARTS: Final = (space, mirrors, replications, trees)


def register(app: typer.Typer) -> None:
    """Add the group with the commands of every part."""
    group = typer.Typer(
        help="The registry: garbage, retention, quotas, usage, upstreams, other regions, static files.",
        no_args_is_help=True,
    )
    for part in _PARTS:
        part.add_to(group)
    app.add_typer(group, name="registry")
