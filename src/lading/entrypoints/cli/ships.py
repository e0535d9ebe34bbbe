"""`lading ship` and `lading jobs`: from a directory to a running application."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from lading.entrypoints.cli.client import ApiClient, ServerSaid
from lading.entrypoints.cli.options import LimitOption, OutputOption, TeamOption
from lading.entrypoints.cli.output import Output, err, out, print_rows
from lading.entrypoints.cli.pipelines import FORMS, OutputFileOption, PipelineOption, PipelineOutput, publish
from lading.entrypoints.cli.progress import follow_job
from lading.kernel.errors import InvalidInput
from lading.lifecycle.ship import DECISION
from lading.supply_chain.build.context import describe_source, pack_directory


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(ship)
    app.command()(jobs)


def ship(
    directory: Annotated[Path, typer.Argument(help="Directory with a Compose file, or a Dockerfile.")] = Path(),
    team: TeamOption = "",
    build_only: Annotated[bool, typer.Option("--build-only", help="Build, push and judge; do not deploy.")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Return at once; follow with `lading jobs`.")] = False,
    output: PipelineOption = PipelineOutput.TABLE,
    output_file: OutputFileOption = None,
) -> None:
    """Build, push, inventory, match, decide, sign and deploy an application.

    Exit code 3 means that a policy refused it; the explanation says what would pass. SARIF and JUnit are written then
    too.
    """
    if not directory.is_dir():
        raise InvalidInput(f"{directory} is not a directory.", remedy="Name the one that holds compose.yaml.")
    client = ApiClient()
    described = describe_source(directory)
    with pack_directory(directory) as archive:
        err.print(f"[dim]source {archive.digest.short}, {archive.size / 1e6:.1f} MB[/]")
        source = client.upload("/api/v1/sources", archive.chunks(), "application/x-tar")
    request = {
        "source": source["digest"],
        "name": directory.resolve().name,
        "commit": described.commit,
        "dirty": described.dirty,
        "team": team,
        "deploy": not build_only,
    }
    job = client.post("/api/v1/ships", request)
    if detach:
        out.print(job["id"])
        return
    if output in FORMS:
        _followed(client, job["id"], output, output_file)
        return
    result = follow_job(client, job["id"], Output(output.value))
    if output is PipelineOutput.TABLE:
        _summary(result)


def _followed(client: ApiClient, job: str, form: PipelineOutput, file: Path | None) -> None:
    """Follow a ship and write what was decided about its images, also when it was refused."""
    try:
        result = follow_job(client, job)
    except ServerSaid as error:
        decisions = [one.removeprefix(DECISION) for one in error.details if one.startswith(DECISION)]
        publish(client, [f"/api/v1/decisions/{one}/report" for one in decisions], form, file)
        raise
    digests = dict.fromkeys(str(digest) for digest in dict(result["images"]).values())
    publish(client, [f"/api/v1/images/{digest}/scan" for digest in digests], form, file)


def _summary(result: dict[str, object]) -> None:
    images = result.get("images")
    if isinstance(images, dict):
        for workload, digest in images.items():
            out.print(f"{escape(str(workload))}  {escape(str(digest))}")
    out.print(f"[green]{escape(str(result.get('outcome', 'done')))}[/] in {float(str(result.get('seconds', 0))):.1f} s")


def jobs(
    job: Annotated[str, typer.Argument(help="Job to follow; without it, the youngest are listed.")] = "",
    limit: LimitOption = 20,
    output: OutputOption = Output.TABLE,
) -> None:
    """List long work, or follow one piece of it."""
    client = ApiClient()
    if job:
        follow_job(client, job, output)
        return
    rows = client.get("/api/v1/jobs", limit=limit)
    print_rows(rows, ("id", "kind", "state", "team", "actor", "created"), output, "No job was ever submitted.")
