"""The bill as one page of text, as wide as the terminal; without colour where there is none."""

from __future__ import annotations

from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from lading.bill.bill import Bill, Line, Section

_STYLES: Final = {"ok": "green", "warn": "yellow", "bad": "red", "": ""}
_MARKS: Final = {"ok": "✓", "warn": "!", "bad": "✗", "": " "}
_WORDS: Final = {
    "critical": "bold red", "high": "red", "medium": "yellow", "approved": "green", "allowed": "green",
    "refused": "red", "running": "green", "healthy": "green", "open": "red", "holds": "green", "gone": "dim",
    "stopped": "dim",
}  # fmt: skip
_LABEL: Final = 24


def render_bill(bill: Bill, console: Console) -> None:
    """Print the bill."""
    console.rule(f"[bold]bill of lading[/]  {escape(bill.name)}", align="left")
    console.print(f"{escape(bill.subject)}   team {escape(bill.team or 'nobody')}   {bill.made[:19]}Z", style="dim")
    console.print()
    for line in bill.answers:
        _line(line, console)
    for section in bill.sections:
        _section(section, console)
    console.print()
    console.rule("[bold]History[/]", align="left")
    for event in bill.history:
        console.print(Text.assemble((f"{event.at[5:19]} {event.seq:>6}  ", "dim"), event.words), soft_wrap=False)


def _section(section: Section, console: Console) -> None:
    console.print()
    console.rule(f"[bold]{escape(section.title)}[/]", align="left")
    if section.unknown:
        console.print(Text(f"  not known: {section.unknown}", style="yellow"))
    for line in section.lines:
        _line(line, console)
    if section.rows:
        table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="dim")
        for number, column in enumerate(section.columns):
            table.add_column(column, overflow="fold", no_wrap=number == 0)
        for row in section.rows:
            table.add_row(*(Text(cell, style=_WORDS.get(cell, "")) for cell in row))
        console.print(table)
    if section.more:
        console.print(Text(f"  and {section.more} more", style="dim"))


def _line(line: Line, console: Console) -> None:
    mark = Text(f"{_MARKS.get(line.state, ' ')} ", style=_STYLES.get(line.state, ""))
    label = Text(f"{line.label:<{_LABEL}} ", style="bold" if line.label.endswith("?") else "dim")
    table = Table.grid(padding=0)
    table.add_column(width=2)
    table.add_column(width=_LABEL + 1)
    table.add_column(overflow="fold")
    table.add_row(mark, label, Text(line.value, style=_STYLES.get(line.state, "") if line.state == "bad" else ""))
    console.print(table)
