"""`lading up`, `lading down`, `lading status`, `lading doctor`: the server on this machine.

What only the server needs is imported when it is needed: the other commands must start quickly.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import Annotated, Final

import typer
from rich.markup import escape

from lading import settings as settings_module
from lading.entrypoints.cli.client import ApiClient, keep_token
from lading.entrypoints.cli.options import OutputOption, YesOption
from lading.entrypoints.cli.output import Output, err, out, print_json, print_rows
from lading.entrypoints.server.supervisor import Supervisor, exclusive, running_pid
from lading.kernel.errors import Conflict, Unavailable
from lading.settings import Settings

_DETACHED_SECONDS: Final = 180

DataOption = Annotated[str | None, typer.Option("--data", help="Directory that holds everything Lading keeps.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(up)
    app.command()(down)
    app.command()(status)
    app.command()(doctor)


def up(
    data: DataOption = None,
    push_addr: Annotated[str | None, typer.Option(help="Push endpoint, HOST:PORT.")] = None,
    pull_addr: Annotated[str | None, typer.Option(help="Pull endpoint, HOST:PORT.")] = None,
    api_addr: Annotated[str | None, typer.Option(help="API and console, HOST:PORT.")] = None,
    roles: Annotated[str | None, typer.Option(help="What to run: push, pull, api, worker, between commas.")] = None,
    database_url: Annotated[str | None, typer.Option(help="PostgreSQL instead of SQLite.")] = None,
    engine: Annotated[str | None, typer.Option(help="Docker Engine address.")] = None,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return when the server is ready.")] = False,
) -> None:
    """Start the server: push endpoint, pull endpoint, API, console and worker.

    Prints the first admin token once, unless LADING_ADMIN_TOKEN_FILE names a file with it. Stop it with Ctrl-C or
    `lading down`; killed at any point, it comes back with everything it acknowledged.
    """
    flags = {
        "data": data, "push_addr": push_addr, "pull_addr": pull_addr, "api_addr": api_addr,
        "roles": roles, "database_url": database_url, "engine": engine,
    }  # fmt: skip
    settings = settings_module.load(flags)
    environment = server_environment(settings)
    if detach:
        start_detached(settings, environment)
        return
    from lading.entrypoints.server.prepare import prepare, stopped

    with exclusive(settings):
        started = time.monotonic()
        prepared = prepare(settings, _say)
        environment |= prepared.environment

        def ready() -> None:
            (settings.data / "run" / "ready").touch()
            _welcome(settings, prepared.first_token, time.monotonic() - started)

        (settings.data / "run" / "ready").unlink(missing_ok=True)
        Supervisor(settings, environment).run(_say, ready)
        (settings.data / "run" / "ready").unlink(missing_ok=True)
        stopped(settings, time.monotonic() - started)
        err.print("stopped")


def start_detached(settings: Settings, environment: dict[str, str]) -> None:
    """Start `lading up` in a session of its own and return when it is ready.

    Raises:
        Conflict: a server already runs on this data directory.
        Unavailable: it did not become ready; its log says why.
    """
    if pid := running_pid(settings):
        raise Conflict(
            f"A Lading server already runs on {settings.data} (process {pid}).", remedy="See `lading status`."
        )
    log = settings.data / "log" / "lading.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    ready = settings.data / "run" / "ready"
    ready.unlink(missing_ok=True)
    with log.open("ab") as handle:
        start = handle.tell()
        process = subprocess.Popen(
            [sys.executable, "-m", "lading.entrypoints.cli.main", "up"],
            env=environment | {"NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            stdout=handle,
            stderr=handle,
            start_new_session=True,
        )
    deadline = time.monotonic() + _DETACHED_SECONDS
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            with log.open("rb") as handle:
                handle.seek(start)
                tail = handle.read()[-2000:].decode(errors="replace").splitlines()
            raise Unavailable(
                f"The server did not start; its log is {log}.",
                remedy="Run `lading doctor`, or `lading up` without --detach to watch it.",
                details=tuple(tail[-12:]),
            )
        time.sleep(0.1)


def down(
    data: DataOption = None,
    purge: Annotated[
        bool, typer.Option("--purge", help="Also remove workloads, volumes and the data directory.")
    ] = False,
    yes: YesOption = False,
) -> None:
    """Stop the server and the private engine and ingress that belong to it; nothing else is touched."""
    from lading.entrypoints.server import teardown

    settings = settings_module.load({"data": data})
    if purge and not yes:
        typer.confirm(f"Remove everything under {settings.data} and every workload of this Lading?", abort=True)
    teardown.stop_server(settings, _say)
    if purge:
        teardown.remove_workloads(settings, _say)
    teardown.stop_parts(settings, _say)
    if purge:
        teardown.remove_data(settings, _say)
        keep_token(settings.api_url, None)


def status(output: OutputOption = Output.TABLE) -> None:
    """Show the server, its addresses, its engine and what it holds."""
    found = ApiClient().get("/api/v1/status")
    if output is Output.JSON:
        print_json(found)
        return
    for key, value in found.items():
        out.print(f"[bold]{key.replace('_', ' '):<16}[/]{escape(str(value))}")


def doctor(data: DataOption = None, output: OutputOption = Output.TABLE) -> None:
    """Check what Lading needs of this machine and say how to mend what is missing. Exit code 1: something fails."""
    from lading.entrypoints.cli.doctor.checks import run_checks

    settings = settings_module.load({"data": data})
    results = run_checks(settings, server_runs=running_pid(settings) is not None)
    rows = [{"check": item.name, "result": item.status, "found": item.found, "mend": item.mend} for item in results]
    print_rows(rows, ("check", "result", "found", "mend"), output, "Nothing was checked.")
    if any(row["result"] == "fail" for row in rows):
        raise typer.Exit(1)


def server_environment(settings: Settings) -> dict[str, str]:
    """What child processes are told: every setting, so that flags reach them too."""
    said = {}
    for row in settings_module.documented():
        value = getattr(settings, row.name)
        said[row.variable] = _said(value)
    return {**os.environ, **said}


def _said(value: object) -> str:
    """A setting as it is written in the environment."""
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _say(text: str) -> None:
    err.print(f"[dim]·[/] {escape(text)}", soft_wrap=True)


def _welcome(settings: Settings, token: str, seconds: float) -> None:
    err.print(f"[green]Lading is ready[/] after {seconds:.1f} s")
    for role, what, where in (
        ("api", "console and API", settings.api_url),
        ("push", "push", settings.push_addr),
        ("pull", "pull", settings.pull_addr),
    ):
        if role in settings.roles:
            err.print(f"  {what:<16} {where}")
    if token:
        err.print("\nThe first admin token, shown once; keep it with `lading login`:")
        out.print(token)
