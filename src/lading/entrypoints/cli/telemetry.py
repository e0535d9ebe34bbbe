"""`lading logs` and `lading metrics`: also of containers that are gone."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from lading.entrypoints.cli.client import ApiClient
from lading.entrypoints.cli.options import LimitOption, OutputOption, SinceOption
from lading.entrypoints.cli.output import Output, out, print_json, print_rows

SubjectArgument = Annotated[str, typer.Argument(help="Application, workload (shop/web), container name or id.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(logs)
    app.command()(metrics)


def logs(
    subject: SubjectArgument,
    since: SinceOption = "",
    grep: Annotated[str, typer.Option(help="Only lines that contain this text.")] = "",
    limit: LimitOption = 200,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show the youngest log lines, oldest first."""
    rows = ApiClient().get("/api/v1/logs", subject=subject, since=since or None, grep=grep or None, limit=limit)
    if output is Output.JSON:
        print_json(rows)
        return
    for row in rows:
        mark = "[red]![/]" if row["stream"] == "stderr" else " "
        out.print(f"[dim]{row['at']} {row['container'][:12]}[/] {mark} {escape(row['line'])}", soft_wrap=True)


def metrics(
    subject: SubjectArgument,
    since: SinceOption = "15m",
    step: Annotated[int, typer.Option(help="Seconds that one row stands for.", min=1)] = 30,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show CPU, memory, network and restarts over time."""
    rows = ApiClient().get("/api/v1/metrics", subject=subject, since=since or None, step=step)
    columns = ("at", "container", "cpu_percent", "memory_mb", "rx_kb_s", "tx_kb_s", "pids", "restarts")
    print_rows(rows, columns, output, "No samples of it in that time.")
