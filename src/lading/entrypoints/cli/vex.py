"""`lading advisories vex`: what somebody answers for about a flaw, where, and until when."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import quote, urlencode

import typer

from lading.entrypoints.cli.client import ApiClient
from lading.entrypoints.cli.options import OutputOption
from lading.entrypoints.cli.output import Output, out, print_json, print_rows
from lading.kernel.errors import InvalidInput


def group() -> typer.Typer:
    """The commands of this module."""
    made = typer.Typer(help="VEX statements: import, ls, rm.", no_args_is_help=True)
    made.command("import")(take_in)
    made.command("ls")(ls)
    made.command("rm")(rm)
    return made


def take_in(
    file: Annotated[Path, typer.Argument(help="An OpenVEX or CycloneDX VEX document.")],
    repository: Annotated[list[str] | None, typer.Option(help="Repositories where it counts; * fits any text.")] = None,
    team: Annotated[list[str] | None, typer.Option(help="Teams whose images it counts for.")] = None,
    image: Annotated[list[str] | None, typer.Option(help="Digests of images it counts for.")] = None,
    days: Annotated[int, typer.Option(help="Days that it counts.", min=1, max=731)] = 365,
    output: OutputOption = Output.TABLE,
) -> None:
    """Let statements count: findings that they set aside stay visible under a heading of their own."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror}.", remedy="Name a VEX document.") from error
    scope = {"repository": repository or [], "team": team or [], "image": image or [], "days": days}
    path = f"/api/v1/vex?{urlencode(scope, doseq=True)}"
    rows = ApiClient().upload(path, iter([content]), "application/json")
    _show(rows, output)


def ls(output: OutputOption = Output.TABLE) -> None:
    """List the statements that were taken in."""
    _show(ApiClient().get("/api/v1/vex"), output)


def rm(
    name: Annotated[str, typer.Argument(help="Id of a statement, or of a document.")],
    output: OutputOption = Output.TABLE,
) -> None:
    """End a statement, or all statements of a document, now."""
    answer = ApiClient().delete(f"/api/v1/vex/{quote(name, safe='')}")
    if output is Output.JSON:
        print_json(answer)
        return
    out.print(f"{len(answer['removed'])} statements count no more")


def _show(rows: list[dict[str, object]], output: Output) -> None:
    if output is Output.JSON:
        print_json(rows)
        return
    shown = [row | {"flaws": row["names"], "until": str(row["until"])[:10], "where": _where(row)} for row in rows]
    columns = ("id", "flaws", "status", "justification", "where", "author", "until")
    print_rows(shown, columns, output, "No statement was taken in.")


def _where(row: dict[str, object]) -> list[str]:
    products = [" in ".join(map(str, one.values())) for one in row.get("products", ())]  # type: ignore[attr-defined]
    scope = row.get("scope") or {}
    return [*products, *(str(name) for names in scope.values() for name in names)]  # type: ignore[attr-defined]
