"""A repository in memory: the second adapter, for tests and dry runs. It keeps contents once, and encrypts nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from lading.continuity.errors import BackupDamaged, RepositoryAbsent, RepositoryFailed
from lading.continuity.items import Item
from lading.continuity.repository import Progress, Saved, Snapshot
from lading.kernel.ids import new_id


class MemoryRepository:
    """Snapshots in a dictionary. `contents` may be changed by tests that play a failing disk."""

    def __init__(self, *, created: bool = True) -> None:
        self.contents: dict[str, bytes] = {}
        self._snapshots: dict[str, tuple[Snapshot, dict[str, str]]] = {}
        self._id = new_id() if created else ""

    def identity(self) -> str:
        if not self._id:
            raise RepositoryAbsent("There is no repository in memory.", remedy="Make one first.")
        return self._id

    def create(self) -> str:
        if self._id:
            raise RepositoryFailed("There is a repository in memory already.")
        self._id = new_id()
        return self._id

    def save(self, directory: Path, tags: Mapping[str, str], progress: Progress) -> Saved:
        self.identity()
        files, added = {}, 0
        for path in sorted(path for path in directory.rglob("*") if path.is_file()):
            content = path.read_bytes()
            name = hashlib.sha256(content).hexdigest()
            added += 0 if name in self.contents else len(content)
            self.contents[name] = content
            files[path.relative_to(directory).as_posix()] = name
        made = Snapshot(new_id(), dict(tags))
        self._snapshots[made.id] = (made, files)
        progress(1.0, sum(len(self.contents[name]) for name in files.values()))
        return Saved(made.id, added)

    def snapshots(self) -> list[Snapshot]:
        self.identity()
        return [snapshot for snapshot, _files in self._snapshots.values()]

    def restore(self, snapshot: str, target: Path) -> None:
        for path, name in self._files(snapshot).items():
            file = target / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(self._content(path, name))

    def files(self, snapshot: str) -> Iterator[Item]:
        for path, name in self._files(snapshot).items():
            yield Item(path, len(self._content(path, name)))

    def check(self, *, read_data: bool) -> None:
        for _snapshot, files in self._snapshots.values():
            for path, name in files.items():
                content = self._content(path, name)
                if read_data and hashlib.sha256(content).hexdigest() != name:
                    raise BackupDamaged(f"{path} is not what was saved.")

    def forget(self, snapshots: list[str]) -> None:
        for snapshot in snapshots:
            self._snapshots.pop(snapshot, None)

    def prune(self) -> None:
        needed = {name for _snapshot, files in self._snapshots.values() for name in files.values()}
        self.contents = {name: content for name, content in self.contents.items() if name in needed}

    def _files(self, snapshot: str) -> dict[str, str]:
        self.identity()
        if snapshot not in self._snapshots:
            raise BackupDamaged(f"There is no snapshot {snapshot}.")
        return self._snapshots[snapshot][1]

    def _content(self, path: str, name: str) -> bytes:
        if name not in self.contents:
            raise BackupDamaged(f"The content of {path} is missing.")
        return self.contents[name]
