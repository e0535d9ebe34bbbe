"""`lading ledger`: read it, verify it, sign it."""

from __future__ import annotations

from typing import Annotated

import typer

from lading.entrypoints.cli.client import ApiClient
from lading.entrypoints.cli.options import LimitOption, OutputOption
from lading.entrypoints.cli.output import Output, out, print_json, print_rows


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(help="The ledger: show, verify, checkpoint.", no_args_is_help=True)
    group.command("show")(show)
    group.command("verify")(verify)
    group.command("checkpoint")(checkpoint)
    app.add_typer(group, name="ledger")


def show(
    subject: Annotated[str, typer.Argument(help="Only about KIND:ID, such as workload:shop/web.")] = "",
    kind: Annotated[str, typer.Option(help="Only facts of this kind.")] = "",
    limit: LimitOption = 50,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show the youngest facts, youngest first."""
    rows = ApiClient().get("/api/v1/ledger", subject=subject or None, kind=kind or None, limit=limit)
    print_rows(rows, ("seq", "at", "kind", "subject", "actor", "words"), output, "No such fact.")


def verify(output: OutputOption = Output.TABLE) -> None:
    """Recompute the whole chain and check every checkpoint. Exit code 9: something was changed, and where."""
    answer = ApiClient().post("/api/v1/ledger/verify")
    if output is Output.JSON:
        print_json(answer)
        return
    out.print(
        f"[green]intact[/]: {answer['entries']} entries, {answer['checkpoints']} signed checkpoints, "
        f"head {answer['head'][:16]}…, {answer['seconds']:.2f} s"
    )


def checkpoint() -> None:
    """Sign the head of the ledger now."""
    answer = ApiClient().post("/api/v1/ledger/checkpoint")
    out.print(f"entry {answer['seq']} signed with key {answer['key_id'][:16]}…")
