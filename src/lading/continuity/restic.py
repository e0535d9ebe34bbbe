"""The repository that restic keeps: encrypted (AES-256 in counter mode with Poly1305), deduplicated, compressed.

Chosen over own code because a format for backups has to be older than the data in it: anybody can restore ours with a
program of their distribution. The password reaches restic in its environment, never in its arguments.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from lading.continuity.errors import BackupDamaged, RepositoryBusy, RepositoryFailed, ToolMissing
from lading.continuity.items import Item
from lading.continuity.repository import Progress, Saved, Snapshot
from lading.continuity.restic_process import Ended, Restic

# How long work that needs the repository for itself waits for others, and how long others wait for it: a check that
# reads every byte takes hours.
_BUSY_SECONDS: Final = 120.0
_CHECKED_SECONDS: Final = 4 * 3600.0
_BUSY_PAUSE: Final = 2.0
_OLDEST: Final = (0, 14)
_HOST: Final = "lading"


class _Config(msgspec.Struct):
    id: str
    version: int = 1


class _Found(msgspec.Struct):
    id: str
    tags: list[str] | None = None


class ResticRepository:
    """One repository.

    Args:
        location: a directory, or `s3:https://HOST/BUCKET/PREFIX`; credentials come from the usual AWS_ variables.
        secret: the environment that tells restic its password: RESTIC_PASSWORD_FILE or RESTIC_PASSWORD.
        cache: a directory for what restic keeps of the repository on this machine.
        upload_limit: most KiB a second to write; 0 for no limit.

    Raises:
        ToolMissing: restic is not installed, or older than 0.14.
    """

    def __init__(self, location: str, secret: Mapping[str, str], cache: Path, *, upload_limit: int = 0) -> None:
        self._restic = Restic(find_restic(), location, secret, cache, upload_limit)

    def identity(self) -> str:
        return msgspec.json.decode(self._run("cat", "config", "--no-lock").out, type=_Config).id

    def create(self) -> str:
        self._run("init")
        return self.identity()

    def save(self, directory: Path, tags: Mapping[str, str], progress: Progress) -> Saved:
        deadline = time.monotonic() + _CHECKED_SECONDS
        while True:
            try:
                return self._save(directory, tags, progress)
            except RepositoryBusy:
                if time.monotonic() > deadline:
                    raise
            # Perhaps by a process that was killed; what lives on stays locked.
            time.sleep(_BUSY_PAUSE)
            self._run("unlock")

    def _save(self, directory: Path, tags: Mapping[str, str], progress: Progress) -> Saved:
        joined = ",".join(f"{name}={value}" for name, value in tags.items())
        arguments = ("backup", ".", "--host", _HOST, "--tag", joined, "--force")
        summary: dict[str, Any] = {}
        try:
            for said in self._restic.messages(*arguments, cwd=directory):
                if said.get("message_type") == "status":
                    progress(float(said.get("percent_done", 0)), int(said.get("bytes_done", 0)))
                elif said.get("message_type") == "summary":
                    summary = said
        except RepositoryFailed:
            # restic keeps a snapshot of what it could read when a file could not be.
            self.forget(self._named(str(summary.get("snapshot_id", ""))))
            raise
        saved = self._named(str(summary.get("snapshot_id", "")))
        if not saved:
            raise RepositoryFailed("restic ended without saying what it saved.")
        return Saved(saved[-1], int(summary.get("data_added", 0)))

    def snapshots(self) -> list[Snapshot]:
        said = self._run("snapshots", "--json", "--no-lock").out
        rows = msgspec.json.decode(said or b"[]", type=list[_Found] | None) or []
        return [Snapshot(row.id, {name: value for name, _, value in _pairs(row.tags or ())}) for row in rows]

    def restore(self, snapshot: str, target: Path) -> None:
        target.mkdir(parents=True, exist_ok=True)
        ended = self._patiently("restore", snapshot, "--target", str(target), seconds=_CHECKED_SECONDS)
        if ended.code != 0 and "unable to create lock" in ended.err and not ended.is_busy:
            # A repository that cannot be written, such as a copy on read-only media.
            ended = self._restic.run("restore", snapshot, "--target", str(target), "--no-lock")
        if ended.code != 0:
            raise _damaged(f"Snapshot {snapshot[:8]} cannot be restored whole.", ended)

    def files(self, snapshot: str) -> Iterator[Item]:
        for said in self._restic.messages("ls", snapshot, "--no-lock"):
            if said.get("type") == "file":
                yield Item(str(said["path"]).lstrip("/"), int(said.get("size", 0)))

    def check(self, *, read_data: bool) -> None:
        ended = self._patiently("check", *(("--read-data",) if read_data else ()))
        if ended.code != 0:
            raise _damaged("The repository is damaged.", ended)

    def forget(self, snapshots: list[str]) -> None:
        known = {item.id for item in self.snapshots()}
        gone = [snapshot for snapshot in snapshots if snapshot in known]
        if gone:
            self._restic.require(self._patiently("forget", *gone))

    def prune(self) -> None:
        self._restic.require(self._patiently("prune"))

    def _named(self, start: str) -> list[str]:
        """The snapshots whose id begins with the eight digits that a summary names one by."""
        return [item.id for item in self.snapshots() if start and item.id.startswith(start)]

    def _run(self, *arguments: str) -> Ended:
        return self._restic.require(self._restic.run(*arguments))

    def _patiently(self, *arguments: str, seconds: float = _BUSY_SECONDS) -> Ended:
        """Run, again while others hold the repository; what those left locked who died is unlocked between.

        The run that comes back is still busy when nothing may be unlocked, as on read-only media.

        Raises:
            RepositoryBusy: somebody else held it for all that time.
        """
        deadline = time.monotonic() + seconds
        while True:
            ended = self._restic.run(*arguments)
            if not ended.is_busy:
                return ended
            if time.monotonic() > deadline:
                raise RepositoryBusy("Another process holds the repository.", remedy="Wait for it and try again.")
            time.sleep(_BUSY_PAUSE)
            if self._restic.run("unlock").code != 0:
                return ended


def _pairs(tags: Sequence[str]) -> list[tuple[str, str, str]]:
    return [tag.partition("=") for tag in tags]


def find_restic() -> Path:
    """The program; raises ToolMissing."""
    found = shutil.which("restic")
    if found is None:
        raise ToolMissing(
            "Backups are stored by restic, which is not installed.", remedy="Install it: apt-get install restic"
        )
    with tempfile.TemporaryDirectory(prefix="lading-restic-") as scratch:
        shown = Restic(Path(found), scratch, {}, Path(scratch)).run("version").out.decode(errors="replace")
    words = shown.split()
    number = tuple(int(part) for part in words[1].split(".")[:2] if part.isdigit()) if len(words) > 1 else ()
    if number < _OLDEST:
        raise ToolMissing(f"{found} is {shown.strip()[:60]!r}; 0.14 or newer is needed.", remedy="Install a newer one.")
    return Path(found)


def _damaged(what: str, ended: Ended) -> BackupDamaged:
    ended.raise_if_unreachable()
    return BackupDamaged(
        what,
        remedy="Take a new backup into a new repository, and look at the disk or store that holds this one.",
        details=tuple(ended.complaints[:10]),
    )
