"""`lading where`, `lading advisories` and `lading patch`: what is known, whom it concerns, and how it is closed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final
from urllib.parse import quote

import typer
from rich.markup import escape

from lading.entrypoints.cli import vex
from lading.entrypoints.cli.client import ApiClient
from lading.entrypoints.cli.options import LimitOption, OutputOption
from lading.entrypoints.cli.output import Output, out, print_json, print_rows
from lading.entrypoints.cli.progress import follow_job
from lading.kernel.errors import InvalidInput, Unavailable

_COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "flaw": ("severity", "package", "version", "fixed", "vex", "since", "owner"),
    "package": ("package", "version", "since", "owner"),
    "licence": ("what", "package", "version", "since", "owner"),
    "image": ("since",),
    "team": ("since",),
}


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(where)
    app.command()(patch)
    group = typer.Typer(help="Advisory feeds: update, import, export, status, vex.", no_args_is_help=True)
    group.command("update")(update)
    group.command("import")(import_file)
    group.command("export")(export)
    group.command("status")(status)
    group.add_typer(vex.group(), name="vex")
    app.add_typer(group, name="advisories")


def where(
    what: Annotated[
        str, typer.Argument(help="CVE or alias, package[@version], image (digest or reference), team, or licence.")
    ],
    kind: Annotated[str, typer.Option("--as", help="What it is: flaw, package, image, team or licence.")] = "",
    limit: LimitOption = 200,
    output: OutputOption = Output.TABLE,
) -> None:
    """Say which images and running containers have it, whose they are, since when, and what fixes it."""
    found = ApiClient().get("/api/v1/where", q=what, kind=kind or None, limit=limit)
    if output is Output.JSON:
        print_json(found)
        return
    columns = _COLUMNS.get(found["kind"], _COLUMNS["package"])
    containers = ("workload", "name", "team", *columns, "started", "image")
    print_rows(found["containers"], containers, output, "No running container has it.")
    print_rows(found["images"], ("repository", "tags", "state", "team", *columns, "digest"), output, "No image has it.")
    beyond = "".join(
        f", {found[key]} more {what} (see --limit)"
        for key, what in (("more_images", "images"), ("more_containers", "containers"))
        if found[key]
    )
    out.print(
        f"[dim]{found['kind']}: {found['total']} images{beyond}; answered in {found['milliseconds']:.1f} ms, "
        "without reading any image[/]"
    )


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
        Path, typer.Argument(help="OSV records (JSON, JSON lines or zip; plain, zstd or gzip), or an exported bundle.")
    ],
    source: Annotated[str, typer.Option(help="Name of the feed; kev and epss are those catalogues.")] = "own",
    output: OutputOption = Output.TABLE,
) -> None:
    """Take advisories (also your own) in and say at once which images and containers they concern."""
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


def update(
    source: Annotated[str, typer.Argument(help="Source or ecosystem, such as kev or PyPI; all when left out.")] = "",
    record: Annotated[str, typer.Option(help="Fetch this one record of the source only.")] = "",
    whole: Annotated[bool, typer.Option("--whole", help="Fetch all of a feed, not only what was modified.")] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Update the advisory feeds from where they are published, and match what changed."""
    client = ApiClient()
    if record:
        answer = client.post(f"/api/v1/advisories/records/{quote(source, safe='')}/{quote(record, safe='')}")
        print_rows([answer], ("source", "changed", "images", "containers"), output, "")
        return
    job = client.post("/api/v1/advisories/updates", {"source": source, "whole": whole})
    result = follow_job(client, job["id"], output)
    if result["failed"]:
        raise Unavailable(
            f"Not updated: {', '.join(result['failed'])}. What was known of them stays.",
            remedy="See `lading advisories status` for why.",
        )


def export(
    file: Annotated[Path, typer.Argument(help="Where the bundle goes, such as advisories.tar.zst.")],
) -> None:
    """Write all feeds into one signed file, for a Lading that reaches no network."""
    part = file.with_name(file.name + ".part")
    try:
        size = ApiClient().download("/api/v1/advisories/bundle", part)
        part.replace(file)
    except OSError as error:
        raise InvalidInput(f"{file} cannot be written: {error.strerror}.", remedy="Name another file.") from error
    finally:
        part.unlink(missing_ok=True)
    out.print(f"{file}: {size / 1e6:.1f} MB; import it with `lading advisories import {file}`")


def status(output: OutputOption = Output.TABLE) -> None:
    """Show each feed, its size and its age."""
    rows = ApiClient().get("/api/v1/advisories")
    for row in rows:
        row["state"] = "stale" if row["is_stale"] else "failed" if row["error"] else "fresh"
    columns = ("source", "state", "records", "withdrawn", "newest", "age_days", "fetched", "imported", "error")
    print_rows(rows, columns, output, "No advisories were ever taken in.")
