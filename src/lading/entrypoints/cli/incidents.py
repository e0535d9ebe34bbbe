"""`lading incidents`: what happened that must not, and its end."""

from __future__ import annotations

from typing import Annotated

import typer

from lading.entrypoints.cli.client import ApiClient
from lading.entrypoints.cli.options import LimitOption, OutputOption
from lading.entrypoints.cli.output import Output, out, print_json, print_rows


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(help="Incidents: list, show, close.", no_args_is_help=True)
    group.command("ls")(listing)
    group.command("show")(show)
    group.command("close")(close)
    app.add_typer(group, name="incident")


def listing(
    every: Annotated[bool, typer.Option("--all", "-a", help="Also closed ones.")] = False,
    limit: LimitOption = 100,
    output: OutputOption = Output.TABLE,
) -> None:
    """List open incidents, worst first."""
    rows = ApiClient().get("/api/v1/incidents", all=every, limit=limit)
    columns = ("id", "severity", "state", "title", "workload", "team", "times", "opened")
    print_rows(rows, columns, output, "No open incident.")


def show(incident: Annotated[str, typer.Argument(help="Id of an incident.")]) -> None:
    """Show one incident with its evidence."""
    print_json(ApiClient().get(f"/api/v1/incidents/{incident}"))


def close(
    incident: Annotated[str, typer.Argument(help="Id of an incident.")],
    why: Annotated[str, typer.Option(help="What was found and done.")],
) -> None:
    """Close an incident."""
    ApiClient().post(f"/api/v1/incidents/{incident}/close", {"why": why})
    out.print("closed")
