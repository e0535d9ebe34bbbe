"""The tree's files: each appears, changes and goes at once, so that a server never sees a part of one.

What is written is written beside the tree and renamed into it. Nothing is flushed to the disk: after a power failure
the whole tree is compared anyway before it counts again.
"""

from __future__ import annotations

import errno
import fcntl
import grp
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import IO, Final

import msgspec

from lading.kernel.reference import is_repository_name
from lading.supply_chain.registry.errors import StorageFailed
from lading.supply_chain.registry.tree import layout
from lading.supply_chain.registry.tree.beat import FILE, Beat
from lading.supply_chain.registry.tree.layout import LOG

_SCRATCH: Final = ".scratch"
_LOCK: Final = ".lock"
_ASKED: Final = ".compare"
_READABLE: Final = 0o444
_NO_HARD_LINKS: Final = frozenset({errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP})


class TreeFiles:
    """The directory of the tree, to be changed by one process at a time.

    Args:
        group: who may read it besides us, by name; nobody when empty.
    """

    def __init__(self, root: Path, group: str = "") -> None:
        self.root = root
        self._group = group
        self._lock: IO[bytes] | None = None

    def open(self) -> bool:
        """Make the directory and keep others from changing it; False when somebody else does.

        Raises:
            StorageFailed: it cannot be made, or not be given to the group, or is something else than a tree.
        """
        with _translated(self.root):
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._refuse_another()
            self._admit()
            lock = (self.root / _LOCK).open("ab")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.close()
                return False
            self._lock = lock
            shutil.rmtree(self.root / _SCRATCH, ignore_errors=True)
            (self.root / _SCRATCH).mkdir(mode=0o700)
            self._directory(self.root / layout.SERVED)
        return True

    def close(self) -> None:
        """Let others change it."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def clear(self) -> None:
        """Remove the tree; what somebody else put beside it stays."""
        for name in (layout.SERVED, _SCRATCH, Path(LOG).parts[0]):
            shutil.rmtree(self.root / name, ignore_errors=True)
        for name in (FILE, _ASKED, _LOCK):
            (self.root / name).unlink(missing_ok=True)
        with suppress(OSError):
            self.root.rmdir()

    # To look

    def path(self, place: PurePosixPath) -> Path:
        """Where something lies, or would lie."""
        return self.root / place

    def exists(self, place: PurePosixPath) -> bool:
        """Whether a file, or a link to one, is there."""
        return (self.root / place).is_file()

    def names(self, repository: str, area: str) -> list[str]:
        """What lies in an area of a repository."""
        try:
            return sorted(path.name for path in (self.root / layout.repository(repository) / area).iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []

    def repositories(self) -> list[str]:
        """The repositories of which something is there."""
        found = []
        served = self.root / layout.SERVED
        for here, directories, files in os.walk(served):
            name = Path(here).relative_to(served).as_posix()
            if is_repository_name(name) and (layout.LIST in files or not set(layout.AREAS).isdisjoint(directories)):
                found.append(name)
            directories[:] = [name for name in directories if not name.startswith("_")]
        return sorted(found)

    # To change

    def link(self, place: PurePosixPath, source: Path, *, copied: bool = False) -> bool:
        """Have a name for a file of the store; whether the file is there.

        Args:
            copied: where no hard link can be had, copy the file instead of pointing to it.
        """
        target = self.root / place
        with _translated(target):
            try:
                there = source.stat()
            except FileNotFoundError:
                return False
            if not there.st_mode & 0o004:
                source.chmod(there.st_mode | _READABLE)
            if _is_same(target, there) or (copied and _holds(target, source.read_bytes())):
                return True
            instead = _copy if copied else _point
            self._into_place(target, lambda scratch: _link(source, scratch, instead))
        return True

    def write(self, place: PurePosixPath, content: bytes) -> None:
        """Have a file with this content."""
        target = self.root / place
        with _translated(target):
            if _holds(target, content):
                return
            self._into_place(target, lambda scratch: _write(scratch, content))

    def point(self, place: PurePosixPath, name: str) -> None:
        """Have a symbolic link to another name."""
        target = self.root / place
        with _translated(target):
            if target.is_symlink() and target.readlink() == Path(name):
                return
            self._into_place(target, lambda scratch: scratch.symlink_to(name))

    def remove(self, place: PurePosixPath) -> None:
        """Have nothing there."""
        target = self.root / place
        with _translated(target):
            try:
                target.unlink()
            except (FileNotFoundError, NotADirectoryError):
                return
            except (IsADirectoryError, PermissionError):
                if not target.is_dir():
                    raise
                shutil.rmtree(target)

    def tidy(self, repository: str) -> None:
        """Remove what is left of a repository that holds nothing any more."""
        here = self.root / layout.repository(repository)
        for path in [*(here / area for area in layout.AREAS), *_up_to(here, self.root / layout.SERVED)]:
            try:
                path.rmdir()
            except OSError:
                continue

    def tell(self, beat: Beat) -> None:
        """Say how far the tree is."""
        with _translated(self.root):
            self._into_place(self.root / FILE, lambda scratch: _write(scratch, msgspec.json.encode(beat)))

    def ask(self) -> None:
        """Ask whoever keeps the tree to compare all of it."""
        with _translated(self.root):
            (self.root / _ASKED).touch()

    def asked(self) -> bool:
        """Whether somebody asked since the last call."""
        try:
            (self.root / _ASKED).unlink()
        except FileNotFoundError:
            return False
        return True

    # How it is done

    def _into_place(self, target: Path, make: Callable[[Path], object]) -> None:
        scratch = self.root / _SCRATCH / "next"
        scratch.unlink(missing_ok=True)
        make(scratch)
        try:
            scratch.replace(target)
        except FileNotFoundError:
            self._directory(target.parent)
            scratch.replace(target)

    def _directory(self, path: Path) -> None:
        """Make a directory that the group of the tree may look into, whatever the umask says."""
        if path.is_dir():
            return
        if path.parent != self.root:
            self._directory(path.parent)
        path.mkdir(exist_ok=True)
        path.chmod(0o755)

    def _refuse_another(self) -> None:
        """A directory that holds other things keeps its permissions and its files."""
        if not (self.root / _LOCK).exists() and any(self.root.iterdir()):
            raise StorageFailed(
                f"{self.root} holds other things than a tree of pulls.",
                remedy="Set LADING_TREE to a directory of its own.",
            )

    def _admit(self) -> None:
        """Only we may enter, and the group; the log of pulls is the one thing that the group may write."""
        log = self.root / LOG
        log.parent.mkdir(exist_ok=True)
        log.touch()
        modes = {self.root: 0o750, log.parent: 0o750, log: 0o660}
        if not self._group:
            for path in modes:
                path.chmod(0o700 if path.is_dir() else 0o600)
            return
        try:
            number = grp.getgrnam(self._group).gr_gid
            for path, mode in modes.items():
                there = path.stat()
                if there.st_gid != number:
                    os.chown(path, -1, number)
                if there.st_mode & 0o777 != mode:
                    path.chmod(mode)
        except (KeyError, PermissionError) as error:
            raise StorageFailed(
                f"The tree {self.root} cannot be given to the group {self._group}: {error}.",
                remedy="Correct LADING_TREE_GROUP, or make Lading's user a member of that group.",
            ) from error


def _is_same(target: Path, there: os.stat_result) -> bool:
    try:
        return os.path.samestat(target.stat(), there)
    except (FileNotFoundError, NotADirectoryError):
        return False


def _link(source: Path, scratch: Path, instead: Callable[[Path, Path], object]) -> None:
    try:
        os.link(source, scratch)
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        instead(source, scratch)


def _point(source: Path, scratch: Path) -> None:
    scratch.symlink_to(source)


def _copy(source: Path, scratch: Path) -> None:
    _write(scratch, source.read_bytes())


def _write(scratch: Path, content: bytes) -> None:
    with scratch.open("xb") as handle:
        handle.write(content)
        os.fchmod(handle.fileno(), _READABLE)


def _holds(target: Path, content: bytes) -> bool:
    try:
        return not target.is_symlink() and target.stat().st_size == len(content) and target.read_bytes() == content
    except (FileNotFoundError, NotADirectoryError):
        return False


def _up_to(path: Path, end: Path) -> Iterator[Path]:
    while path not in (end, path.parent):
        yield path
        path = path.parent


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageFailed(
            f"The tree cannot be changed at {path}: {error.strerror}.",
            remedy="Check the disk and the permissions of LADING_TREE; until then pulls go through the pull endpoint.",
        ) from error


class Differences(TreeFiles):
    """The same directory, only looked at: `found` names what would have been changed, relative to the tree."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.found: list[str] = []

    def remove(self, place: PurePosixPath) -> None:
        if os.path.lexists(self.root / place):
            self.found.append(f"{place}: should not be there")

    def tidy(self, repository: str) -> None:
        del repository

    def _into_place(self, target: Path, make: Callable[[Path], object]) -> None:
        del make
        what = "is another" if os.path.lexists(target) else "is missing"
        self.found.append(f"{target.relative_to(self.root)}: {what}")
