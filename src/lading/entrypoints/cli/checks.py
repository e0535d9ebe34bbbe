"""`lading check`: what is weak about Dockerfiles, Compose files and Kubernetes manifests, where they lie."""

from __future__ import annotations

import sys
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Final

import typer

from lading.entrypoints.cli.output import out
from lading.entrypoints.cli.scans import ReportOutput, Threshold, conclude, publish, weak_table
from lading.kernel.clock import SystemClock
from lading.kernel.errors import InvalidInput
from lading.kernel.severity import Severity
from lading.supply_chain.checks.files.documents import MOST_BYTES
from lading.supply_chain.scan.files import check_paths
from lading.supply_chain.scan.gate import Gate, judge
from lading.supply_chain.scan.ignoring import read_ignored
from lading.supply_chain.scan.opening import STANDARD_INPUT


class CheckOutput(StrEnum):
    """The forms a check can be written in."""

    TABLE = "table"
    JSON = "json"
    SARIF = "sarif"
    JUNIT = "junit"


class Kind(StrEnum):
    """What a file can be said to be."""

    DOCKERFILE = "dockerfile"
    COMPOSE = "compose"
    KUBERNETES = "kubernetes"


_MOST_PATHS: Final = 1_000


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(check)


def check(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH...", help="Files, or directories to look through; - for standard input."),
    ],
    kind: Annotated[
        Kind | None, typer.Option("--as", help="What the files are, where their names and contents do not tell.")
    ] = None,
    fail_on: Annotated[
        Threshold, typer.Option("--fail-on", help="Refuse weaknesses of this severity and above.")
    ] = Threshold.HIGH,
    fail_on_gaps: Annotated[
        bool, typer.Option("--fail-on-gaps/--no-fail-on-gaps", help="Refuse what could not be read.")
    ] = True,
    ignore_file: Annotated[
        Path | None, typer.Option("--ignore-file", help="TOML of accepted rules, each with reason and until.")
    ] = None,
    output: Annotated[CheckOutput, typer.Option("--output", "-o", help="Form of the result.")] = CheckOutput.TABLE,
    output_file: Annotated[Path | None, typer.Option("--output-file", help="File to write the result to.")] = None,
) -> None:
    """Say what is weak about Dockerfiles, Compose files and Kubernetes manifests. Needs no server and no network.

    Exit code 3 means that it does not pass: a weakness at or above the threshold, or a file that could not be checked.
    """
    if len(paths) > _MOST_PATHS:
        raise InvalidInput(f"More than {_MOST_PATHS} paths were given.", remedy="Name a directory.")
    if output_file and output is CheckOutput.TABLE:
        raise InvalidInput("A table is for people, not for a file.", remedy="Give --output json, sarif or junit.")
    now = SystemClock().now()
    given = sys.stdin.buffer.read(MOST_BYTES + 1) if STANDARD_INPUT in paths else None
    result = check_paths(
        [Path(path) for path in paths if path != STANDARD_INPUT],
        given=given,
        kind=kind.value if kind else None,
        ignored=read_ignored(ignore_file, now.date()) if ignore_file else (),
        now=now,
        version=version("lading"),
    )
    result = judge(result, Gate(fail_on=Severity.parse(fail_on), fail_on_gaps=fail_on_gaps))
    if output is CheckOutput.TABLE:
        weak_table(result)
        for accepted in result.accepted_weaknesses:
            out.print(
                f"{accepted.weakness.place}: {accepted.weakness.rule} {accepted.said}", soft_wrap=True, markup=False
            )
    else:
        publish(result, ReportOutput(output.value), output_file)
    conclude(result)
