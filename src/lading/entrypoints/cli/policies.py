"""`lading policy`: list, test, simulate and explain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from lading.entrypoints.cli.client import ApiClient
from lading.entrypoints.cli.options import LimitOption, OutputOption
from lading.entrypoints.cli.output import Output, out, print_json, print_rows
from lading.entrypoints.cli.pipelines import FORMS, OutputFileOption, PipelineOption, PipelineOutput, publish
from lading.policy.examples import run_examples
from lading.policy.pack import load_pack, read_texts


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(help="Rules in CEL: list, test, simulate, explain, except.", no_args_is_help=True)
    for command, name in (
        (listing, "ls"), (test, "test"), (simulate, "simulate"), (decisions, "decisions"), (explain, "explain"),
        (replay, "replay"), (grant, "except"),
    ):  # fmt: skip
        group.command(name)(command)
    app.add_typer(group, name="policy")


PackArgument = Annotated[Path | None, typer.Argument(help="Directory of rule files; by default the built-in pack.")]


def listing(output: OutputOption = Output.TABLE) -> None:
    """List the rules in force."""
    rows = ApiClient().get("/api/v1/policy")["rules"]
    print_rows(
        rows, ("id", "stages", "severity", "effect", "owner", "title"), output, "No rules: everything is refused."
    )


def test(pack: PackArgument = None, output: OutputOption = Output.TABLE) -> None:
    """Run the examples that rules carry. Exit code 1: one does not hold. Needs no server."""
    results = run_examples(load_pack(pack))
    rows = [
        {"rule": item.rule, "example": item.name, "result": "ok" if item.passed else "fail", "why": item.why}
        for item in results
    ]
    failed = [row for row in rows if row["result"] == "fail"]
    print_rows(
        rows if output is Output.JSON else failed, ("rule", "example", "result", "why"), output, "Every example holds."
    )
    out.print(f"{len(rows) - len(failed)} passed, {len(failed)} failed") if output is Output.TABLE else None
    if failed or not rows:
        raise typer.Exit(1)


def simulate(
    pack: Annotated[Path, typer.Argument(help="Directory of changed rule files.")],
    output: OutputOption = Output.TABLE,
) -> None:
    """Judge past subjects with changed rules and say what would have been refused or let through."""
    answer = ApiClient().post("/api/v1/policy/simulate", {"files": read_texts(pack)})
    if output is Output.JSON:
        print_json(answer)
        return
    columns = ("stage", "subject", "before", "after", "rules")
    print_rows(answer["changes"], columns, output, "Nothing would have been decided otherwise.")
    out.print(f"{answer['replayed']} decisions replayed, {len(answer['changes'])} would change")


def decisions(
    subject: Annotated[str, typer.Argument(help="Only about this workload, image or container.")] = "",
    limit: LimitOption = 30,
    output: OutputOption = Output.TABLE,
) -> None:
    """List decisions, youngest first."""
    rows = ApiClient().get("/api/v1/decisions", subject=subject or None, limit=limit)
    print_rows(rows, ("id", "stage", "verdict", "subject", "denied_by", "at"), output, "Nothing was decided yet.")


def explain(
    decision: Annotated[str, typer.Argument(help="Id of a decision.")],
    output: PipelineOption = PipelineOutput.TABLE,
    output_file: OutputFileOption = None,
) -> None:
    """Explain a decision: rule, finding, layer, owner, and the smallest change that would pass."""
    if output in FORMS:
        publish(ApiClient(), [f"/api/v1/decisions/{decision}/report"], output, output_file)
        return
    answer = ApiClient().get(f"/api/v1/decisions/{decision}")
    if output is PipelineOutput.JSON:
        print_json(answer)
        return
    out.print(escape(answer["text"]), soft_wrap=True)


def replay(decision: Annotated[str, typer.Argument(help="Id of a decision.")]) -> None:
    """Judge the kept input again with the rules of then. Exit code 9: the outcome differs."""
    answer = ApiClient().post(f"/api/v1/decisions/{decision}/replay")
    out.print("the same outcome" if answer["same"] else "[red]another outcome[/]")
    if not answer["same"]:
        raise typer.Exit(9)


def grant(
    rule: Annotated[str, typer.Argument(help="Rule that shall not hold.")],
    match: Annotated[str, typer.Option(help="Subject it shall not hold for; * stands for anything.")],
    until: Annotated[str, typer.Option(help="Moment it ends (RFC 3339 date).")],
    reason: Annotated[str, typer.Option(help="Why.")],
    owner: Annotated[str, typer.Option(help="Team that answers for it.")],
) -> None:
    """Grant an exception that expires."""
    body = {"rule": rule, "match": match, "until": until, "reason": reason, "owner": owner}
    answer = ApiClient().post("/api/v1/policy/exceptions", body)
    out.print(f"{escape(rule)} does not hold for {escape(match)} until {answer['until']}")
