"""What the demo shows: numbered steps, a few telling lines of each, and how long it took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rich.markup import escape

from lading.entrypoints.cli.output import out
from lading.settings import Settings

_MARKS: Final = {"done": "[green]✓[/]", "warning": "[yellow]![/]", "error": "[red]✗[/]", "detail": "[dim]·[/]"}


class Screen:
    """Prints the story."""

    def __init__(self) -> None:
        self._number = 0

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """A numbered step; its time is printed when it ends."""
        self._number += 1
        out.print(f"\n[bold]{self._number:>2}. {escape(title)}[/]")
        started = time.monotonic()
        yield
        out.print(f"    [dim]{time.monotonic() - started:.1f} s[/]")

    def say(self, text: str, level: str = "info") -> None:
        """One line of a step."""
        style = "[dim]" if level == "detail" else ""
        out.print(f"    {_MARKS.get(level, '·')} {style}{escape(text)}{'[/]' if style else ''}", soft_wrap=True)

    def ending(self, settings: Settings, working_copy: str, seconds: float) -> None:
        """Where everything is now, and what to try."""
        out.print(f"\n[bold green]Done[/] in {seconds:.0f} s. Lading goes on running.")
        out.print(
            f"  console   [bold]{settings.api_url}[/]   (log in with the token in {settings.data}/demo/admin-token)"
        )
        out.print("  the shop  http://127.0.0.1:8000")
        out.print("\nTry (the command is .venv/bin/lading; you are logged in):")
        for command, meaning in (
            ("lading bill shop/web", "everything about the running container, on one page"),
            ("lading where gunicorn", "which images and containers have a package"),
            (f"lading ship {working_copy}", "change something there first"),
            ("lading incident ls", "what happened that must not"),
            ("lading logs shop/web", "also of containers that are gone"),
            ("lading policy ls", "the rules in force"),
            ("lading ledger verify", "nobody changed the record"),
        ):
            out.print(f"  {command:<34} [dim]{meaning}[/]", soft_wrap=True)
        out.print("\nRemove everything with [bold]make demo-down[/].")
