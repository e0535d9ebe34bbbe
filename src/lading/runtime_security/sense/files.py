"""Files written: the engine's diff of a container against its image, without what the engine itself puts there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple, Protocol

from lading.runtime_security.containers import RunningContainer
from lading.runtime_security.errors import ContainerGone
from lading.runtime_security.sense.events import SensedEvent, cut
from lading.runtime_security.sense.image_files import ImageFiles

MOST_PATHS: Final = 10_000
# Mount points and files that engines make in every container's own layer.
_ENGINE_FILES: Final = frozenset(
    {
        "/.dockerenv",
        "/run/.containerenv",
        "/etc/hostname",
        "/etc/hosts",
        "/etc/resolv.conf",
        "/etc/mtab",
        "/sbin/docker-init",
        "/usr/sbin/docker-init",
        "/dev",
        "/proc",
        "/sys",
    }
)
_ENGINE_TREES: Final = ("/dev/", "/proc/", "/sys/")


class Change(NamedTuple):
    """One path of a container's own layer; `kind` is added, changed or deleted."""

    path: str
    kind: str


class ContainerChanges(Protocol):
    """Knows what changed in containers."""

    def changes(self, container: str) -> Sequence[Change]:
        """The paths that differ from the image, parents too; raises ContainerGone and EngineSilent."""
        ...


class MemoryChanges:
    """A ContainerChanges that is told."""

    def __init__(self, changes: Mapping[str, Sequence[Change]] | None = None) -> None:
        self.of = {container: list(listed) for container, listed in (changes or {}).items()}

    def changes(self, container: str) -> Sequence[Change]:
        if container not in self.of:
            raise ContainerGone(f"There is no container {container[:12]}.")
        return self.of[container]


class FileSense:
    """Tells each changed path of a container once."""

    def __init__(self, source: ContainerChanges, files: ImageFiles) -> None:
        self._source = source
        self._files = files
        self._told: dict[str, set[Change]] = {}

    def look(self, container: RunningContainer, at: datetime) -> tuple[list[SensedEvent], int]:
        """What was written since the last look, and how many changes were too many to be told.

        Raises:
            ContainerGone, EngineSilent: the diff cannot be had.
            ImageNotIndexed: the image's files are not known.
        """
        told = self._told.setdefault(container.id, set())
        news = [change for change in written(self._source.changes(container.id), container) if change not in told]
        kept = news[: max(0, MOST_PATHS - len(told))]
        events = [event for change in kept if (event := self._event(container, change, at)) is not None]
        told.update(kept)
        return events, len(news) - len(kept)

    def forget(self, container: str) -> None:
        """The container is gone."""
        self._told.pop(container, None)

    def _event(self, container: RunningContainer, change: Change, at: datetime) -> SensedEvent | None:
        original = self._files.lookup(container.image, change.path)
        # A directory is `changed` whenever something in it was; the index knows regular files only.
        if change.kind == "changed" and original is None:
            return None
        path = cut(change.path)
        detail: dict[str, str | bool | int] = {"path": path, "change": change.kind, "in_image": original is not None}
        return SensedEvent("file-written", container, at, f"{change.kind} {path}", detail)


def written(changes: Sequence[Change], container: RunningContainer) -> Iterator[Change]:
    """The changes that a program made: no parents of changes, no mounts nor ways to them, nothing of the engine."""
    parents = {parent for change in changes for parent in _parents(change.path)}
    leading = {parent for mount in container.mounts for parent in _parents(mount)} | set(container.mounts)
    inside = tuple(f"{mount.rstrip('/')}/" for mount in container.mounts)
    for change in changes:
        path = change.path
        if path in _ENGINE_FILES or path.startswith(_ENGINE_TREES) or path in leading or path.startswith(inside):
            continue
        if path in parents and change.kind != "deleted":
            continue
        yield change


def _parents(path: str) -> Iterator[str]:
    while (path := path.rpartition("/")[0]) != "":
        yield path
