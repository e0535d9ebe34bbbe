"""The command line: one Typer application over one module a topic."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated

import typer

from lading.entrypoints.cli.commands import Commands
from lading.entrypoints.cli.output import err, print_error
from lading.kernel.errors import ExitCode, LadingError

app = typer.Typer(
    cls=Commands,
    name="lading",
    help="A bill of lading for every container: what it is, where it comes from, who owns it, whether it is allowed, "
    "what it does, and what must change.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def options(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", "-V", help="Print the version and exit.", is_eager=True, callback=lambda on: _tell_version(on)
        ),
    ] = False,
) -> None:
    """What holds for every command."""


def _tell_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lading {version('lading')}")
        raise typer.Exit


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; exits with one of the documented exit codes, never with a traceback for an expected failure."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        app(args=arguments)
    except LadingError as error:
        print_error(error)
        sys.exit(int(error.exit_code))
    except KeyboardInterrupt:
        err.print("interrupted")
        sys.exit(int(ExitCode.INTERRUPTED))
    except Exception as error:
        if os.environ.get("LADING_DEBUG"):
            raise
        err.print(f"[bold red]error:[/] Lading has a fault: {type(error).__name__}: {error}", markup=True)
        err.print("[bold]next:[/]  Run the same command with LADING_DEBUG=1 and report what it prints.")
        sys.exit(int(ExitCode.FAILED))


if __name__ == "__main__":
    main()
