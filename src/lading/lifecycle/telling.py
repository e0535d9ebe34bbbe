"""How a story tells what it does while it does it: steps, and sentences within them."""

from __future__ import annotations

from typing import Protocol


class Telling(Protocol):
    """Somebody who listens to a story."""

    def step(self, name: str) -> None:
        """A new step begins."""
        ...

    def say(self, text: str, level: str = "info") -> None:
        """Something happened in it; `level` is `info`, `detail`, `warning`, `error` or `done`."""
        ...


class Untold:
    """Nobody listens."""

    def step(self, name: str) -> None:
        del name

    def say(self, text: str, level: str = "info") -> None:
        del text, level
