"""Programs running: every process of a container's namespaces, compared by content with the files of its image.

A process belongs to a container when its control group names it, whatever namespaces it made for itself. Programs are
hashed once each (device, inode, size and time of change); a look at a process that is known costs two system calls.
"""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

from lading.kernel.errors import LadingError
from lading.runtime_security.containers import RunningContainer
from lading.runtime_security.sense.events import SensedEvent, cut
from lading.runtime_security.sense.image_files import ImageFile, ImageFiles
from lading.runtime_security.sense.redact import redact

_MOST_PROGRAM_BYTES: Final = 1 << 30
_MOST_HASHES: Final = 20_000
_MOST_PROCESSES: Final = 20_000
_CHUNK: Final = 1 << 20
_DELETED: Final = " (deleted)"


class Identity(NamedTuple):
    """A file's content, as far as the kernel vouches for it without reading."""

    device: int
    inode: int
    size: int
    changed: int


class Looked(NamedTuple):
    """What one look saw. `blind` says of containers why they are not seen; `passed_over` counts processes too many."""

    events: list[SensedEvent]
    blind: dict[str, str]
    passed_over: int


class ProcessSense:
    """Looks at the processes of containers on this host.

    Args:
        files: what images have.
        engine_programs: sha256 of programs that the engine itself runs inside of containers (runc, docker-init).
        proc: a proc file system.
    """

    def __init__(
        self, files: ImageFiles, engine_programs: frozenset[str] = frozenset(), proc: Path = Path("/proc")
    ) -> None:
        self._files = files
        self._engine_programs = engine_programs
        self._proc = str(proc)
        self._host = ""
        self._namespaces: dict[str, str] = {}
        self._known: dict[int, tuple[str, Identity]] = {}
        self._hashes: OrderedDict[Identity, str] = OrderedDict()

    def look(self, containers: Sequence[RunningContainer], at: datetime) -> Looked:
        """The programs that began since the last look and are not as the image has them."""
        by_id = {one.id: one for one in containers}
        blind = self._invisible(containers)
        events: list[SensedEvent] = []
        known: dict[int, tuple[str, Identity]] = {}
        passed_over = 0
        for pid in self._pids():
            container = by_id.get(self._container_of(pid, by_id))
            if container is None or container.id in blind:
                continue
            if len(known) >= _MOST_PROCESSES:
                passed_over += 1
                continue
            try:
                identity = self._identity(pid)
                known[pid] = (container.id, identity)
                if self._known.get(pid) != known[pid] and (event := self._judge(container, pid, identity, at)):
                    events.append(event)
            except LadingError as error:  # whatever keeps the index from us, the container is not seen
                blind[container.id] = error.what
                known.pop(pid, None)
            except PermissionError:
                blind[container.id] = "We may not read its processes; run as root."
            except OSError:
                continue  # it ended meanwhile
        self._known = known
        return Looked(events, blind, passed_over)

    def _judge(self, container: RunningContainer, pid: int, identity: Identity, at: datetime) -> SensedEvent | None:
        link = str(Path(f"{self._proc}/{pid}/exe").readlink())
        path, deleted = link.removesuffix(_DELETED), link.endswith(_DELETED)
        digest = self._digest(pid, identity)
        if digest in self._engine_programs:
            return None
        expected = self._files.lookup(container.image, path)
        if expected is not None and not deleted and _same(expected, digest, identity.size):
            return None
        detail: dict[str, str | bool | int] = {
            "path": cut(path),
            "program": cut(path),
            "command": cut(redact(self._command(pid))),
            "sha256": digest,
            "in_image": False,
            "reason": _reason(path, expected, deleted),
        }
        return SensedEvent("program-started", container, at, f"{cut(path)} {digest[:16]}", detail)

    def _digest(self, pid: int, identity: Identity) -> str:
        digest = self._hashes.get(identity)
        if digest is None:
            digest = _hash(f"{self._proc}/{pid}/exe", identity.size)
            self._hashes[identity] = digest
            while len(self._hashes) > _MOST_HASHES:
                self._hashes.popitem(last=False)
        return digest

    def _identity(self, pid: int) -> Identity:
        found = os.stat(f"{self._proc}/{pid}/exe")  # noqa: PTH116 - thousands of times a second
        return Identity(found.st_dev, found.st_ino, found.st_size, found.st_ctime_ns)

    def _command(self, pid: int) -> str:
        with open(f"{self._proc}/{pid}/cmdline", "rb") as handle:  # noqa: PTH123 - see above
            return handle.read(8_192).replace(b"\0", b" ").decode("utf-8", errors="replace").strip()

    def _container_of(self, pid: int, by_id: Mapping[str, RunningContainer]) -> str:
        """The container's id, or an empty string for a process of the host."""
        try:
            namespace = os.readlink(f"{self._proc}/{pid}/ns/pid")  # noqa: PTH115 - see above
            if (found := self._namespaces.get(namespace)) is not None:
                return found
            with open(f"{self._proc}/{pid}/cgroup", encoding="utf-8", errors="replace") as handle:  # noqa: PTH123
                groups = handle.read(65_536)
        except OSError:
            return ""
        container = next((identity for identity in by_id if identity in groups), "")
        # Not remembered when it is nobody's: between clone and exec a process may not be in its group yet.
        if container and namespace != self._host:
            self._namespaces[namespace] = container
        return container

    def _invisible(self, containers: Sequence[RunningContainer]) -> dict[str, str]:
        """Learn the namespaces of all first processes; tell which containers are not on this host or hidden from us."""
        self._host = host = self._namespace(1) or self._namespace(os.getpid())
        self._namespaces = {host: ""}
        blind = {}
        for container in containers:
            namespace = self._namespace(container.pid) if container.pid else ""
            if not namespace:
                blind[container.id] = "Its processes are not visible from here (no root, or a remote engine)."
            elif namespace != host:
                self._namespaces[namespace] = container.id
            else:  # it shares the host's processes, so each of them must be asked for its group
                self._namespaces.pop(host, None)
        return blind

    def _namespace(self, pid: int) -> str:
        try:
            return os.readlink(f"{self._proc}/{pid}/ns/pid")  # noqa: PTH115 - see above
        except OSError:
            return ""

    def _pids(self) -> list[int]:
        return [int(name) for name in os.listdir(self._proc) if name.isdigit()]  # noqa: PTH208 - see above


def _same(expected: ImageFile, digest: str, size: int) -> bool:
    return expected.sha256 == digest if expected.sha256 else expected.size == size


def _reason(path: str, expected: ImageFile | None, deleted: bool) -> str:
    if path.startswith("/memfd:"):
        return "it runs from memory, from no file at all"
    if deleted:
        return "its file was deleted while it runs"
    return "the image has no such program" if expected is None else "the program was changed since the image was made"


def _hash(path: str, size: int) -> str:
    """Of the content; of a program beyond 1 GiB only that it is too large, which equals no digest."""
    if size > _MOST_PROGRAM_BYTES:
        return f"too-large-{size}"
    digest = hashlib.sha256()
    with open(path, "rb") as handle:  # noqa: PTH123 - see above
        while chunk := handle.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def engine_programs() -> frozenset[str]:
    """The digests of the programs of this host that an engine runs inside of containers for a moment or as init."""
    places = ("/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin", "/usr/libexec/docker", "/usr/lib/docker")
    names = ("runc", "crun", "docker-runc", "docker-init", "tini", "tini-static", "catatonit")
    found = set()
    for place in places:
        for name in names:
            path = Path(place) / name
            try:
                found.add(_hash(str(path), path.stat().st_size))
            except OSError:
                continue
    return frozenset(found)
