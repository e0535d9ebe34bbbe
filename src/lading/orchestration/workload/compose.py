"""Read Compose files: load, merge, interpolate, check against the public schema, and hand over to `services`.

Keys that Lading cannot carry out are refused by name, never dropped silently. Source: the Compose specification; its
JSON schema comes with check-jsonschema.
"""

from __future__ import annotations

import difflib
import importlib.resources
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import jsonschema
import yaml

from lading.orchestration.errors import ComposeInvalid
from lading.orchestration.workload.interpolate import interpolated
from lading.orchestration.workload.services import read_service
from lading.orchestration.workload.spec import Application, WorkloadSpec

MOST_BYTES: Final = 1 << 20
MOST_ALIASES: Final = 200
MOST_DEPTH: Final = 40
FILE_NAMES: Final = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_TOP_KEYS: Final = frozenset({"name", "version", "services", "volumes", "networks", "x-lading"})


def find_compose_file(directory: Path) -> Path | None:
    """The Compose file of a directory, by the usual names."""
    return next((directory / name for name in FILE_NAMES if (directory / name).is_file()), None)


def load_application(
    files: Sequence[Path], *, variables: Mapping[str, str], default_name: str, default_environment: str, team: str = ""
) -> Application:
    """Read one application from Compose files; later ones override earlier ones.

    Args:
        variables: values for interpolation; the process environment is never read.
        default_name: the application's name when no file gives one.
        default_environment: `production` or `development`, when `x-lading` doesn't say.
        team: wins over the one in `x-lading`.

    Raises:
        ComposeInvalid: names the file, the key and what would be right.
    """
    merged: dict[str, Any] = {}
    for file in files:
        merged = _merge(merged, _read(file))
    shown = files[-1].name
    document = interpolated(merged, variables)
    _check_schema(document, shown)
    _check_keys(document, shown)
    name = str(document.get("name") or _as_name(default_name))
    if _NAME.fullmatch(name) is None:
        raise ComposeInvalid(f"{shown}: {name!r} is not an application name.", remedy="Use a-z, 0-9, _ and -.")
    own = document.get("x-lading") or {}
    environment = str(own.get("environment") or default_environment)
    if environment not in ("production", "development"):
        raise ComposeInvalid(f"{shown}: environment is {environment!r}.", remedy="Write production or development.")
    owner = team or str(own.get("team") or "")
    services = document.get("services") or {}
    if not services:
        raise ComposeInvalid(f"{shown}: there are no services.", remedy="Declare at least one under services.")
    declared = tuple(sorted(document.get("volumes") or {}))
    networks, internal = _networks(document, shown)
    workloads = [
        read_service(name, owner, service, body, declared, networks, files[-1].parent, shown)
        for service, body in services.items()
    ]
    return Application(
        name=name,
        team=owner,
        environment=environment,
        workloads=_in_start_order(workloads, shown),
        volumes=declared,
        networks=networks,
        internal_networks=internal,
    )


class _BoundedLoader(yaml.SafeLoader):
    """Safe YAML without the two ways to make a small file huge: many aliases and deep nesting."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._aliases = 0
        self._depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.events.AliasEvent):
            self._aliases += 1
            if self._aliases > MOST_ALIASES:
                raise yaml.YAMLError(f"more than {MOST_ALIASES} aliases")
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise yaml.YAMLError(f"nested deeper than {MOST_DEPTH} levels")
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


def _read(file: Path) -> dict[str, Any]:
    try:
        text = file.read_text(encoding="utf-8")
        if len(text) > MOST_BYTES:
            raise ComposeInvalid(f"{file.name} is larger than 1 MiB.")
        document = yaml.load(text, _BoundedLoader)  # noqa: S506 - a SafeLoader with bounds
    except (OSError, UnicodeDecodeError) as error:
        raise ComposeInvalid(f"{file} cannot be read: {error}.") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        where = getattr(error, "problem_mark", None)
        place = f":{where.line + 1}" if where is not None else ""
        raise ComposeInvalid(f"{file.name}{place}: {getattr(error, 'problem', None) or error}.") from error
    if not isinstance(document, dict):
        raise ComposeInvalid(f"{file.name} is not a map of keys.", remedy="Begin it with services:")
    for key in ("include", "configs", "secrets"):
        if key in document:
            raise ComposeInvalid(f"{file.name}: {key} is not supported.", remedy=_INSTEAD[key])
    return document


_INSTEAD: Final = {
    "include": "Give the files together instead.",
    "configs": "Put configuration into the image or a volume.",
    "secrets": "Pass a file in a volume, or an environment variable.",
}


def _merge(base: Any, over: Any) -> Any:
    """Maps merge by key, lists are added to, everything else is replaced (Compose specification, "Merge")."""
    if isinstance(base, dict) and isinstance(over, dict):
        merged = dict(base)
        for key, value in over.items():
            replaces = key in ("command", "entrypoint", "test")
            merged[key] = _merge(base[key], value) if key in base and not replaces else value
        return merged
    if isinstance(base, list) and isinstance(over, list):
        return base + [item for item in over if item not in base]
    return over


@cache
def _validator() -> jsonschema.Draft7Validator:
    text = (
        importlib.resources.files("check_jsonschema").joinpath("builtin_schemas/vendor/compose-spec.json").read_text()
    )
    return jsonschema.Draft7Validator(json.loads(text))


def _check_schema(document: dict[str, Any], shown: str) -> None:
    found = jsonschema.exceptions.best_match(_validator().iter_errors(_plain(document)))
    if found is None:
        return
    place = ".".join(str(part) for part in found.absolute_path) or "the top"
    raise ComposeInvalid(f"{shown}: {place}: {found.message[:300]}.", remedy=_suggestion(found))


def _plain(value: Any) -> Any:
    """The document as JSON has it: YAML's dates and keys that are no texts become texts."""
    return json.loads(json.dumps(value, default=str))


def _suggestion(error: jsonschema.ValidationError) -> str:
    if error.validator != "additionalProperties" or not isinstance(error.instance, dict):
        return "See the Compose specification for what belongs there."
    known = list(error.schema.get("properties", {})) if isinstance(error.schema, dict) else []
    for key in error.instance:
        if key not in known and (close := difflib.get_close_matches(str(key), known, 1)):
            return f"Did you mean {close[0]!r} instead of {key!r}?"
    return f"Known keys are: {', '.join(sorted(known))}."


def _check_keys(document: dict[str, Any], shown: str) -> None:
    for key in document:
        if key not in _TOP_KEYS and not str(key).startswith("x-"):
            raise ComposeInvalid(f"{shown}: {key} is not supported.", remedy="Remove it.")


def _networks(document: dict[str, Any], shown: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    declared = document.get("networks") or {}
    internal = []
    for name, body in declared.items():
        for key in body or {}:
            if key == "internal":
                if body[key]:
                    internal.append(name)
            elif key != "driver" or body[key] != "bridge":
                raise ComposeInvalid(f"{shown}: networks.{name}.{key} is not supported.", remedy="Remove it.")
    return tuple(sorted({"default", *declared})), tuple(sorted(internal))


def _as_name(text: str) -> str:
    return re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-_") or "application"


def _in_start_order(workloads: list[WorkloadSpec], shown: str) -> tuple[WorkloadSpec, ...]:
    by_service = {item.service: item for item in workloads}
    ordered: dict[str, WorkloadSpec] = {}

    def visit(service: str, path: tuple[str, ...]) -> None:
        if service in path:
            raise ComposeInvalid(
                f"{shown}: services depend on each other in a circle: {' -> '.join((*path, service))}."
            )
        if service in ordered:
            return
        if service not in by_service:
            raise ComposeInvalid(f"{shown}: {path[-1]} depends on {service}, which is no service.")
        for dependency in by_service[service].depends_on:
            visit(dependency, (*path, service))
        ordered[service] = by_service[service]

    for service in sorted(by_service):
        visit(service, ())
    return tuple(ordered.values())
