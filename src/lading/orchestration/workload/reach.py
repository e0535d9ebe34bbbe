"""What a service reaches and is reached by: mounts, published ports and networks."""

from __future__ import annotations

import ipaddress
import os.path
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from lading.orchestration.workload.place import Place
from lading.orchestration.workload.quantities import read_bytes, read_flag
from lading.orchestration.workload.spec import Mount, Port

_MOUNT_OPTIONS: Final = frozenset({"ro", "rw", "z", "Z"})
_LOOPBACK: Final = "127.0.0.1"
_TMP_SIZE: Final = 64 << 20


def read_mounts(body: Mapping[str, Any], volumes: Sequence[str], place: Place) -> tuple[Mount, ...]:
    """Volumes, host paths and tmpfs; a /tmp in memory when the file says none, for the root is read-only.

    Raises:
        ComposeInvalid: a volume is not declared, a host path is not absolute, or a form is not supported.
    """
    mounts = [_mount(item, volumes, place) for item in body.get("volumes") or ()]
    tmpfs = body.get("tmpfs") or []
    mounts += [_tmpfs(str(item), place) for item in ([tmpfs] if isinstance(tmpfs, str) else tmpfs)]
    if not any(mount.target == "/tmp" for mount in mounts):  # noqa: S108 - a path in the container
        mounts.append(Mount(kind="tmpfs", target="/tmp", size=_TMP_SIZE))  # noqa: S108
    targets = [mount.target for mount in mounts]
    for target in targets:
        if targets.count(target) > 1:
            raise place.wrong("volumes", f"mounts {target} twice", "Mount one thing there.")
    return tuple(mounts)


def _tmpfs(said: str, place: Place) -> Mount:
    target, _, options = said.partition(":")
    size = 0
    for option in options.split(",") if options else ():
        name, _, value = option.partition("=")
        if name != "size":
            raise place.wrong("tmpfs", f"has option {option!r}, which is not supported", "Keep to size=64m.")
        size = max(0, read_bytes(value, 0, str(place.below("tmpfs"))))
    return Mount(kind="tmpfs", target=_target(target, place), size=size)


def _mount(item: str | dict[str, Any], volumes: Sequence[str], place: Place) -> Mount:
    body = _long_form(item, place) if isinstance(item, str) else item
    for key in body:
        if key not in ("type", "source", "target", "read_only", "tmpfs"):
            raise place.wrong("volumes", f"has {key!r}, which is not supported", "Keep to type, source and target.")
    kind, source = str(body.get("type")), str(body.get("source") or "")
    target = _target(str(body.get("target") or ""), place)
    if kind == "tmpfs":
        size = read_bytes((body.get("tmpfs") or {}).get("size"), 0, str(place.below("volumes")))
        return Mount(kind=kind, target=target, size=max(0, size))
    if kind not in ("volume", "bind"):
        raise place.wrong("volumes", f"has {item!r}, which is not supported", "Write VOLUME:/PATH or /HOST/PATH:/PATH.")
    if kind == "volume" and source not in volumes:
        raise place.wrong(
            "volumes", f"uses {source or 'an anonymous volume'}, which is not declared", "Declare it under volumes."
        )
    if kind == "bind":
        source = _host_path(source, place)
    read_only = read_flag(body.get("read_only"), False, str(place.below("volumes")))
    return Mount(kind=kind, source=source, target=target, read_only=read_only)


def _long_form(item: str, place: Place) -> dict[str, Any]:
    parts = item.split(":")
    source, target = (parts[0], parts[1]) if len(parts) > 1 else ("", parts[0])
    options = ",".join(parts[2:]).split(",") if len(parts) > 2 else []
    if unknown := sorted(set(options) - _MOUNT_OPTIONS):
        raise place.wrong("volumes", f"has option {unknown[0]!r}, which is not supported", "Keep to ro and rw.")
    kind = "bind" if source.startswith((".", "/", "~")) else "volume"
    return {"type": kind, "source": source, "target": target, "read_only": "ro" in options}


def _target(path: str, place: Place) -> str:
    if not path.startswith("/") or ".." in path.split("/") or path.strip("/") == "":
        raise place.wrong("volumes", f"mounts to {path!r}", "Name an absolute path in the container below its root.")
    return os.path.normpath(path)


def _host_path(source: str, place: Place) -> str:
    """Absolute only: the source travels to the server as an archive, so a path beside the file means nothing there."""
    if not source.startswith("/"):
        raise place.wrong(
            "volumes", f"mounts {source!r} of the host", "Copy it into the image, or name an absolute path of the node."
        )
    return os.path.normpath(source)


def read_ports(said: Sequence[Any], place: Place) -> tuple[Port, ...]:
    """Published ports. An address that is not said is 127.0.0.1: to open a port to others is a decision to write down.

    Raises:
        ComposeInvalid: a form is not supported (ranges, random ports), or an address is none.
    """
    return tuple(_port(item, place) for item in said)


def _port(item: str | int | dict[str, Any], place: Place) -> Port:
    if isinstance(item, dict):
        address, host = str(item.get("host_ip") or _LOOPBACK), str(item.get("published") or "")
        inside, protocol = str(item.get("target") or ""), str(item.get("protocol") or "tcp")
    else:
        text, _, protocol = str(item).partition("/")
        *before, inside = text.rsplit(":", 2)
        host = before[-1] if before else ""
        address = (before[0] if len(before) > 1 else "") or _LOOPBACK
    if not (_is_port(host) and _is_port(inside)) or protocol not in ("", "tcp", "udp"):
        raise place.wrong("ports", f"has {item!r}, which is not supported", "Write [ADDRESS:]HOST_PORT:CONTAINER_PORT.")
    return Port(
        container_port=int(inside),
        host_port=int(host),
        host_address=_address(address, place),
        protocol=protocol or "tcp",
    )


def _is_port(text: str) -> bool:
    return re.fullmatch(r"[0-9]{1,5}", text) is not None and 0 < int(text) < 65536


def _address(text: str, place: Place) -> str:
    try:
        found = ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        raise place.wrong("ports", f"has {text!r} for an address", "Write an IP address of the node.") from None
    return f"[{found}]" if found.version == 6 else str(found)


def read_networks(body: Mapping[str, Any], declared: Sequence[str], place: Place) -> tuple[str, ...]:
    """The networks of a service, sorted; none with `network_mode: none`.

    Raises:
        ComposeInvalid: a network is not declared, or has options.
    """
    mode = body.get("network_mode")
    if mode is not None and body.get("networks"):
        raise place.wrong("network_mode", "contradicts networks", "Keep one of them.")
    if mode is not None:
        return ()
    said = body.get("networks") or ["default"]
    if isinstance(said, dict) and any(said.values()):
        raise place.wrong("networks", "has options, which are not supported", "List names only.")
    for name in said:
        if name not in declared:
            raise place.wrong("networks", f"has {name!r}, which is not declared", "Declare it under networks.")
    return tuple(sorted(said))
