"""Which topic has which command. A topic is imported when one of its commands is wanted: most runs want just one."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from functools import cache
from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperGroup

TOPICS: Final[dict[str, tuple[str, ...]]] = {
    "server": ("up", "down", "status", "doctor"),
    "demo": ("demo",),
    "ships": ("ship", "jobs"),
    "scans": ("scan",),
    "checks": ("check",),
    "diffs": ("diff",),
    "verifying": ("verify",),
    "signing": ("sign",),
    "reports": ("report",),
    "deploys": ("ps", "remove"),
    "bills": ("bill",),
    "findings": ("findings",),
    "images": ("image",),
    "bases": ("base",),
    "knowledge": ("where", "patch", "advisories"),
    "policies": ("policy",),
    "incidents": ("incident",),
    "telemetry": ("logs", "metrics"),
    "strategies": ("strategy",),
    "ledgers": ("ledger",),
    "keys": ("key",),
    "identities": ("login", "logout", "whoami", "team", "robot", "person", "token"),
    "repositories": ("repository",),
    "backups": ("backup",),
    "registries": ("registry",),
}
_TOPIC_OF: Final = {name: topic for topic, names in TOPICS.items() for name in names}


@cache
def commands_of(topic: str) -> dict[str, Any]:
    """The commands that the module of a topic registers, by name; imports it."""
    app = typer.Typer(rich_markup_mode="markdown", context_settings={"help_option_names": ["-h", "--help"]})
    import_module(f"lading.entrypoints.cli.{topic}").register(app)
    return dict(typer.main.get_group(app).commands)


class OnDemand(MutableMapping[str, Any]):
    """All commands by name; looking one up imports its topic, looking at the names imports none."""

    def __getitem__(self, name: str) -> Any:
        return commands_of(_TOPIC_OF[name])[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_TOPIC_OF)

    def __len__(self) -> int:
        return len(_TOPIC_OF)

    def __contains__(self, name: object) -> bool:
        return name in _TOPIC_OF

    def __setitem__(self, name: str, command: Any) -> None:
        raise TypeError(f"Commands are in TOPICS; {name} is not added here.")

    def __delitem__(self, name: str) -> None:
        raise TypeError(f"Commands are in TOPICS; {name} stays there.")


class Commands(TyperGroup):
    """The group of all commands."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = OnDemand()
