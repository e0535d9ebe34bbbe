"""Secrets in what an image tells an engine and everybody else: variables, commands, labels, and how it was built.

A build argument stays in the history of the image, and a variable in its configuration, for whoever can read them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from lading.supply_chain.checks.secrets.rules import IN_VARIABLE
from lading.supply_chain.secrets.forms.assigned import ASSIGNED, set_by_name
from lading.supply_chain.secrets.searching import Search

_PAIR: Final = re.compile(
    r"(?<![0-9A-Za-z_])([A-Za-z_][0-9A-Za-z_]{0,200})=(\"[^\"]{0,2000}\"|'[^']{0,2000}'|[^\s\"']{1,2000})"
)
_MOST: Final = 10_000
_MOST_NAME: Final = 200
_MOST_TEXT: Final = 1 << 16
Place = tuple[str, str]


def secrets_of(configuration: dict[str, Any]) -> Iterator[Place]:
    """The rule and the place, in words, of every secret in an image's configuration, each once."""
    reading = _Reading()
    settings = configuration.get("config")
    settings = settings if isinstance(settings, dict) else {}
    for variable in _words(settings.get("Env")):
        name, _, value = variable.partition("=")
        reading.variable(name, value, "its environment")
    for place, text in _texts(settings):
        reading.text(text, place)
    history = configuration.get("history")
    for number, step in enumerate(history[:_MOST] if isinstance(history, list) else (), 1):
        for field in ("created_by", "comment", "author") if isinstance(step, dict) else ():
            reading.text(str(step.get(field) or ""), f"step {number} of its history")
    yield from reading.found


class _Reading:
    """What was found so far. A variable that was told is not told again where the history repeats its value."""

    def __init__(self) -> None:
        self.found: dict[Place, None] = {}
        self._known: set[tuple[str, str]] = set()
        self._search = Search()

    def variable(self, name: str, value: str, place: str) -> bool:
        """Look at a variable; whether it holds a secret."""
        if (name, value) in self._known:
            return True
        kinds = self._kinds(f"{name}={value}")
        by_name = set_by_name(name.encode("utf-8", "replace"), value.strip("\"'").encode("utf-8", "replace"))
        if by_name and kinds in ((), (ASSIGNED,)):
            kinds = (IN_VARIABLE.id,)
        for kind in kinds:
            self.found[kind, f"the variable {name[:_MOST_NAME]} in {place}"] = None
        if kinds:
            self._known.add((name, value))
        return bool(kinds)

    def text(self, text: str, place: str) -> None:
        """Look at a text: its variables, and what is left when those that were told are taken out."""
        for match in _PAIR.finditer(text[:_MOST_TEXT]):
            if self.variable(match[1], match[2].strip("\"'"), place):
                text = text.replace(match[2], "")
        for kind in self._kinds(text):
            self.found[kind, place] = None

    def _kinds(self, text: str) -> tuple[str, ...]:
        file = self._search.file("")
        file.feed(text.encode("utf-8", "replace"))
        return tuple(found.kind for found in file.finish())


def _texts(settings: dict[str, Any]) -> Iterator[Place]:
    """Every other text of the settings that somebody wrote, after its place."""
    labels = settings.get("Labels")
    for key, value in list(labels.items())[:_MOST] if isinstance(labels, dict) else ():
        yield f"the label {str(key)[:_MOST_NAME]}", f"{key}={value}"
    health = settings.get("Healthcheck")
    commands = {
        "its entrypoint": settings.get("Entrypoint"),
        "its command": settings.get("Cmd"),
        "its health check": health.get("Test") if isinstance(health, dict) else None,
        "its triggers for builds upon it": settings.get("OnBuild"),
        "its shell": settings.get("Shell"),
    }
    for place, words in commands.items():
        yield place, " ".join(_words(words))


def _words(value: Any) -> list[str]:
    return [str(one) for one in value[:_MOST]] if isinstance(value, list) else [str(value)] if value else []
