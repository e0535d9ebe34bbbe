"""The Docker Engine behind the ports, through its Python SDK; every failure becomes one of our errors."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, Literal

import docker
import requests
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.types import Mount as DockerMount

from lading.orchestration.engines.docker.hardening import host_options
from lading.orchestration.engines.engine import EngineEvent
from lading.orchestration.errors import EngineUnavailable, OrchestrationError
from lading.orchestration.plan.model import Observed
from lading.orchestration.plan.planner import application_in, network_name, volume_name
from lading.orchestration.workload.spec import DEFAULT_USER, Health, WorkloadSpec

_log: Final = logging.getLogger(__name__)
_TIMEOUT_SECONDS: Final = 120
_KINDS: Final = {"start": "start", "die": "die", "oom": "oom", "update": "update"}
WORKLOAD: Final = "lading.workload"
APPLICATION: Final = "lading.application"
_NANOSECONDS: Final = 1_000_000_000

Credentials = Callable[[str], tuple[str, str]]


class DockerEngine:
    """A Docker Engine.

    Args:
        address: such as `unix:///var/run/docker.sock`.
        credentials: user and secret for a registry that an image is pulled from; sent with each pull, stored nowhere.
    """

    def __init__(self, address: str, credentials: Credentials | None = None) -> None:
        self.address = address
        self._credentials = credentials or (lambda _registry: ("", ""))
        self._client: Any = None
        self._name = ""

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def pull(self, image: str) -> None:
        registry = image.partition("/")[0]
        user, secret = self._credentials(registry)
        authorisation = {"username": user, "password": secret} if secret else None
        with self._translated(f"pull {image}") as client:
            try:
                client.images.get(image)
            except ImageNotFound:
                name, _, digest = image.partition("@")
                client.images.pull(name, tag=digest or None, auth_config=authorisation)

    def ensure_network(self, name: str, *, internal: bool) -> None:
        with self._translated(f"make network {name}") as client:
            if not client.networks.list(names=[f"^{name}$"]):
                client.networks.create(
                    name, driver="bridge", internal=internal, labels={APPLICATION: application_in(name)}
                )

    def ensure_volume(self, name: str) -> None:
        with self._translated(f"make volume {name}") as client:
            client.volumes.create(name, labels={APPLICATION: application_in(name)})

    def remove_networks(self, application: str) -> None:
        with self._translated("remove networks") as client:
            for network in client.networks.list(filters={"label": f"{APPLICATION}={application}"}, greedy=True):
                if not network.attrs.get("Containers"):
                    network.remove()

    def start(self, spec: WorkloadSpec, name: str, image: str, deployment: str) -> str:
        with self._translated(f"start {name}") as client:
            configured = client.images.get(image).attrs["Config"]
            host = client.api.create_host_config(
                **host_options(spec), mounts=_mounts(spec), port_bindings=_bindings(spec)
            )
            networking = None
            networks = [network_name(spec.application, item) for item in spec.networks]
            if networks and not spec.host_network:
                first = client.api.create_endpoint_config(aliases=[spec.service])
                networking = client.api.create_networking_config({networks[0]: first})
            made = client.api.create_container(
                image,
                command=list(spec.command) if spec.command is not None else None,
                entrypoint=list(spec.entrypoint) if spec.entrypoint is not None else None,
                environment=spec.environment,
                working_dir=spec.working_dir or None,
                user=spec.user or configured.get("User") or DEFAULT_USER,
                hostname=spec.hostname or None,
                labels=spec.labels | _labels(spec, deployment),
                stop_signal=spec.stop_signal or None,
                healthcheck=_health(spec.health),
                ports=[(port.container_port, port.protocol) for port in spec.ports] or None,
                host_config=host,
                networking_config=networking,
                name=name,
            )
            try:
                for network in networks[1:] if networking else ():
                    client.networks.get(network).connect(made["Id"], aliases=[spec.service])
                client.api.start(made["Id"])
            except APIError:
                client.api.remove_container(made["Id"], force=True, v=True)
                raise
        return str(made["Id"])

    def resume(self, name: str) -> None:
        with self._translated(f"start {name}") as client, _ignoring_gone():
            client.containers.get(name).start()

    def stop(self, name: str, grace: float) -> None:
        with self._translated(f"stop {name}") as client, _ignoring_gone():
            client.containers.get(name).stop(timeout=max(1, round(grace)))

    def remove(self, name: str) -> None:
        with self._translated(f"remove {name}") as client, _ignoring_gone():
            client.containers.get(name).remove(force=True, v=True)

    def remove_all_resources(self) -> None:
        """Remove every network and volume that Lading made here, data included."""
        with self._translated("remove what Lading made") as client:
            for network in client.networks.list(filters={"label": APPLICATION}):
                network.remove()
            for volume in client.volumes.list(filters={"label": APPLICATION}):
                volume.remove(force=True)

    def node(self) -> str:
        if not self._name:
            with self._translated("ask its name") as client:
                self._name = str(client.info().get("Name", ""))
        return self._name

    def observe(self, application: str = "") -> list[Observed]:
        label = f"{APPLICATION}={application}" if application else WORKLOAD
        with self._translated("list containers") as client:
            found = client.containers.list(all=True, filters={"label": label}, ignore_removed=True)
            return [_observed(item.attrs) for item in found]

    def status(self, name: str) -> Observed | None:
        with self._translated(f"inspect {name}") as client:
            try:
                return _observed(client.containers.get(name).attrs)
            except NotFound:
                return None

    def tail(self, name: str, lines: int) -> list[str]:
        with self._translated(f"read the log of {name}") as client:
            try:
                output = client.containers.get(name).logs(tail=lines)
            except NotFound:
                return []
        return [line[:500] for line in output.decode(errors="replace").splitlines()]

    def events(self, since: float, seconds: float) -> Iterator[EngineEvent]:
        filters = {"type": "container", "label": WORKLOAD}
        until = time.time() + seconds
        with self._translated("watch events") as client:
            # The engine reads microseconds: ask from one earlier, and let go what is before the moment.
            stream = client.events(since=f"{since - 1e-6:.6f}", until=f"{until:.6f}", decode=True, filters=filters)
            try:
                for raw in stream:
                    if (event := _event(raw)) is not None and event.at >= since:
                        yield event
            finally:
                stream.close()

    @contextmanager
    def _translated(self, what: str) -> Iterator[Any]:
        try:
            if self._client is None:
                self._client = docker.DockerClient(base_url=self.address, timeout=_TIMEOUT_SECONDS, version="auto")
            yield self._client
        except APIError as error:
            reason = str(error.explanation or error)
            if error.status_code == 503:
                raise EngineUnavailable(f"The Docker Engine could not {what}: {reason}.") from error
            raise OrchestrationError(f"The Docker Engine refused to {what}: {reason}.") from error
        except (DockerException, requests.exceptions.RequestException, OSError) as error:
            self.close()
            raise EngineUnavailable(
                f"The Docker Engine at {self.address} does not answer, so Lading could not {what}.",
                remedy="Start it, or run `lading doctor`. What was planned is carried out when it is back.",
            ) from error


@contextmanager
def _ignoring_gone() -> Iterator[None]:
    """Ending what is gone, or on its way out, changes nothing."""
    try:
        yield
    except NotFound:
        return
    except APIError as error:
        if error.status_code != 409 or "already in progress" not in str(error.explanation):
            raise


def _labels(spec: WorkloadSpec, deployment: str) -> dict[str, str]:
    return {
        APPLICATION: spec.application,
        WORKLOAD: spec.name,
        "lading.team": spec.team,
        "lading.deployment": deployment,
        "lading.spec": str(spec.digest()),
        "lading.image": spec.image.rpartition("@")[2],
    }


def _mounts(spec: WorkloadSpec) -> list[DockerMount]:
    mounts = []
    for mount in spec.mounts:
        if mount.kind == "tmpfs":
            mounts.append(
                DockerMount(mount.target, None, type="tmpfs", tmpfs_size=mount.size or None, tmpfs_mode=0o1777)
            )
            continue
        source = volume_name(spec.application, mount.source) if mount.kind == "volume" else mount.source
        mounts.append(DockerMount(mount.target, source, type=_kind(mount.kind), read_only=mount.read_only))
    return mounts


def _kind(kind: str) -> Literal["bind", "volume"]:
    return "bind" if kind == "bind" else "volume"


def _bindings(spec: WorkloadSpec) -> dict[str, tuple[str, int]]:
    """Ports that the engine publishes itself: those of workloads that cannot be replaced without a pause anyway."""
    if not spec.publishes_itself:
        return {}
    return {
        f"{port.container_port}/{port.protocol}": (port.host_address.strip("[]"), port.host_port) for port in spec.ports
    }


def _health(health: Health | None) -> dict[str, Any] | None:
    if health is None:
        return None
    return {
        "test": list(health.test),
        "interval": int(health.interval * _NANOSECONDS),
        "timeout": int(health.timeout * _NANOSECONDS),
        "retries": health.retries,
        "start_period": int(health.start_period * _NANOSECONDS),
    }


def _observed(attrs: Mapping[str, Any]) -> Observed:
    labels, state = attrs["Config"].get("Labels") or {}, attrs["State"]
    networks = attrs["NetworkSettings"].get("Networks") or {}
    running = bool(state.get("Running")) and not state.get("Restarting")
    return Observed(
        id=attrs["Id"],
        name=attrs["Name"].lstrip("/"),
        workload=labels.get(WORKLOAD, ""),
        image=labels.get("lading.image", ""),
        spec_digest=labels.get("lading.spec", ""),
        state="running" if running else "exited",
        health=(state.get("Health") or {}).get("Status", ""),
        deployment=labels.get("lading.deployment", ""),
        team=labels.get("lading.team", ""),
        addresses=tuple(item["IPAddress"] for _, item in sorted(networks.items()) if item.get("IPAddress")),
        restarts=int(attrs.get("RestartCount") or 0),
        exit_code=int(state.get("ExitCode") or 0),
        out_of_memory=bool(state.get("OOMKilled")),
    )


def _event(raw: Mapping[str, Any]) -> EngineEvent | None:
    action, attributes = str(raw.get("Action", "")), dict(raw.get("Actor", {}).get("Attributes", {}))
    head, _, tail = action.partition(": ")
    detail = {}
    if head == "health_status":
        kind, detail = "health", {"health": tail}
    elif head in ("exec_create", "exec_start"):
        kind, detail = "exec", {"phase": head, "command": tail, "exec": attributes.get("execID", "")}
    elif action in _KINDS:
        kind, detail = _KINDS[action], {"exit_code": attributes.get("exitCode", "")}
    else:
        return None
    return EngineEvent(
        at=int(raw.get("timeNano", 0)) / _NANOSECONDS,
        kind=kind,
        container=str(raw.get("id", raw.get("Actor", {}).get("ID", ""))),
        name=attributes.get("name", ""),
        workload=attributes.get(WORKLOAD, ""),
        image=attributes.get("lading.image", ""),
        detail=detail,
    )
