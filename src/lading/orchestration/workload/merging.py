"""Merge Compose files: the later one wins, key by key (Compose specification, "Merge")."""

from __future__ import annotations

from typing import Any, Final

# Keys that may be written as a list or as a map; as maps, two files merge entry by entry.
_PAIRS: Final = frozenset({"environment", "labels", "args", "extra_hosts"})
_NAMES: Final = frozenset({"networks", "depends_on"})
_REPLACED: Final = frozenset({"command", "entrypoint", "test"})


def merged(base: Any, over: Any, key: str = "") -> Any:
    """`base` with `over` on top: maps merge by key, lists are added to, commands and single values are replaced."""
    if key in _REPLACED or over is None:
        return over if over is not None else base
    base, over = _as_map(base, over, key), _as_map(over, base, key)
    if isinstance(base, dict) and isinstance(over, dict):
        return base | {name: merged(base[name], value, name) if name in base else value for name, value in over.items()}
    if isinstance(base, list) and isinstance(over, list):
        if key == "volumes":
            taken = {_target(item) for item in over}
            base = [item for item in base if _target(item) not in taken]
        return base + [item for item in over if item not in base]
    return over


def _as_map(value: Any, other: Any, key: str) -> Any:
    """A list of such a key as a map, when the other side is something to merge it with."""
    if not isinstance(value, list) or not isinstance(other, list | dict):
        return value
    if key in _PAIRS:
        return {name: text if equals else None for name, equals, text in (_pair(item) for item in value)}
    if key in _NAMES and isinstance(other, dict):
        return {str(name): {"condition": "service_started"} if key == "depends_on" else None for name in value}
    return value


def _pair(item: Any) -> tuple[str, str, str]:
    text = str(item)
    return text.partition("=") if "=" in text else text.partition(":")


def _target(volume: Any) -> str:
    if isinstance(volume, dict):
        return str(volume.get("target"))
    parts = str(volume).split(":")
    return parts[1] if len(parts) > 1 else parts[0]
