"""The command: prepare, tell the story, say what to try next."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated

import typer

import lading
from lading import settings as settings_module
from lading.entrypoints.cli.demo.screen import Screen
from lading.kernel.errors import NotFound


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


def demo(
    data: Annotated[str | None, typer.Option("--data", help="Directory that holds everything Lading keeps.")] = None,
) -> None:
    """Tell the whole story: from source to a running, explained, patched container; then leave Lading running.

    Needs root on Debian the first time, to start a private Docker Engine when none answers. Remove everything with
    `lading down --purge`.
    """
    # The story knows much of Lading; every other command starts faster without it.
    from lading.entrypoints.cli.demo.story import Story

    settings = settings_module.load({"data": data})
    example = Path(lading.__file__).resolve().parents[2] / "examples" / "shop"
    if not example.is_dir():
        raise NotFound(
            f"The example application is not at {example}.", remedy="Run the demo from a clone of the project."
        )
    started = time.monotonic()
    screen = Screen()
    story = Story(settings, example, screen)
    story.tell()
    screen.ending(settings, os.path.relpath(story.working_copy), time.monotonic() - started)
