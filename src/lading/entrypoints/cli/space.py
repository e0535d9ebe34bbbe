"""`lading registry gc|retention|quota|usage`: what the registry holds, and what it lets go."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

import typer
from rich.markup import escape

from lading.entrypoints.cli.client import ApiClient
from lading.entrypoints.cli.options import LimitOption, OutputOption
from lading.entrypoints.cli.output import Output, out, print_json, print_rows
from lading.entrypoints.cli.progress import follow_job
from lading.kernel.errors import InvalidInput

_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([kMGT]?)(i?)B?", re.IGNORECASE)
_POWERS: Final = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Change nothing; say what would go, and why.")]


def add_to(group: typer.Typer) -> None:
    """Add the commands of this module."""
    group.command("gc")(collect)
    group.command("usage")(usage)
    retention = typer.Typer(help="Rules of retention: list, set, remove, try out, apply.", no_args_is_help=True)
    for command, name in ((rules, "ls"), (set_rule, "set"), (remove_rule, "rm"), (retain, "run")):
        retention.command(name)(command)
    group.add_typer(retention, name="retention")
    quota = typer.Typer(help="What teams may store.", no_args_is_help=True)
    quota.command("ls")(quotas)
    quota.command("set")(set_quota)
    group.add_typer(quota, name="quota")


def collect(
    dry_run: DryRunOption = False,
    grace: Annotated[
        float | None,
        typer.Option(help="Seconds that unnamed content stays; default LADING_GC_GRACE_SECONDS."),
    ] = None,
    rate: Annotated[float | None, typer.Option(help="Most blobs to delete in a second; 0 for no limit.")] = None,
    strays: Annotated[bool, typer.Option("--strays", help="First look for content unknown to the database.")] = False,
    history: Annotated[bool, typer.Option("--history", help="List the last collections instead.")] = False,
    limit: LimitOption = 100,
    output: OutputOption = Output.TABLE,
) -> None:
    """Give up content that nothing names any more, while pushes and pulls go on."""
    client = ApiClient()
    if history:
        rows = client.get("/api/v1/registry/gc", limit=limit)
        columns = ("started", "ended", "phase", "links", "blobs", "bytes", "actor", "id")
        print_rows(rows, columns, output, "Nothing was ever collected.")
    elif dry_run:
        plan = client.get("/api/v1/registry/gc/plan", grace=grace, limit=limit)
        if output is Output.JSON:
            print_json(plan)
            return
        print_rows(plan["deletions"], ("what", "digest", "size", "why"), output, "There is nothing to collect.")
        out.print(f"{plan['blobs']} blobs, {shown_size(plan['bytes'])}")
    else:
        job = client.post("/api/v1/registry/gc", {"grace": grace, "rate": rate, "strays": strays})
        follow_job(client, job["id"], output)


def usage(
    team: Annotated[str, typer.Option(help="Only this team.")] = "",
    limit: LimitOption = 100,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show who stores how much, what would come free, and how much space sharing saves."""
    found = ApiClient().get("/api/v1/registry/usage", team=team, limit=limit)
    if output is Output.JSON:
        print_json(found)
        return
    rows = [
        row | {name: shown_size(row[name]) for name in ("logical", "held", "exclusive")}
        for row in found["repositories"]
    ]
    columns = ("repository", "team", "manifests", "tags", "logical", "held", "exclusive", "pulls", "last_pull")
    print_rows(rows, columns, output, "The registry is empty.")
    out.print(
        f"{found['blobs']} blobs, {shown_size(found['stored'])} stored for images of {shown_size(found['logical'])}: "
        f"{found['deduplication']} times less"
    )


def rules(output: OutputOption = Output.TABLE) -> None:
    """List the rules of retention."""
    found = ApiClient().get("/api/v1/registry/retention")
    columns = ("pattern", "keep_tags", "keep_last", "keep_days", "keep_pulled_days", "keep_revoked_days")
    print_rows(found, columns, output, "There is no rule: everything stays.")


def set_rule(
    pattern: Annotated[str, typer.Argument(help="Repositories, such as 'shop/*'.")],
    keep_tags: Annotated[list[str] | None, typer.Option(help="Keep tags that match, such as 'v*'. Repeatable.")] = None,
    keep_last: Annotated[int, typer.Option(help="Keep so many images with a tag, youngest first.")] = 0,
    keep_days: Annotated[int, typer.Option(help="Keep what was pushed within so many days.")] = 0,
    keep_pulled_days: Annotated[int, typer.Option(help="Keep what was pulled within so many days.")] = 0,
    keep_revoked_days: Annotated[int, typer.Option(help="Keep revoked images for so many days.")] = 365,
) -> None:
    """Say what repositories keep. What runs or is held stays in any case; everything else that no rule keeps goes."""
    body = {
        "pattern": pattern, "keep_tags": keep_tags or [], "keep_last": keep_last, "keep_days": keep_days,
        "keep_pulled_days": keep_pulled_days, "keep_revoked_days": keep_revoked_days,
    }  # fmt: skip
    ApiClient().put("/api/v1/registry/retention", body)
    out.print(f"Try it out: lading registry retention run --dry-run   (rule {escape(pattern)} is kept)")


def remove_rule(pattern: Annotated[str, typer.Argument(help="Pattern of the rule.")]) -> None:
    """Remove a rule."""
    ApiClient().delete("/api/v1/registry/retention", pattern=pattern)
    out.print(f"The rule for {escape(pattern)} is gone")


def retain(
    repository: Annotated[str, typer.Option(help="With --dry-run: only this repository.")] = "",
    dry_run: DryRunOption = False,
    every: Annotated[bool, typer.Option("--all", help="With --dry-run: also what stays.")] = False,
    limit: LimitOption = 1_000,
    output: OutputOption = Output.TABLE,
) -> None:
    """Delete the images that no rule keeps."""
    client = ApiClient()
    if not dry_run:
        follow_job(client, client.post("/api/v1/registry/retention/run", {})["id"], output)
        return
    found: list[dict[str, Any]] = client.get(
        "/api/v1/registry/retention/plan", repository=repository, limit=limit, going=not every
    )
    columns = ("repository", "tags", "stays", "why", "digest")
    print_rows(found, columns, output, "Every image stays.")


def quotas(output: OutputOption = Output.TABLE) -> None:
    """List what each team stores and may store."""
    found = ApiClient().get("/api/v1/registry/quotas")
    if output is Output.TABLE:
        for row in found:
            row |= {
                "used": shown_size(row["used"]),
                "most": shown_size(row["most"]) if row["most"] >= 0 else "no limit",
            }
    print_rows(found, ("team", "used", "most"), output, "No team has a repository.")


def set_quota(
    team: Annotated[str, typer.Argument(help="Name of the team.")],
    most: Annotated[str, typer.Argument(help="Size such as 500MB or 20GiB, or none for no limit.")],
) -> None:
    """Say how much a team may store; pushes beyond it are refused."""
    ApiClient().put("/api/v1/registry/quotas", {"team": team, "most": -1 if most == "none" else read_size(most)})
    out.print(f"Team {escape(team)} may store {escape(most)}")


def read_size(text: str) -> int:
    """A size such as `20GiB` in bytes; raises InvalidInput."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise InvalidInput(f"{text!r} is not a size.", remedy="Write a number and a unit: 500MB, 20GiB.")
    return int(float(found[1]) * (1024 if found[3] else 1000) ** _POWERS[found[2].lower()])


def shown_size(count: float) -> str:
    """Bytes as people read them: at most three digits before the point."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if abs(count) < 1000 or unit == "TB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError
