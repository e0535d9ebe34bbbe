"""`lading findings`: the flaws that matter first, in images that you may see."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from lading.entrypoints.cli.client import ApiClient
from lading.entrypoints.cli.options import LimitOption
from lading.entrypoints.cli.output import Output, out, print_json, print_rows
from lading.kernel.errors import Unavailable

_COLUMNS = ("severity", "id", "running", "exploited", "epss", "fixes", "packages", "images", "teams", "seen")


class FindingsOutput(StrEnum):
    """The forms a list of findings can be written in."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"


class Order(StrEnum):
    """What comes first."""

    URGENCY = "urgency"
    SEVERITY = "severity"
    LIKELIHOOD = "likelihood"
    AGE = "age"


class Standing(StrEnum):
    """Whether VEX statements set it aside."""

    OPEN = "open"
    ASIDE = "aside"
    ANY = "any"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(findings)


def findings(
    severity: Annotated[str, typer.Option("--severity", help="At least this: low, medium, high, critical.")] = "",
    epss: Annotated[float, typer.Option("--epss", min=0, max=1, help="At least this likelihood.")] = 0.0,
    running: Annotated[bool | None, typer.Option("--running/--not-running", help="Only in what runs, or not.")] = None,
    exploited: Annotated[
        bool | None, typer.Option("--exploited/--not-exploited", help="Only what is exploited in the wild, or not.")
    ] = None,
    fixable: Annotated[bool | None, typer.Option("--fixable/--no-fix", help="Only what can be mended, or not.")] = None,
    ecosystem: Annotated[str, typer.Option("--ecosystem", help="Debian, PyPI, npm, …")] = "",
    team: Annotated[str, typer.Option("--team", "-t", help="Team whose images or containers have it.")] = "",
    owner: Annotated[str, typer.Option("--owner", help="Team that owns the flawed layer.")] = "",
    package: Annotated[str, typer.Option("--package", help="A name, name@version or package URL.")] = "",
    flaw: Annotated[str, typer.Option("--flaw", help="A CVE, advisory id or alias.")] = "",
    repository: Annotated[str, typer.Option("--repository", help="Repository that holds it.")] = "",
    image: Annotated[str, typer.Option("--image", help="Image (digest) that has it.")] = "",
    status: Annotated[Standing, typer.Option("--status", help="Set aside by VEX or not.")] = Standing.OPEN,
    sort: Annotated[Order, typer.Option("--sort", help="What comes first.")] = Order.URGENCY,
    limit: LimitOption = 50,
    output: Annotated[FindingsOutput, typer.Option("--output", "-o", help="Form of the list.")] = FindingsOutput.TABLE,
    output_file: Annotated[Path | None, typer.Option("--output-file", help="File for csv or jsonl.")] = None,
) -> None:
    """List flaws: first what runs, is exploited and can be mended; then by severity, likelihood and age."""
    query: dict[str, Any] = {
        "severity": severity or None, "epss": epss or None, "running": running, "exploited": exploited,
        "fixable": fixable, "ecosystem": ecosystem or None, "team": team or None, "owner": owner or None,
        "package": package or None, "flaw": flaw or None, "repository": repository or None, "image": image or None,
        "status": status.value, "sort": sort.value,
    }  # fmt: skip
    client = ApiClient()
    if output in (FindingsOutput.CSV, FindingsOutput.JSONL):
        _export(client, query | {"form": output.value}, output_file)
        return
    page = _pages(client, query, limit)
    if output is FindingsOutput.JSON:
        print_json(page)
        return
    rows = [row | {"seen": row["seen"][:10], "teams": row["teams"][:4]} for row in page["rows"]]
    print_rows(rows, _COLUMNS, Output.TABLE, "No such flaw is known in what you may see.")
    counts = ", ".join(f"{number} {level}" for level, number in page["by_severity"].items())
    late = f"; {page['waiting']} changes are not worked in yet" if page["waiting"] else ""
    out.print(f"[dim]{len(rows)} of {page['total']} flaws ({counts or 'none'}){late}[/]")


def _pages(client: ApiClient, query: dict[str, Any], limit: int) -> dict[str, Any]:
    """As many pages as make up `limit` rows, as one."""
    page: dict[str, Any] = client.get("/api/v1/findings", **query, limit=min(limit, 500))
    while page["next"] and len(page["rows"]) < limit:
        more = client.get("/api/v1/findings", **query, limit=min(limit - len(page["rows"]), 500), after=page["next"])
        page = more | {"rows": [*page["rows"], *more["rows"]]}
    return page


def _export(client: ApiClient, query: dict[str, Any], file: Path | None) -> None:
    """The whole list in a form for programs, piece by piece."""
    pieces = client.stream("/api/v1/findings/export", **query)
    if file is None:
        for piece in pieces:
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
        return
    try:
        with file.open("wb") as handle:
            for piece in pieces:
                handle.write(piece)
    except OSError as error:
        raise Unavailable(f"{file} cannot be written: {error.strerror}.", remedy="Name another file.") from error
