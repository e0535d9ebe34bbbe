"""Read Compose files: load, merge, interpolate, check against the public schema, and hand over to `services`.

Keys that Lading cannot carry out are refused by name, or reported when they change nothing about what runs; none is
dropped silently. Source: the Compose specification; its JSON schema comes with check-jsonschema.
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

from lading.orchestration.workload.interpolate import interpolated
from lading.orchestration.workload.merging import merged
from lading.orchestration.workload.place import Place
from lading.orchestration.workload.services import Surroundings, read_service
from lading.orchestration.workload.spec import Application, WorkloadSpec
from lading.orchestration.workload.yaml_file import read_yaml

FILE_NAMES: Final = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
_ENVIRONMENTS: Final = ("production", "development")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_TOP_KEYS: Final = ("name", "version", "services", "volumes", "networks")
_OWN_KEYS: Final = ("team", "environment")
_MOST_SERVICES: Final = 200
_INSTEAD: Final = {
    "include": "Give the files together instead.",
    "configs": "Put configuration into the image or a volume.",
    "secrets": "Pass a file in a volume, or an environment variable.",
}


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
        ComposeInvalid: names the file, the line, the key and what would be right.
    """
    read = [read_yaml(file) for file in files]
    document: dict[str, Any] = {}
    for item in read:
        document = merged(document, item.document)
    place = Place(read)
    document = interpolated(document, variables)
    _check_keys(document, place)
    _check_schema(document, place)
    name = str(document.get("name") or _as_name(default_name))
    if _NAME.fullmatch(name) is None:
        raise place.wrong("name", f"is {name!r}, which is no application name", "Use a-z, 0-9, _ and -.")
    owner, environment = _own(document.get("x-lading") or {}, place.below("x-lading"))
    volumes, (networks, internal) = _volumes(document, place), _networks(document, place)
    around = Surroundings(name, team or owner, volumes, networks, files[-1].parent, variables)
    workloads: list[WorkloadSpec] = []
    reported: list[str] = []
    for service, body in document["services"].items():
        workload, notes = read_service(service, body or {}, around, place.below("services").key(service))
        workloads.append(workload)
        reported += notes
    _check_ports(workloads, place)
    return Application(
        name=name,
        team=team or owner,
        environment=environment or default_environment,
        workloads=_in_start_order(workloads, place),
        volumes=volumes,
        networks=networks,
        internal_networks=internal,
        not_carried_out=tuple(reported),
    )


@cache
def _schema() -> dict[str, Any]:
    text = (
        importlib.resources.files("check_jsonschema").joinpath("builtin_schemas/vendor/compose-spec.json").read_text()
    )
    schema: dict[str, Any] = json.loads(text)
    return schema


@cache
def _validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(_schema())


def _check_keys(document: dict[str, Any], place: Place) -> None:
    for key in document:
        if key not in _TOP_KEYS and not key.startswith("x-"):
            close = difflib.get_close_matches(key, _TOP_KEYS, 1)
            remedy = f"Did you mean {close[0]!r}?" if close else "Remove it."
            raise place.wrong(key, "is not supported", _INSTEAD.get(key, remedy))
    services = document.get("services")
    if not services or not isinstance(services, dict):
        raise place.wrong("", "has no services", "Declare at least one under services.")
    if len(services) > _MOST_SERVICES:
        raise place.wrong("services", f"has more than {_MOST_SERVICES}", "Split the application.")


def _check_schema(document: dict[str, Any], place: Place) -> None:
    found = jsonschema.exceptions.best_match(_validator().iter_errors(document))
    if found is None:
        return
    where, path = place, tuple(found.absolute_path)
    for part in path:
        where = where.below(part) if isinstance(part, int) else where.key(str(part))
    what = f"is not what the Compose specification has there: {found.message[:300]}"
    unknown = _unknown_key(found)
    if unknown:
        raise where.key(unknown).wrong("", "is unknown to the Compose specification", _suggestion(found, unknown))
    raise where.wrong("", what, "See the Compose specification for what belongs there.")


def _unknown_key(error: jsonschema.ValidationError) -> str:
    if error.validator not in ("additionalProperties", "unevaluatedProperties") or not isinstance(error.instance, dict):
        return ""
    quoted = re.findall(r"'([^']+)'", error.message)
    return next((name for name in quoted if name in error.instance), "")


def _suggestion(error: jsonschema.ValidationError, unknown: str) -> str:
    known = _known_keys(error.schema)
    close = difflib.get_close_matches(unknown, known, 1)
    return f"Did you mean {close[0]!r}?" if close else "Remove it, or begin its name with x- to keep it as a note."


def _known_keys(schema: Any) -> list[str]:
    """The properties of a schema and of those it refers to, one level deep."""
    if not isinstance(schema, dict):
        return []
    found = list(schema.get("properties", {}))
    for part in (*schema.get("allOf", ()), *([schema] if "$ref" in schema else [])):
        if "$ref" in part:
            name = str(part["$ref"]).rpartition("/")[2]
            found += list(_schema().get("$defs", {}).get(name, {}).get("properties", {}))
    return found


def _own(said: dict[str, Any], place: Place) -> tuple[str, str]:
    if not isinstance(said, dict):
        raise place.wrong("", "is not a map", "Write x-lading: {team: NAME}.")
    for key in said:
        if key not in _OWN_KEYS:
            raise place.wrong(key, "is unknown", f"Keys are {' and '.join(_OWN_KEYS)}.")
    environment = str(said.get("environment") or "")
    if environment not in ("", *_ENVIRONMENTS):
        raise place.wrong("environment", f"is {environment!r}", f"Write {' or '.join(_ENVIRONMENTS)}.")
    return str(said.get("team") or ""), environment


def _volumes(document: dict[str, Any], place: Place) -> tuple[str, ...]:
    declared = document.get("volumes") or {}
    for name, body in declared.items():
        for key, value in (body or {}).items():
            if (key, value) != ("driver", "local"):
                raise place.below("volumes").key(name).wrong(key, "is not supported", "Remove it.")
    return tuple(sorted(declared))


def _networks(document: dict[str, Any], place: Place) -> tuple[tuple[str, ...], tuple[str, ...]]:
    declared = document.get("networks") or {}
    internal = []
    for name, body in declared.items():
        for key, value in (body or {}).items():
            if key == "internal" and isinstance(value, bool):
                internal += [name] if value else []
            elif (key, value) != ("driver", "bridge"):
                raise place.below("networks").key(name).wrong(key, "is not supported", "Remove it.")
    return tuple(sorted({"default", *declared})), tuple(sorted(internal))


def _check_ports(workloads: Sequence[WorkloadSpec], place: Place) -> None:
    taken: dict[tuple[str, int, str], str] = {}
    for spec in workloads:
        for port in spec.ports:
            key = (port.host_address, port.host_port, port.protocol)
            if key in taken:
                where = place.below("services").key(spec.service)
                raise where.wrong("ports", f"publishes {port.host_port} like {taken[key]}", "Choose another port.")
            taken[key] = spec.service


def _as_name(text: str) -> str:
    return re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-_")[:63] or "application"


def _in_start_order(workloads: Sequence[WorkloadSpec], place: Place) -> tuple[WorkloadSpec, ...]:
    by_service = {item.service: item for item in workloads}
    ordered: dict[str, WorkloadSpec] = {}

    def visit(service: str, path: tuple[str, ...]) -> None:
        if service in ordered:
            return
        where = place.below("services").key(path[-1] if path else service)
        if service in path:
            raise where.wrong("depends_on", f"goes in a circle: {' -> '.join((*path, service))}", "Break it.")
        if service not in by_service:
            raise where.wrong("depends_on", f"names {service}, which is no service", "Declare it, or remove it.")
        for dependency in by_service[service].depends_on:
            visit(dependency, (*path, service))
        ordered[service] = by_service[service]

    for service in sorted(by_service):
        visit(service, ())
    return tuple(ordered.values())
