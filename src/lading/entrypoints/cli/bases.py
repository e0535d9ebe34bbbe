"""`lading base`: base images from distribution packages, reproducible, with what they were made of."""

from __future__ import annotations

from typing import Annotated

import typer

from lading.entrypoints.cli.client import ApiClient
from lading.entrypoints.cli.options import OutputOption, TeamOption
from lading.entrypoints.cli.output import Output, out
from lading.entrypoints.cli.progress import follow_job


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(base)


def base(
    distribution: Annotated[str, typer.Argument(help="Distribution and release, such as debian:12.")],
    include: Annotated[str, typer.Option(help="Packages to add, separated by commas.")] = "",
    tag: Annotated[str, typer.Option(help="REPOSITORY:TAG to push it as; by default library/DISTRIBUTION.")] = "",
    twice: Annotated[bool, typer.Option("--twice", help="Build it twice and compare the digests.")] = False,
    team: TeamOption = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """Make a base image from distribution packages and push it, inventoried and judged like every other image."""
    client = ApiClient()
    packages = [name.strip() for name in include.split(",") if name.strip()]
    request = {"distribution": distribution, "include": packages, "tag": tag, "twice": twice, "team": team}
    job = client.post("/api/v1/bases", request)
    result = follow_job(client, job["id"], output)
    if output is Output.TABLE:
        out.print(f"{result['reference']}  {result['digest']}  {result['packages']} packages")
