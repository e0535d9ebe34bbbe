"""Options that many commands share, declared once."""

from __future__ import annotations

from typing import Annotated

import typer

from lading.entrypoints.cli.output import Output

OutputOption = Annotated[Output, typer.Option("--output", "-o", help="Form of the result.")]
TeamOption = Annotated[str, typer.Option("--team", "-t", help="Team that owns it.")]
LimitOption = Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="Most rows.")]
SinceOption = Annotated[
    str, typer.Option("--since", help="Only what is younger: 30s, 15m, 6h, 2d or a moment (RFC 3339).")
]
WhyOption = Annotated[str, typer.Option("--why", help="Reason, kept in the ledger.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
