"""`lading where`, `lading advisories` and `lading patch`: what is known, whom it concerns, and how it is closed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from lading.entrypoints.cli import vex
from lading.entrypoints.cli.client import ApiClient
from lading.entrypoints.cli.options import OutputOption
from lading.entrypoints.cli.output import Output, out, print_json, print_rows
from lading.entrypoints.cli.progress import follow_job
from lading.kernel.errors import InvalidInput


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(where)
    app.command()(patch)
    group = typer.Typer(help="Advisory feeds: import, status.", no_args_is_help=True)
    group.command("import")(import_file)
    group.command("status")(status)
    group.add_typer(vex.group(), name="vex")
    app.add_typer(group, name="advisories")


def where(
    what: Annotated[str, typer.Argument(help="CVE or advisory id, or package[@version].")],
    output: OutputOption = Output.TABLE,
) -> None:
    """Say which images and running containers have a flaw or a package, whose they are, and what fixes it."""
    found = ApiClient().get("/api/v1/where", q=what)
    if output is Output.JSON:
        print_json(found)
        return
    columns = ("workload", "name", "team", "package", "version", "fixed", "image")
    print_rows(found["containers"], columns, output, "No running container has it.")
    columns = ("repository", "state", "team", "package", "version", "fixed", "digest")
    print_rows(found["images"], columns, output, "No image has it.")
    out.print(f"[dim]answered in {found['milliseconds']:.1f} ms, without reading any image[/]")


def patch(
    advisory: Annotated[str, typer.Argument(help="CVE or advisory id to close.")],
    auto: Annotated[bool, typer.Option("--auto", help="Carry the plan out: rebuild, decide, replace, verify.")] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Plan what closes a flaw in running containers, and with --auto do it."""
    client = ApiClient()
    job = client.post("/api/v1/patches", {"advisory": advisory, "auto": auto})
    result = follow_job(client, job["id"], output)
    if output is Output.TABLE:
        out.print(f"[bold]{escape(str(result['outcome']))}[/] in {result['seconds']:.1f} s")


def import_file(
    file: Annotated[
        Path, typer.Argument(help="OSV records: JSON, JSON lines, or either compressed with zstd or gzip.")
    ],
    source: Annotated[str, typer.Option(help="Name of the feed.")] = "own",
    output: OutputOption = Output.TABLE,
) -> None:
    """Take advisories in and say at once which images and containers they concern."""
    if not file.is_file():
        raise InvalidInput(f"{file} is not a file.", remedy="Name a file with OSV records.")

    def chunks() -> object:
        with file.open("rb") as handle:
            while chunk := handle.read(1 << 20):
                yield chunk

    answer = ApiClient().upload(f"/api/v1/advisories?source={source}", chunks(), "application/octet-stream")  # type: ignore[arg-type]
    if output is Output.JSON:
        print_json(answer)
        return
    out.print(
        f"{answer['records']} records, {answer['changed']} new or changed; "
        f"{answer['images']} images and {answer['containers']} running containers have something new"
    )


def status(output: OutputOption = Output.TABLE) -> None:
    """Show each feed, its size and its age."""
    rows = ApiClient().get("/api/v1/advisories")
    columns = ("source", "records", "withdrawn", "newest", "age_days", "imported")
    print_rows(rows, columns, output, "No advisories were ever taken in.")
