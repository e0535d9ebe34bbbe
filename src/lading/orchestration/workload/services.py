"""One service of a Compose file as a workload, hardened by default, each relaxation named."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Final

from lading.orchestration.errors import ComposeInvalid
from lading.orchestration.workload.place import Place
from lading.orchestration.workload.quantities import read_bytes, read_decimal, read_flag, read_number, read_seconds
from lading.orchestration.workload.reach import read_mounts, read_networks, read_ports
from lading.orchestration.workload.spec import DEFAULT_MEMORY, DEFAULT_PIDS, BuildSource, Health, WorkloadSpec

_HONOURED: Final = frozenset({
    "build", "cap_add", "cap_drop", "command", "cpus", "depends_on", "deploy", "entrypoint", "environment", "env_file",
    "expose", "extra_hosts", "healthcheck", "hostname", "image", "init", "labels", "mem_limit", "network_mode",
    "networks", "pid", "pids_limit", "ports", "privileged", "read_only", "restart", "scale", "security_opt",
    "stop_grace_period", "stop_signal", "tmpfs", "user", "volumes", "working_dir",
})  # fmt: skip
# Keys that change nothing about what runs: they are reported, not carried out.
_REPORTED: Final = {
    "container_name": "containers are named after application, service and specification",
    "logging": "logs are taken by Lading",
    "pull_policy": "images are pulled by digest, once",
}
_ROOT: Final = re.compile(r"root|0+")
_RESTART: Final = re.compile(r"no|always|unless-stopped|on-failure(:[0-9]{1,4})?")
_SERVICE: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}")
_CAPABILITY: Final = re.compile(r"[A-Z_]{2,40}")
_CONDITIONS: Final = ("service_started", "service_healthy")
_TESTS: Final = ("NONE", "CMD", "CMD-SHELL")
_MOST_REPLICAS: Final = 100
_MOST_ENV_BYTES: Final = 1 << 20


class Surroundings:
    """What a service may refer to: its application, declared volumes and networks, files and variables."""

    def __init__(
        self, application: str, team: str, volumes: Sequence[str], networks: Sequence[str], directory: Path,
        variables: Mapping[str, str],
    ) -> None:  # fmt: skip
        self.application = application
        self.team = team
        self.volumes = tuple(volumes)
        self.networks = tuple(networks)
        self.directory = directory
        self.variables = variables


def read_service(
    service: str, body: Mapping[str, Any], around: Surroundings, place: Place
) -> tuple[WorkloadSpec, tuple[str, ...]]:
    """The workload that a service describes, and what of it is known but not carried out, in words.

    Raises:
        ComposeInvalid: names the file, line and key, and what would be right.
    """
    reader = _Reader(service, body, around, place)
    return reader.read(), tuple(reader.reported)


class _Reader:
    def __init__(self, service: str, body: Mapping[str, Any], around: Surroundings, place: Place) -> None:
        self._service, self._body, self._around, self._place = service, body, around, place
        self._relaxed: list[str] = []
        self.reported: list[str] = []

    def read(self) -> WorkloadSpec:
        self._check_keys()
        body, place = self._body, self._place
        deploy, limits = self._deploy()
        mounts = read_mounts(body, self._around.volumes, place)
        security = self._security()
        self._relaxed += [f"host path: {mount.source}" for mount in mounts if mount.kind == "bind"]
        spec = WorkloadSpec(
            application=self._around.application,
            service=self._service,
            team=self._around.team,
            image=str(body.get("image") or ""),
            build=self._build(),
            command=self._command("command"),
            entrypoint=self._command("entrypoint"),
            environment=self._environment(),
            working_dir=str(body.get("working_dir") or ""),
            memory=self._memory(limits),
            cpus=read_decimal(limits.get("cpus", body.get("cpus")), 0.0, str(place.below("cpus"))),
            pids=self._pids(limits),
            mounts=mounts,
            ports=read_ports(body.get("ports") or (), place),
            networks=read_networks(body, self._around.networks, place),
            health=self._health(),
            replicas=self._number("scale", deploy.get("replicas", body.get("scale")), 1, most=_MOST_REPLICAS),
            restart=self._restart(),
            stop_grace=read_seconds(body.get("stop_grace_period"), 10.0, str(place.below("stop_grace_period"))),
            stop_signal=str(body.get("stop_signal") or ""),
            depends_on=self._depends_on(),
            labels=self._labels(),
            hostname=str(body.get("hostname") or ""),
            extra_hosts=tuple(sorted(f"{name}:{host}" for name, host in read_map(body.get("extra_hosts")).items())),
            init=self._flag("init", True),
            **security,
            relaxations=tuple(self._relaxed),
        )
        self._check_together(spec)
        return spec

    def _check_keys(self) -> None:
        if _SERVICE.fullmatch(self._service) is None:
            raise self._wrong("", "is not a service name", "Use letters, digits, _ . and -.")
        for key in self._body:
            if key in _REPORTED:
                self._report(key, _REPORTED[key])
            elif key not in _HONOURED and not key.startswith("x-"):
                raise self._wrong(key, "is not supported", "Remove it, or say the same another way.")
        if not self._body.get("image") and not self._body.get("build"):
            raise self._wrong("", "has neither image nor build", "Say which image to run, or where its source is.")

    def _check_together(self, spec: WorkloadSpec) -> None:
        if spec.ports and not spec.networks:
            raise self._wrong("ports", "cannot be published without a network of its own", "Remove one of the two.")
        if spec.replicas > 1 and spec.stops_first:
            raise self._wrong(
                "deploy.replicas",
                "is more than one, but two of it would share a writable volume or a port of the node",
                "Run one, mount the volume read-only, or publish TCP ports only.",
            )

    # Privileges

    def _security(self) -> dict[str, Any]:
        body = self._body
        user = str(body["user"]) if body.get("user") is not None else ""
        if _ROOT.fullmatch(user.partition(":")[0]):
            self._relaxed.append(f"user: {user}")
        read_only, privileged = self._flag("read_only", True), self._flag("privileged", False)
        self._relaxed += [] if read_only else ["read_only: false"]
        self._relaxed += ["privileged: true"] if privileged else []
        capabilities = tuple(sorted({str(item).upper().removeprefix("CAP_") for item in body.get("cap_add") or ()}))
        for name in capabilities:
            if _CAPABILITY.fullmatch(name) is None:
                raise self._wrong("cap_add", f"has {name!r}, which is no capability", "Write NET_BIND_SERVICE.")
        self._relaxed += [f"cap_add: {name}" for name in capabilities]
        if body.get("network_mode") not in (None, "host", "none"):
            raise self._wrong("network_mode", "is not supported", "Use networks, host or none.")
        if body.get("pid") not in (None, "host"):
            raise self._wrong("pid", "is not supported", "Remove it, or write host.")
        host_network, host_pid = body.get("network_mode") == "host", body.get("pid") == "host"
        self._relaxed += ["network_mode: host"] if host_network else []
        self._relaxed += ["pid: host"] if host_pid else []
        return {
            "user": user,
            "read_only": read_only,
            "privileged": privileged,
            "capabilities": capabilities,
            "no_new_privileges": self._no_new_privileges(),
            "host_network": host_network,
            "host_pid": host_pid,
        }

    def _no_new_privileges(self) -> bool:
        kept = True
        for option in self._body.get("security_opt") or ():
            name, _, value = str(option).replace("=", ":").partition(":")
            if name != "no-new-privileges":
                raise self._wrong("security_opt", f"has {option!r}, which is not supported", "Remove it.")
            kept = read_flag(value or None, True, str(self._place.below("security_opt")))
        if not kept:
            self._relaxed.append("security_opt: no-new-privileges:false")
        return kept

    def _memory(self, limits: Mapping[str, Any]) -> int:
        said = limits.get("memory", self._body.get("mem_limit"))
        memory = read_bytes(said, DEFAULT_MEMORY, str(self._place.below("mem_limit")))
        if memory <= 0:
            self._relaxed.append("mem_limit: none")
        return max(memory, 0)

    def _pids(self, limits: Mapping[str, Any]) -> int:
        said = limits.get("pids", self._body.get("pids_limit"))
        pids = read_number(said, DEFAULT_PIDS, str(self._place.below("pids_limit")), least=-1, most=4_194_304)
        if pids <= 0:
            self._relaxed.append("pids_limit: none")
        return max(pids, 0)

    # Where it comes from and how it starts

    def _build(self) -> BuildSource | None:
        said = self._body.get("build")
        if said is None:
            return None
        body = {"context": said} if isinstance(said, str) else dict(said)
        for key in body:
            if key not in ("context", "dockerfile", "target", "args"):
                raise self._wrong(f"build.{key}", "is not supported", "Keep to context, dockerfile, target and args.")
        return BuildSource(
            context=self._inside("context", str(body.get("context") or ".")),
            dockerfile=self._inside("dockerfile", str(body.get("dockerfile") or "Dockerfile")),
            target=str(body.get("target") or ""),
            arguments=read_map(body.get("args"), self._around.variables),
        )

    def _inside(self, key: str, path: str) -> str:
        if "://" in path or path.startswith(("/", "git@", "~")) or ".." in PurePosixPath(path).parts or "\0" in path:
            raise self._wrong(f"build.{key}", f"is {path!r}, outside the source", "Name a path below the file.")
        return path

    def _command(self, key: str) -> tuple[str, ...] | None:
        said = self._body.get(key)
        if said is None:
            return None
        try:
            return tuple(shlex.split(said)) if isinstance(said, str) else tuple(str(part) for part in said)
        except ValueError as error:
            raise self._wrong(key, f"cannot be split into words: {error}", "Write it as a list.") from error

    def _environment(self) -> dict[str, str]:
        found: dict[str, str] = {}
        files = self._body.get("env_file") or []
        for item in [files] if isinstance(files, str | dict) else files:
            found |= self._env_file(item if isinstance(item, dict) else {"path": item})
        return found | read_map(self._body.get("environment"), self._around.variables)

    def _env_file(self, item: Mapping[str, Any]) -> dict[str, str]:
        directory = self._around.directory.resolve()
        path = (directory / str(item["path"])).resolve()
        if not path.is_relative_to(directory) or not path.is_file():
            if path.is_relative_to(directory) and not read_flag(item.get("required"), True, str(self._place)):
                return {}
            raise self._wrong("env_file", f"has {item['path']!r}, no file of the source", "Put it beside this file.")
        if path.stat().st_size > _MOST_ENV_BYTES:
            raise self._wrong("env_file", f"has {item['path']!r}, larger than 1 MiB", "Make it smaller.")
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise self._wrong("env_file", f"has {item['path']!r}, which cannot be read: {error}", "Mend it.") from error
        pairs = [line.partition("=") for line in lines if line.strip() and not line.lstrip().startswith("#")]
        return {key.removeprefix("export ").strip(): value.strip().strip("'\"") for key, _, value in pairs}

    def _deploy(self) -> tuple[dict[str, Any], dict[str, Any]]:
        deploy = dict(self._body.get("deploy") or {})
        for key in deploy:
            if key in ("update_config", "rollback_config"):
                self._report(f"deploy.{key}", "a new version replaces the old one when it is healthy")
            elif key not in ("replicas", "resources"):
                raise self._wrong(f"deploy.{key}", "is not supported", "Remove it, or say the same another way.")
        resources = dict(deploy.get("resources") or {})
        if "reservations" in resources:
            self._report("deploy.resources.reservations", "one node has nothing to reserve on")
        limits = dict(resources.get("limits") or {})
        for key in limits:
            if key not in ("cpus", "memory", "pids"):
                raise self._wrong(f"deploy.resources.limits.{key}", "is not supported", "Remove it.")
        return deploy, limits

    def _depends_on(self) -> tuple[str, ...]:
        said = self._body.get("depends_on") or ()
        for service, how in said.items() if isinstance(said, dict) else ():
            condition = (how or {}).get("condition", "service_started")
            if condition not in _CONDITIONS:
                raise self._wrong(f"depends_on.{service}", f"waits for {condition}", f"Use {' or '.join(_CONDITIONS)}.")
        return tuple(sorted(said))

    def _labels(self) -> dict[str, str]:
        labels = read_map(self._body.get("labels"))
        for name in labels:
            if name == "lading" or name.startswith("lading."):
                raise self._wrong("labels", f"has {name}, a name that Lading keeps for itself", "Choose another.")
        return labels

    def _restart(self) -> str:
        said = self._body.get("restart")
        restart = "unless-stopped" if said is None else "no" if said is False else str(said)
        if _RESTART.fullmatch(restart) is None:
            raise self._wrong("restart", f"is {restart!r}", "Use no, always, unless-stopped or on-failure[:TIMES].")
        return restart

    def _health(self) -> Health | None:
        said = self._body.get("healthcheck")
        if not said:
            return None
        place = self._place.below("healthcheck")
        for key in said:
            if key == "start_interval":
                self._report(f"healthcheck.{key}", "interval counts from the start")
        if read_flag(said.get("disable"), False, str(place.below("disable"))):
            return Health(test=("NONE",))
        test = said.get("test")
        command = ("CMD-SHELL", test) if isinstance(test, str) else tuple(str(part) for part in test or ())
        if not command or command[0] not in _TESTS or (command[0] != "NONE" and len(command) < 2):
            raise self._wrong("healthcheck.test", "is no health check", 'Write ["CMD", "program", "argument"].')
        return Health(
            test=command,
            interval=read_seconds(said.get("interval"), 10.0, str(place.below("interval"))),
            timeout=read_seconds(said.get("timeout"), 5.0, str(place.below("timeout"))),
            retries=read_number(said.get("retries"), 3, str(place.below("retries")), least=1, most=1000),
            start_period=read_seconds(said.get("start_period"), 0.0, str(place.below("start_period"))),
        )

    # Small things

    def _flag(self, key: str, default: bool) -> bool:
        return read_flag(self._body.get(key), default, str(self._place.below(key)))

    def _number(self, key: str, said: Any, default: int, *, most: int) -> int:
        return read_number(said, default, str(self._place.below(key)), least=0, most=most)

    def _report(self, key: str, why: str) -> None:
        self.reported.append(f"services.{self._service}.{key} is not carried out: {why}")

    def _wrong(self, key: str, what: str, remedy: str) -> ComposeInvalid:
        return self._place.wrong(key, what, remedy)


def read_map(said: Any, variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """A map, or a list of KEY=VALUE, as a map of texts. A key without a value takes that of the variable, or goes."""
    if not said:
        return {}
    if isinstance(said, dict):
        pairs = [(str(key), None if value is None else _text(value)) for key, value in said.items()]
    else:
        split = [re.split("[=:]" if "=" not in str(item) else "=", str(item), maxsplit=1) for item in said]
        pairs = [(parts[0], parts[1] if len(parts) > 1 else None) for parts in split]
    known = variables or {}
    return {key: text for key, value in pairs if (text := known.get(key) if value is None else value) is not None}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
