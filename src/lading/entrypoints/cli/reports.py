"""`lading report`: what other tools found out about an image, attached to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated
from urllib.parse import quote, urlencode

import typer
from rich.markup import escape

from lading.entrypoints.cli.client import ApiClient
from lading.entrypoints.cli.options import OutputOption
from lading.entrypoints.cli.output import Output, err, out, print_json, print_rows
from lading.kernel.errors import InvalidInput
from lading.supply_chain.foreign.report import KINDS

ImageArgument = Annotated[str, typer.Argument(help="REPOSITORY:TAG or a digest.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(help="Reports of other tools about images: add, list, results.", no_args_is_help=True)
    group.command("add")(add)
    group.command("ls")(listing)
    group.command("results")(results)
    app.add_typer(group, name="report")


def add(
    image: ImageArgument,
    file: Annotated[Path, typer.Argument(help="Trivy or Grype JSON, CycloneDX, SPDX, SARIF or JUnit XML.")],
    tool: Annotated[str, typer.Option("--tool", help="Name of the tool, where the file does not say.")] = "",
    kind: Annotated[str, typer.Option("--kind", help=f"What the tool looks at: {', '.join(KINDS)}.")] = "",
    configuration: Annotated[
        str, typer.Option("--configuration", help="How the tool was set, where the file does not show it.")
    ] = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """Attach a tool's report to an image as a signed attestation, and judge the image by it."""
    if not file.is_file():
        raise InvalidInput(f"{file} is not a file.", remedy="Name the file that the tool wrote.")
    asked = {"name": file.name[:200], "tool": tool, "kind": kind, "configuration": configuration}
    query = urlencode({key: value for key, value in asked.items() if value})
    path = f"/api/v1/images/{quote(image, safe='/:@')}/reports?{query}"
    answer = ApiClient().upload(path, _chunks(file), "application/octet-stream")
    if output is Output.JSON:
        print_json(answer)
        return
    known = "was attached before" if answer["known"] else "is attached"
    out.print(
        f"{escape(answer['tool'])} {escape(answer['version'])} ({answer['kind']}) {known}: {escape(answer['said'])}"
    )
    out.print(f"{answer['image']} is {answer['state']}: {escape(answer['why'])}")
    if answer["repeated"]:
        err.print(f"[yellow]the same tool reported about this image {answer['repeated'] + 1} times[/]")


def listing(image: ImageArgument, output: OutputOption = Output.TABLE) -> None:
    """List the reports about an image, oldest first."""
    rows = ApiClient().get(f"/api/v1/images/{image}/reports")
    columns = ("tool", "version", "kind", "said", "seconds", "current", "at", "actor")
    print_rows(rows, columns, output, "No report was attached to it.")


def results(image: ImageArgument, output: OutputOption = Output.TABLE) -> None:
    """List what other tools found in an image that is no flaw of a package: rule, level, file and line."""
    rows = ApiClient().get(f"/api/v1/images/{image}/reports/results")
    columns = ("severity", "tool", "kind", "rule", "file", "line", "message")
    print_rows(rows, columns, output, "No report in force found anything of that kind.")


def _chunks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as handle:
        while chunk := handle.read(1 << 20):
            yield chunk
