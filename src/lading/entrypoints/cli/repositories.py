"""`lading repository`: what there is to pull from, and who may."""

from __future__ import annotations

from typing import Annotated

import typer

from lading.entrypoints.cli.client import ApiClient
from lading.entrypoints.cli.options import LimitOption, OutputOption
from lading.entrypoints.cli.output import Output, out, print_rows
from lading.supply_chain.registry.access import Visibility


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(help="Repositories: list, who may see them.", no_args_is_help=True)
    group.command("ls")(listing)
    group.command("visibility")(visibility)
    app.add_typer(group, name="repository")


def listing(limit: LimitOption = 1_000, output: OutputOption = Output.TABLE) -> None:
    """List the repositories that you may pull from."""
    rows = ApiClient().get("/api/v1/repositories", limit=limit)
    print_rows(
        rows,
        ("repository", "team", "visibility", "images", "tags", "bytes", "pulls", "last_pull"),
        output,
        "There is no repository yet.",
    )


def visibility(
    repository: Annotated[str, typer.Argument(help="Name of the repository.")],
    who: Annotated[
        Visibility,
        typer.Argument(
            help="private: its team; internal: everybody with a role anywhere; public: everybody with an account, and "
            "those without where LADING_ANONYMOUS_PULL allows it."
        ),
    ],
) -> None:
    """Say who may pull from a repository."""
    ApiClient().post(f"/api/v1/repositories/{repository}/visibility", {"visibility": who})
    out.print(f"{repository} is {who}")
