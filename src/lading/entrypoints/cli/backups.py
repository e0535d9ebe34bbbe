"""`lading backup`: take, list, verify, restore, drill, schedule, status.

All but `restore` ask the server; `ls` and `verify` can also do without one (`--here`), as after a disaster.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

import msgspec
import typer

from lading import settings as settings_module
from lading.entrypoints.cli.client import ApiClient
from lading.entrypoints.cli.options import LimitOption, OutputOption, YesOption
from lading.entrypoints.cli.output import Output, err, out, print_json, print_rows
from lading.entrypoints.cli.progress import follow_job
from lading.kernel.clock import SystemClock, parse_timestamp, timestamp
from lading.kernel.errors import ExitCode, InvalidInput

_EVERY: Final = re.compile(r"(\d{1,6})([smhd])")
_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_COLUMNS: Final = ("backup", "at", "entries", "items", "mb", "complete")

BackupArgument = Annotated[str, typer.Argument(help="Id of a backup, or its beginning; the last one when left out.")]
DetachOption = Annotated[bool, typer.Option("--detach", help="Return at once; follow with `lading jobs`.")]
HereOption = Annotated[bool, typer.Option("--here", help="Read the repository from here; no server is asked.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(
        help="Backups: create, ls, verify, restore, drill, schedule, status.", no_args_is_help=True
    )  # fmt: skip
    for command in (create, ls, verify, restore, drill, schedule, status):
        group.command(command.__name__)(command)
    app.add_typer(group, name="backup")


def create(
    telemetry: Annotated[bool, typer.Option("--telemetry", help="Logs and samples too.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Read everything again, as if it were the first.")] = False,
    new_repository: Annotated[
        bool, typer.Option("--new-repository", help="Begin a new repository although backups went elsewhere before.")
    ] = False,
    detach: DetachOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Take a backup now, while everything goes on: what was acknowledged before it began is in it, complete."""
    body = {"telemetry": telemetry, "full": full, "new_repository": new_repository}
    _do("/api/v1/backups", body, detach, output)


def ls(
    here: HereOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """List the backups in the repository, youngest first."""
    if here:
        from lading.continuity.point import points
        from lading.wiring.continuity import open_vault

        found = points(open_vault(settings_module.load()).snapshots())
        rows = [msgspec.to_builtins(point) for point in reversed(found)]
    else:
        rows = ApiClient().get("/api/v1/backups")
    for row in rows:
        row["mb"] = round(row["bytes"] / 1e6, 1)
    print_rows(rows, _COLUMNS, output, "There is no backup yet: `lading backup create`.")


def verify(
    backup: BackupArgument = "",
    read_data: Annotated[bool, typer.Option("--read-data", help="Read and check every byte of it.")] = False,
    here: HereOption = False,
    detach: DetachOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Check that everything a restore needs is in the repository. Exit code 9: it is damaged, and where."""
    if not here:
        _do("/api/v1/backups/verify", {"backup": backup, "read_data": read_data}, detach, output)
        return
    from lading.continuity.verifying import verify as verify_here
    from lading.wiring.continuity import open_vault

    settings = settings_module.load()
    work = settings.data / "backup" / "verify-here"
    found = verify_here(open_vault(settings), work, _Telling(), read_data=read_data, backup=backup)
    out.print(f"[green]intact[/]: backup {found.point.backup} of {found.point.at}, {found.items} items")


def restore(
    backup: BackupArgument = "",
    at: Annotated[str, typer.Option("--at", help="The last backup not after this moment (RFC 3339).")] = "",
    data: Annotated[str | None, typer.Option("--data", help="Data directory to restore into.")] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Move what the data directory holds aside; lose what the database holds.")
    ] = False,
    yes: YesOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Restore a backup into the data directory of the settings, and into their database and object store.

    Needs LADING_BACKUP_REPOSITORY and LADING_BACKUP_PASSWORD_FILE, and no server. Every digest is checked and the
    ledger verified before anything is put into place; killed at any point, it can be run again.
    """
    from lading.continuity.backups import restore as restore_here
    from lading.entrypoints.server.supervisor import exclusive
    from lading.facts import Ledger
    from lading.wiring.continuity import LedgerBooks, content_of, metadata_of, open_vault

    settings = settings_module.load({"data": data})
    if replace and not yes:
        typer.confirm(f"Replace what is in {settings.data} and {settings.database_url or 'its database'}?", abort=True)
    clock = SystemClock()
    with exclusive(settings):
        done = restore_here(
            open_vault(settings),
            settings.data,
            metadata=metadata_of(settings),
            content=content_of(settings),
            books=LedgerBooks(clock),
            ledger=Ledger(clock),
            clock=clock,
            telling=_Telling(),
            backup=backup,
            at=_moment(at),
            replace=replace,
        )
    if output is Output.JSON:
        print_json(done)
        return
    out.print(
        f"[green]restored[/] the backup of {done['at']} into {settings.data}: {done['compared']} digests compared, "
        f"{done['entries']} ledger entries verified, {done['seconds']:.1f} s"
    )
    if done["missing"]:
        err.print(f"[yellow]{done['missing']} items had been lost by storage before the backup was taken.[/]")
    err.print("Start it with `lading up`.")


def drill(
    backup: BackupArgument = "",
    detach: DetachOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Restore into a scratch place, compare every digest, verify the ledger; RTO and RPO become facts."""
    _do("/api/v1/backups/drill", {"backup": backup}, detach, output)


def schedule(
    work: Annotated[str, typer.Argument(help="create, verify or drill; all are shown when left out.")] = "",
    every: Annotated[str, typer.Option("--every", help="How often: 15m, 6h, 7d.")] = "",
    off: Annotated[bool, typer.Option("--off", help="Not any more.")] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show or set what the server does by itself, such as `lading backup schedule create --every 1h`."""
    client = ApiClient()
    if work and (every or off):
        rows = client.post(f"/api/v1/backups/schedule/{work}", {"every_seconds": 0 if off else _seconds(every)})
    else:
        rows = client.get("/api/v1/backups/schedule")
    print_rows(rows, ("work", "every_seconds", "due", "who"), output, "Nothing is scheduled.")


def status(limit: LimitOption = 10, output: OutputOption = Output.TABLE) -> None:
    """Show how backups, verifications and drills stand. Exit code 1: something failed, is late or was never done."""
    client = ApiClient()
    found = client.get("/api/v1/backups/status")
    runs = client.get("/api/v1/backups/runs", limit=limit)
    if output is Output.JSON:
        print_json(found | {"runs": runs})
    else:
        out.print(f"repository  {found['repository'] or 'none: set LADING_BACKUP_REPOSITORY'}")
        out.print(f"keep        {found['keep']}")
        print_rows(found["health"], ("work", "state", "says", "due"), output, "")
        for run in runs:
            run["result"] = run["why"] or ", ".join(f"{key} {value}" for key, value in run["figures"].items())
        print_rows(runs, ("started", "work", "outcome", "result"), output, "Nothing was done yet.")
    if any(one["state"] in ("failed", "late", "incomplete", "never") for one in found["health"] if _matters(one)):
        raise typer.Exit(int(ExitCode.FAILED))


def _matters(health: dict[str, Any]) -> bool:
    """Backups matter always, the rest when it is scheduled or was done once."""
    return health["work"] == "create" or bool(health["every_seconds"]) or health["state"] != "never"


def _do(path: str, body: dict[str, Any], detach: bool, output: Output) -> None:
    client = ApiClient()
    job = client.post(path, body)
    if detach:
        out.print(job["id"])
        return
    result = follow_job(client, job["id"], output)
    if output is Output.TABLE:
        for key, value in result.items():
            out.print(f"[bold]{key.replace('_', ' '):<16}[/]{value}")


def _seconds(text: str) -> int:
    found = _EVERY.fullmatch(text)
    if found is None:
        raise InvalidInput(f"{text!r} is no interval.", remedy="Write 15m, 6h or 7d.")
    return int(found[1]) * _UNITS[found[2]]


def _moment(text: str) -> str:
    try:
        return timestamp(parse_timestamp(text)) if text else ""
    except ValueError as error:
        raise InvalidInput(f"{text!r} is no moment.", remedy="Write it as 2026-01-31T12:00:00Z.") from error


class _Telling:
    """What happens, on standard error."""

    def step(self, name: str) -> None:
        err.print(f"[bold]{name}[/]")

    def say(self, text: str, level: str = "info") -> None:
        del level
        err.print(f"  {text}", markup=False, soft_wrap=True)
