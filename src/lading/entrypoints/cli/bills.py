"""`lading bill`: everything that is known about one image, workload or container, on one page."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from lading.bill.bill import Bill
from lading.bill.render_text import render_bill
from lading.entrypoints.cli.client import ApiClient
from lading.entrypoints.cli.options import OutputOption
from lading.entrypoints.cli.output import Output, out, print_json


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(bill)


def bill(
    subject: Annotated[str, typer.Argument(help="shop/web, a container's name or id, an image reference or digest.")],
    output: OutputOption = Output.TABLE,
) -> None:
    """Say what it is, where it comes from, who owns it, whether it is allowed, what it does and what must change."""
    document = ApiClient().get(f"/api/v1/bill/{subject}")
    if output is Output.JSON:
        print_json(document)
        return
    render_bill(msgspec.convert(document, Bill), out)
