"""`lading strategy`: which capability is covered by what, on live evidence."""

from __future__ import annotations

import msgspec
import typer

from lading.entrypoints.cli.client import ApiClient
from lading.entrypoints.cli.options import OutputOption
from lading.entrypoints.cli.output import Output, out, print_json
from lading.strategy.analyse.coverage import Report
from lading.strategy.analyse.render_text import render_report


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(strategy)


def strategy(output: OutputOption = Output.TABLE) -> None:
    """Show which capabilities are covered, by what, with the evidence seen, and the gaps."""
    document = ApiClient().get("/api/v1/strategy")
    if output is Output.JSON:
        print_json(document)
        return
    render_report(msgspec.convert(document, Report), out)
