"""Docker Engine for this domain: who runs, what they have, what changed in them, and how to stop them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import docker
import requests
from docker.errors import APIError, DockerException, NotFound
from urllib3.exceptions import HTTPError

from lading.runtime_security.containers import RunningContainer
from lading.runtime_security.errors import ContainerGone, EngineSilent, ResponseFailed
from lading.runtime_security.posture.capabilities import granted, named
from lading.runtime_security.posture.found import Found
from lading.runtime_security.sense.files import Change

_ANSWER_SECONDS: Final = 10
_MOST_CHANGES: Final = 100_000
_NO_RESTART: Final[Any] = {"Name": "no"}
_KINDS: Final = {0: "changed", 1: "added", 2: "deleted"}


class Labels:
    """The container labels that say what a container is, as orchestration sets them."""

    def __init__(
        self,
        *,
        workload: str = "lading.workload",
        team: str = "lading.team",
        image: str = "lading.image",
        spec: str = "lading.spec",
    ) -> None:
        self.spec = spec
        self.workload = workload
        self.team = team
        self.image = image


class DockerContainers:
    """A Containers, ContainerInspector, ContainerChanges and ContainerControl over one engine.

    Inspecting is one call a container; what cannot change while a container runs is asked once.
    """

    def __init__(self, address: str, labels: Labels | None = None) -> None:
        self._labels = labels or Labels()
        self._known: dict[str, RunningContainer] = {}
        # The client library leaks a socket for each try to connect to one that is not there.
        if address.startswith("unix://") and not Path(address.removeprefix("unix://")).is_socket():
            raise EngineSilent(
                f"Docker Engine does not answer: there is no socket {address}.",
                remedy="`lading doctor` says whether it runs.",
            )
        with _translated("engine"):
            self._api = docker.APIClient(base_url=address, version="auto", timeout=_ANSWER_SECONDS)

    def running(self) -> Sequence[RunningContainer]:
        with _translated("list of containers"):
            listed = self._api.containers(filters={"label": self._labels.workload, "status": "running"})
        found: dict[str, RunningContainer] = {}
        for one in listed:
            # "Up 3 seconds" changes, so a restart is seen by the pid's process, not here: ask again when it is gone.
            known = self._known.get(one["Id"])
            if known is None or not _alive(known.pid, one["Id"]):
                known = self._describe(one["Id"])
            if known is not None:
                found[known.id] = known
        self._known = found
        return list(found.values())

    def existing(self) -> frozenset[str]:
        with _translated("list of containers"):
            listed = self._api.containers(all=True, filters={"label": self._labels.workload})
        return frozenset(one["Id"] for one in listed)

    def inspect(self, container: str) -> Found:
        with _translated(container):
            inspected = self._api.inspect_container(container)
        return read_inspection(inspected)

    def changes(self, container: str) -> Sequence[Change]:
        with _translated(container):
            listed = self._api.diff(container) or []
        return [Change(str(one["Path"]), _KINDS.get(one["Kind"], "changed")) for one in listed[:_MOST_CHANGES]]

    def pause(self, container: str) -> None:
        with _response("paused", container):
            self._api.pause(container)

    def kill(self, container: str) -> None:
        with _response("killed", container):
            # Without this the engine's restart policy would start the intruder again.
            self._api.update_container(container, restart_policy=_NO_RESTART)
            self._api.kill(container, signal="SIGKILL")

    def isolate(self, container: str) -> Sequence[str]:
        with _response("isolated", container):
            inspected = self._api.inspect_container(container)
            if (inspected.get("HostConfig") or {}).get("NetworkMode") == "host":
                raise ResponseFailed(
                    f"Container {container[:12]} is in the host's network and cannot be isolated.",
                    remedy="Pause or kill it instead.",
                )
            networks = sorted((inspected.get("NetworkSettings") or {}).get("Networks") or {})
            for network in networks:
                self._api.disconnect_container_from_network(container, network, force=True)
        return networks

    def close(self) -> None:
        """Give back the connections."""
        self._api.close()

    def _describe(self, identity: str) -> RunningContainer | None:
        try:
            with _translated(identity):
                inspected = self._api.inspect_container(identity)
        except ContainerGone:
            return None
        labels = inspected["Config"].get("Labels") or {}
        workload = str(labels.get(self._labels.workload, ""))
        host = inspected.get("HostConfig") or {}
        repository, _, digest = str(labels.get(self._labels.image) or inspected.get("Image", "")).rpartition("@")
        return RunningContainer(
            id=inspected["Id"],
            name=str(inspected.get("Name", "")).lstrip("/"),
            workload=workload,
            application=workload.partition("/")[0],
            team=str(labels.get(self._labels.team, "")),
            image=digest,
            repository=repository,
            pid=int((inspected.get("State") or {}).get("Pid") or 0),
            spec=str(labels.get(self._labels.spec, "")),
            writable=not host.get("ReadonlyRootfs", False),
            health_command=_health_command(inspected["Config"].get("Healthcheck")),
            mounts=tuple(
                sorted({*(one["Destination"] for one in inspected.get("Mounts") or []), *(host.get("Tmpfs") or {})})
            ),
        )


def read_inspection(inspected: Mapping[str, Any]) -> Found:
    """The privileges in the answer of `GET /containers/ID/json`."""
    config, host = inspected.get("Config") or {}, inspected.get("HostConfig") or {}
    options = _security_options(host.get("SecurityOpt") or [])
    privileged = bool(host.get("Privileged"))
    mounts = inspected.get("Mounts") or []
    ports = (inspected.get("NetworkSettings") or {}).get("Ports") or {}
    return Found(
        container=str(inspected["Id"]),
        pid=int((inspected.get("State") or {}).get("Pid") or 0),
        user=str(config.get("User") or ""),
        privileged=privileged,
        read_only=bool(host.get("ReadonlyRootfs")),
        no_new_privileges=options.get("no-new-privileges", "false") != "false",
        capabilities=granted(
            added=frozenset(named(one) for one in host.get("CapAdd") or []),
            dropped=frozenset(named(one) for one in host.get("CapDrop") or []),
            privileged=privileged,
        ),
        seccomp="unconfined" if privileged else options.get("seccomp", "default")[:100],
        apparmor="unconfined" if privileged else str(inspected.get("AppArmorProfile") or ""),
        host_network=host.get("NetworkMode") == "host",
        host_pid=host.get("PidMode") == "host",
        host_ipc=host.get("IpcMode") == "host",
        host_paths=tuple(sorted(str(one.get("Source", "")) for one in mounts if one.get("Type") == "bind")),
        devices=tuple(sorted(str(one.get("PathOnHost", "")) for one in host.get("Devices") or [])),
        memory_bytes=int(host.get("Memory") or 0),
        pids=max(0, int(host.get("PidsLimit") or 0)),
        ports=tuple(
            f"{one.get('HostIp')}:{one.get('HostPort')}->{port}"
            for port, to in sorted(ports.items())
            for one in to or []
        ),
    )


def _security_options(options: Sequence[str]) -> dict[str, str]:
    found = {}
    for option in options:
        name, _, value = option.replace(":", "=", 1).partition("=")
        found[name] = "custom profile" if value.startswith("{") else value or "true"
    return found


def _health_command(check: Mapping[str, Any] | None) -> str:
    test = (check or {}).get("Test") or []
    if len(test) < 2 or test[0] == "NONE":
        return ""
    return " ".join(["/bin/sh", "-c", *test[1:]] if test[0] == "CMD-SHELL" else test[1:])


def _alive(pid: int, container: str) -> bool:
    if not pid:
        return False
    try:
        with open(f"/proc/{pid}/cgroup", encoding="utf-8", errors="replace") as handle:  # noqa: PTH123 - each second
            return container in handle.read()
    except OSError:
        return False


@contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except NotFound as error:
        raise ContainerGone(f"Docker Engine does not know container {what[:12]}.") from error
    except (APIError, DockerException, requests.RequestException, HTTPError, OSError, ValueError) as error:
        raise EngineSilent(
            f"Docker Engine does not answer about {what[:20]}: {str(error)[:200]}.",
            remedy="`lading doctor` says whether it runs.",
        ) from error


@contextmanager
def _response(done: str, container: str) -> Iterator[None]:
    try:
        yield
    except (APIError, DockerException, requests.RequestException, HTTPError, OSError) as error:
        raise ResponseFailed(f"Container {container[:12]} could not be {done}: {str(error)[:200]}.") from error
