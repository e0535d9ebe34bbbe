"""What the command line prints: tables for people, JSON for programs, errors for both.

Colour only on a terminal and never when NO_COLOR is set; Rich takes care of both. Standard output
carries results, standard error carries progress and errors.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any, Final

import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lading.kernel.errors import LadingError

out: Final = Console(highlight=False, soft_wrap=True)
err: Final = Console(stderr=True, highlight=False)

_STYLES: Final = {
    "approved": "green", "running": "green", "healthy": "green", "succeeded": "green", "deployed": "green",
    "ok": "green", "covered": "green",
    "quarantined": "yellow", "warn": "yellow", "medium": "yellow", "starting": "yellow", "partial": "yellow",
    "revoked": "red", "critical": "bold red", "high": "red", "failed": "red", "fail": "red", "open": "red",
    "unhealthy": "red", "refused": "red", "gap": "red", "rolled-back": "yellow",
}  # fmt: skip


class Output(StrEnum):
    """The forms a result can be printed in."""

    TABLE = "table"
    JSON = "json"


def print_json(value: Any) -> None:
    """One JSON document on standard output, indented."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def print_rows(rows: Sequence[dict[str, Any]], columns: Iterable[str], output: Output, empty: str) -> None:
    """Rows as a table with `columns`, or all their fields as JSON. `empty` is said instead of an empty table."""
    if output is Output.JSON:
        print_json(list(rows))
        return
    if not rows:
        err.print(empty)
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    names = list(columns)
    for name in names:
        numeric = all(isinstance(row.get(name), int | float) for row in rows)
        table.add_column(name.replace("_", " ").upper(), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row.get(name)) for name in names))
    # A pipe has no width: wide enough that no value is folded in the middle.
    (out if out.is_terminal else Console(width=400, highlight=False)).print(table)


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.2f}"
    if isinstance(value, list | tuple):
        return escape(", ".join(map(str, value)))
    text = escape(str(value))
    style = _STYLES.get(text)
    return f"[{style}]{text}[/]" if style else text


def print_error(error: LadingError) -> None:
    """What happened, the details, and what to do next, on standard error."""
    err.print(f"[bold red]error:[/] {escape(error.what)}", soft_wrap=True)
    for detail in error.details:
        err.print(f"  {escape(detail)}", style="dim", soft_wrap=True)
    if error.remedy:
        err.print(f"[bold]next:[/]  {escape(error.remedy)}", soft_wrap=True)
