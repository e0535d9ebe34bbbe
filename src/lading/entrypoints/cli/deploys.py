"""`lading ps` and `lading remove`: what runs, and the end of it."""

from __future__ import annotations

from typing import Annotated

import typer

from lading.entrypoints.cli.client import ApiClient
from lading.entrypoints.cli.options import OutputOption, WhyOption, YesOption
from lading.entrypoints.cli.output import Output, print_rows
from lading.entrypoints.cli.progress import follow_job


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(ps)
    app.command()(remove)


def ps(
    every: Annotated[bool, typer.Option("--all", "-a", help="Also containers that are gone.")] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """List workloads and their containers."""
    rows = ApiClient().get("/api/v1/containers", all=every)
    columns = ("workload", "state", "health", "name", "image", "team", "node", "started")
    print_rows(rows, columns, output, "Nothing runs. Ship something: `lading ship DIRECTORY`.")


def remove(
    application: Annotated[str, typer.Argument(help="Application to stop and remove.")],
    why: WhyOption = "removed by hand",
    yes: YesOption = False,
) -> None:
    """Stop an application and remove its containers and networks. Volumes stay."""
    if not yes:
        typer.confirm(f"Stop and remove {application}?", abort=True)
    client = ApiClient()
    job = client.post(f"/api/v1/applications/{application}/remove", {"why": why})
    follow_job(client, job["id"])
