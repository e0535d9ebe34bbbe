"""One service of a Compose file as a workload, hardened by default, each relaxation named."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any, Final

from lading.orchestration.errors import ComposeInvalid
from lading.orchestration.workload.quantities import read_bytes, read_seconds
from lading.orchestration.workload.spec import (
    DEFAULT_MEMORY,
    DEFAULT_PIDS,
    BuildSource,
    Health,
    Mount,
    Port,
    WorkloadSpec,
)

_HONOURED: Final = frozenset({
    "build", "cap_add", "cap_drop", "command", "container_name", "cpus", "depends_on", "deploy", "entrypoint",
    "environment", "env_file", "expose", "healthcheck", "hostname", "image", "init", "labels", "mem_limit",
    "network_mode", "networks", "pid", "pids_limit", "ports", "privileged", "read_only", "restart", "security_opt",
    "stop_grace_period", "stop_signal", "tmpfs", "user", "volumes", "working_dir", "scale", "logging", "pull_policy",
})  # fmt: skip
_ROOT: Final = frozenset({"root", "0"})
_RESTARTS: Final = frozenset({"no", "always", "on-failure", "unless-stopped"})
_SERVICE: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}")


def read_service(
    application: str, team: str, service: str, body: dict[str, Any], volumes: tuple[str, ...],
    networks: tuple[str, ...], directory: Path, shown: str,
) -> WorkloadSpec:  # fmt: skip
    """The workload that a service describes.

    Raises:
        ComposeInvalid: names the key, and what would be right.
    """
    return _Reader(application, team, service, body or {}, volumes, networks, directory, shown).read()


class _Reader:
    def __init__(
        self, application: str, team: str, service: str, body: dict[str, Any], volumes: tuple[str, ...],
        networks: tuple[str, ...], directory: Path, shown: str,
    ) -> None:  # fmt: skip
        self._application, self._team, self._service, self._body = application, team, service, body
        self._volumes, self._networks, self._directory = volumes, networks, directory
        self._where = f"{shown}: services.{service}"
        self._relaxed: list[str] = []

    def read(self) -> WorkloadSpec:
        if _SERVICE.fullmatch(self._service) is None:
            raise self._wrong("", "is not a service name", "Use letters, digits, _ . and -.")
        for key in self._body:
            if key not in _HONOURED and not str(key).startswith("x-"):
                raise self._wrong(key, "is not supported", "Remove it, or say the same another way.")
        if not self._body.get("image") and not self._body.get("build"):
            raise self._wrong("", "has neither image nor build", "Say which image to run, or where its source is.")
        deploy, limits = self._deploy()
        security = self._security()
        return WorkloadSpec(
            application=self._application,
            service=self._service,
            team=self._team,
            image=str(self._body.get("image") or ""),
            build=self._build(),
            command=self._command("command"),
            entrypoint=self._command("entrypoint"),
            environment=self._environment(),
            working_dir=str(self._body.get("working_dir") or ""),
            memory=self._memory(limits),
            cpus=float(limits.get("cpus") or self._body.get("cpus") or 0),
            pids=self._pids(limits),
            mounts=self._mounts(),
            ports=self._ports(),
            networks=self._networks_of(),
            health=self._health(),
            replicas=int(deploy.get("replicas") or self._body.get("scale") or 1),
            restart=self._restart(),
            stop_grace=read_seconds(self._body.get("stop_grace_period"), 10.0, f"{self._where}.stop_grace_period"),
            stop_signal=str(self._body.get("stop_signal") or ""),
            depends_on=tuple(sorted(self._body.get("depends_on") or ())),
            labels=_map(self._body.get("labels")),
            hostname=str(self._body.get("hostname") or ""),
            init=bool(self._body.get("init", True)),
            **security,
            relaxations=tuple(self._relaxed),
        )

    # Privileges

    def _security(self) -> dict[str, Any]:
        body = self._body
        user = str(body.get("user") or "")
        if user.partition(":")[0] in _ROOT:
            self._relaxed.append(f"user: {user}")
        read_only = bool(body.get("read_only", True))
        if not read_only:
            self._relaxed.append("read_only: false")
        privileged = bool(body.get("privileged", False))
        if privileged:
            self._relaxed.append("privileged: true")
        capabilities = tuple(sorted(str(item).upper().removeprefix("CAP_") for item in body.get("cap_add") or ()))
        self._relaxed += [f"cap_add: {name}" for name in capabilities]
        host_network, host_pid = body.get("network_mode") == "host", body.get("pid") == "host"
        if body.get("network_mode") not in (None, "host", "none"):
            raise self._wrong("network_mode", "is not supported", "Use networks, host or none.")
        if body.get("pid") not in (None, "host"):
            raise self._wrong("pid", "is not supported", "Remove it, or write host.")
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
                raise self._wrong("security_opt", f"{option!r} is not supported", "Remove it.")
            kept = value not in ("false", "0")
        if not kept:
            self._relaxed.append("security_opt: no-new-privileges:false")
        return kept

    def _memory(self, limits: dict[str, Any]) -> int:
        said = limits.get("memory") or self._body.get("mem_limit")
        memory = read_bytes(said, DEFAULT_MEMORY, f"{self._where}.mem_limit")
        if memory <= 0:
            self._relaxed.append("mem_limit: none")
        return max(memory, 0)

    def _pids(self, limits: dict[str, Any]) -> int:
        said = limits.get("pids", self._body.get("pids_limit"))
        pids = DEFAULT_PIDS if said is None else int(said)
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
        context = str(body.get("context") or ".")
        if "://" in context or context.startswith(("/", "git@")) or ".." in Path(context).parts:
            raise self._wrong(
                "build.context", f"{context!r} lies outside the source", "Use a directory below the file."
            )
        return BuildSource(
            context=context,
            dockerfile=str(body.get("dockerfile") or "Dockerfile"),
            target=str(body.get("target") or ""),
            arguments=_map(body.get("args")),
        )

    def _command(self, key: str) -> tuple[str, ...] | None:
        said = self._body.get(key)
        if said is None:
            return None
        return tuple(shlex.split(said)) if isinstance(said, str) else tuple(str(part) for part in said)

    def _environment(self) -> dict[str, str]:
        found: dict[str, str] = {}
        files = self._body.get("env_file") or []
        for item in [files] if isinstance(files, str | dict) else files:
            found |= self._env_file(item["path"] if isinstance(item, dict) else item)
        return found | _map(self._body.get("environment"))

    def _env_file(self, name: str) -> dict[str, str]:
        path = (self._directory / name).resolve()
        if not path.is_relative_to(self._directory.resolve()) or not path.is_file():
            raise self._wrong("env_file", f"{name!r} is no file of the source", "Put it beside the Compose file.")
        lines = path.read_text(encoding="utf-8").splitlines()
        pairs = [line.partition("=") for line in lines if line.strip() and not line.lstrip().startswith("#")]
        return {key.strip(): value.strip().strip("'\"") for key, _, value in pairs}

    def _deploy(self) -> tuple[dict[str, Any], dict[str, Any]]:
        deploy = dict(self._body.get("deploy") or {})
        for key in deploy:
            if key not in ("replicas", "resources", "update_config", "restart_policy"):
                raise self._wrong(f"deploy.{key}", "is not supported", "Remove it.")
        return deploy, dict((deploy.get("resources") or {}).get("limits") or {})

    def _restart(self) -> str:
        said = self._body.get("restart", "unless-stopped")
        restart = "no" if said is False else str(said)
        if restart.partition(":")[0] not in _RESTARTS:
            raise self._wrong("restart", f"{restart!r} is unknown", f"Use one of {', '.join(sorted(_RESTARTS))}.")
        return restart

    def _health(self) -> Health | None:
        said = self._body.get("healthcheck")
        if not said or said.get("disable") or said.get("test") in (["NONE"], None):
            return None
        test = said["test"]
        command = ("CMD-SHELL", test) if isinstance(test, str) else tuple(str(part) for part in test)
        where = f"{self._where}.healthcheck"
        return Health(
            test=command,
            interval=read_seconds(said.get("interval"), 10.0, f"{where}.interval"),
            timeout=read_seconds(said.get("timeout"), 5.0, f"{where}.timeout"),
            retries=int(said.get("retries") or 3),
            start_period=read_seconds(said.get("start_period"), 0.0, f"{where}.start_period"),
        )

    # What it reaches

    def _mounts(self) -> tuple[Mount, ...]:
        mounts = [self._mount(item) for item in self._body.get("volumes") or ()]
        tmpfs = self._body.get("tmpfs") or []
        for item in [tmpfs] if isinstance(tmpfs, str) else tmpfs:
            target, _, options = str(item).partition(":")
            size = re.search(r"size=(\w+)", options)
            mounts.append(
                Mount(kind="tmpfs", target=target, size=read_bytes(size[1] if size else None, 0, self._where))
            )
        if not any(mount.target == "/tmp" for mount in mounts):  # noqa: S108 - a path in the container
            mounts.append(Mount(kind="tmpfs", target="/tmp", size=64 << 20))  # noqa: S108
        return tuple(mounts)

    def _mount(self, item: str | dict[str, Any]) -> Mount:
        if isinstance(item, str):
            parts = item.split(":")
            source, target = (parts[0], parts[1]) if len(parts) > 1 else ("", parts[0])
            body = {"source": source, "target": target, "read_only": "ro" in parts[2:3] or "ro" in ",".join(parts[2:])}
            body["type"] = "bind" if source.startswith((".", "/", "~")) else "volume"
        else:
            body = item
        kind, source, target = str(body.get("type")), str(body.get("source") or ""), str(body.get("target") or "")
        if kind not in ("volume", "bind", "tmpfs") or not target.startswith("/"):
            raise self._wrong("volumes", f"{item!r} is not supported", "Write VOLUME:/PATH, HOST_PATH:/PATH or tmpfs.")
        if kind == "volume" and source not in self._volumes:
            raise self._wrong(
                "volumes", f"{source or 'an anonymous volume'} is not declared", "Declare it under volumes."
            )
        if kind == "bind":
            source = str(Path(source).expanduser() if source.startswith(("/", "~")) else self._directory / source)
            self._relaxed.append(f"host path: {source}")
        return Mount(kind=kind, source=source, target=target, read_only=bool(body.get("read_only")))

    def _ports(self) -> tuple[Port, ...]:
        return tuple(self._port(item) for item in self._body.get("ports") or ())

    def _port(self, item: str | int | dict[str, Any]) -> Port:
        if isinstance(item, dict):
            address, host = str(item.get("host_ip") or "127.0.0.1"), str(item.get("published") or "")
            inside, protocol = str(item.get("target") or ""), str(item.get("protocol") or "tcp")
        else:
            text, _, protocol = str(item).partition("/")
            *before, inside = text.rsplit(":", 2) if text.count(":") > 1 else text.split(":")
            host = before[-1] if before else ""
            address = before[0] if len(before) > 1 else "127.0.0.1"
        if not (host.isdigit() and inside.isdigit() and 0 < int(host) < 65536 and 0 < int(inside) < 65536):
            raise self._wrong("ports", f"{item!r} is not supported", "Write [ADDRESS:]HOST_PORT:CONTAINER_PORT.")
        return Port(container_port=int(inside), host_port=int(host), host_address=address, protocol=protocol or "tcp")

    def _networks_of(self) -> tuple[str, ...]:
        if self._body.get("network_mode") == "none":
            return ()
        said = self._body.get("networks") or ["default"]
        if isinstance(said, dict) and any(said.values()):
            raise self._wrong("networks", "options of a network are not supported", "List names only.")
        for name in said:
            if name not in self._networks:
                raise self._wrong("networks", f"{name!r} is not declared", "Declare it under networks.")
        return tuple(sorted(said))

    def _wrong(self, key: str, what: str, remedy: str) -> ComposeInvalid:
        place = f"{self._where}.{key}" if key else self._where
        return ComposeInvalid(f"{place} {what}.", remedy=remedy)


def _map(said: Any) -> dict[str, str]:
    """A map, or a list of KEY=VALUE, as a map of texts; keys without a value are empty."""
    if said is None:
        return {}
    if isinstance(said, dict):
        return {str(key): "" if value is None else _text(value) for key, value in said.items()}
    return {key: value for key, _, value in (str(item).partition("=") for item in said)}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
