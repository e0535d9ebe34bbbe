"""The analysis as text."""

from __future__ import annotations

from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from lading.strategy.analyse.coverage import Report, Row

_STYLES: Final = {"covered": "green", "partial": "yellow", "gap": "red"}
_MARKS: Final = {"covered": "●", "partial": "◐", "gap": "○"}


def render_report(report: Report, console: Console) -> None:
    """Print the analysis: a picture, the rows of each area, tools and duplicates."""
    counts = ", ".join(f"{report.count(name)} {name}" for name in _STYLES)
    console.print(f"[bold]{len(report.rows)} capabilities[/]: {counts}")
    area = ""
    table = Table()
    for row in report.rows:
        if row.area != area:
            if area:
                console.print(table)
            area = row.area
            table = Table(box=SIMPLE_HEAD, pad_edge=False, title=escape(area), title_justify="left", header_style="dim")
            for name in ("", "id", "capability", "evidence seen", "gap"):
                table.add_column(name, overflow="fold")
        mark = Text(_MARKS[row.coverage], style=_STYLES[row.coverage])
        table.add_row(mark, row.id, Text(row.title), Text(_evidence(row), style="dim"), Text(row.note))
    console.print(table)
    for tool in report.tools:
        console.print(Text(f"tool  {tool.role:<10} {tool.name} {tool.version}", style="dim"))
    for duplicate in report.duplicates:
        console.print(Text(f"duplicate: {', '.join(duplicate.tools)} all act as {duplicate.role}", style="yellow"))
    for waste in report.waste:
        seconds = f", {waste.seconds:.0f} s" if waste.seconds else ""
        console.print(
            Text(f"waste: {waste.tool} reported the same way again {waste.times} times{seconds}", style="yellow")
        )


def _evidence(row: Row) -> str:
    if not row.evidence:
        return "nothing seen"
    last = max(row.evidence, key=lambda item: item.seq)
    times = sum(item.times for item in row.evidence)
    return f"{times} facts, last #{last.seq} {last.kind}"
