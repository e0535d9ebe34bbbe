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
        (replay, "replay"), (grant, "except"), (exceptions, "exceptions"), (unexcept, "unexcept"),
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
    until: Annotated[str, typer.Option(help="Moment it ends (RFC 3339 date).")],
    reason: Annotated[str, typer.Option(help="Why.")],
    owner: Annotated[str, typer.Option(help="Team that answers for it.")],
    match: Annotated[str, typer.Option(help="Subject it shall not hold for; * stands for anything.")] = "",
    flaw: Annotated[str, typer.Option(help="Only this flaw (CVE or advisory id) shall not count.")] = "",
) -> None:
    """Grant an exception that expires: for a subject, for a flaw, or for a flaw of a subject."""
    body = {"rule": rule, "match": match, "flaw": flaw, "until": until, "reason": reason, "owner": owner}
    answer = ApiClient().post("/api/v1/policy/exceptions", body)
    what = " of ".join(part for part in (flaw, match) if part)
    out.print(f"{escape(rule)} does not hold for {escape(what)} until {answer['until']}")


def exceptions(
    flaw: Annotated[str, typer.Option("--flaw", help="Only those that name this flaw.")] = "",
    ending: Annotated[bool, typer.Option("--ending", help="Only those that end within 14 days.")] = False,
    ended: Annotated[bool, typer.Option("--ended", help="Also those that ended.")] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """List what somebody answers for, from rules and VEX, the first to end first."""
    rows = ApiClient().get("/api/v1/policy/exceptions", flaw=flaw or None, ending=ending, ended=ended)
    shown = rows if output is Output.JSON else [row | {"until": row["until"][:10]} for row in rows]
    columns = ("id", "kind", "about", "subject", "flaws", "owner", "until", "days_left", "used", "reason")
    print_rows(shown, columns, output, "Nobody answers for an exception.")


def unexcept(exception: Annotated[str, typer.Argument(help="Id of an exception that was granted.")]) -> None:
    """End an exception now."""
    ended = ApiClient().delete(f"/api/v1/policy/exceptions/{exception}")
    out.print(f"{escape(ended['rule'])} holds again")
