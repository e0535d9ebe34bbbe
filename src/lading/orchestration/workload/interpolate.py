"""Variables in Compose files: `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME:?message}`, `${NAME:+other}`, `$$`.

Source: Compose specification, "Interpolation". Values are interpolated after files are merged; keys never are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from lading.orchestration.errors import ComposeInvalid

_VARIABLE: Final = re.compile(
    r"\$(?:(?P<dollar>\$)|(?P<bare>[A-Za-z_][A-Za-z0-9_]*)"
    r"|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?:(?P<kind>:?[-?+])(?P<word>[^{}]*))?\}|(?P<wrong>))"
)


def interpolated(value: Any, variables: Mapping[str, str], where: str = "") -> Any:
    """The same document with every text value interpolated.

    Raises:
        ComposeInvalid: a variable is malformed, or a required one has no value; names the place.
    """
    if isinstance(value, str):
        return _VARIABLE.sub(lambda match: _value(match, variables, where), value)
    if isinstance(value, dict):
        return {key: interpolated(item, variables, f"{where}.{key}".lstrip(".")) for key, item in value.items()}
    if isinstance(value, list):
        return [interpolated(item, variables, f"{where}[{number}]") for number, item in enumerate(value)]
    return value


def _value(match: re.Match[str], variables: Mapping[str, str], where: str) -> str:
    if match["dollar"]:
        return "$"
    if match["wrong"] is not None:
        raise ComposeInvalid(f"{where}: a $ stands before no variable.", remedy="Write $$ for a dollar sign.")
    name = match["bare"] or match["name"]
    found = variables.get(name)
    kind, word = match["kind"] or "", match["word"] or ""
    has_value = bool(found) if kind.startswith(":") else found is not None
    if kind.endswith("-"):
        return found if has_value and found is not None else word
    if kind.endswith("+"):
        return word if has_value else ""
    if kind.endswith("?") and not has_value:
        raise ComposeInvalid(f"{where}: {name} has no value: {word or 'it is required'}.", remedy=f"Set {name}.")
    return found or ""
