"""The source: a directory packed to one reproducible archive, and unpacked again where it is built.

The same files give the same bytes, so the archive's digest names the source. Owners, times and the order of the file
system are left out; the executable bit is kept.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from lading.kernel.digest import Digest
from lading.supply_chain.build.errors import SourceInvalid

MOST_BYTES: Final = 1 << 30
MOST_FILES: Final = 100_000
_ALWAYS_LEFT_OUT: Final = (".git", ".hg", ".svn", ".venv", "node_modules", "__pycache__")
# What says how to build and run is sent whatever .dockerignore says, as docker does with the first two.
_ALWAYS_SENT: Final = re.compile(r"(?:\.dockerignore|[\w.-]*Dockerfile[\w.-]*|(?:docker-)?compose\.ya?ml)")
_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class SourceState:
    """The commit of the directory's repository, and whether the directory differs from it; empty outside of one."""

    commit: str = ""
    dirty: bool = False


@dataclass(frozen=True, slots=True)
class Archive:
    """A packed source."""

    path: Path
    digest: Digest
    size: int

    def chunks(self) -> Iterator[bytes]:
        """The archive's bytes, 1 MiB at a time."""
        with self.path.open("rb") as handle:
            while chunk := handle.read(_CHUNK):
                yield chunk


def describe_source(directory: Path) -> SourceState:
    """Ask git about `directory`; a missing git or repository gives an empty state."""
    commit = _git(directory, "rev-parse", "HEAD")
    if not commit:
        return SourceState()
    return SourceState(commit, bool(_git(directory, "status", "--porcelain", "--", ".")))


@contextmanager
def pack_directory(directory: Path) -> Iterator[Archive]:
    """Pack a directory into a temporary archive, honouring .dockerignore at its top.

    Raises:
        SourceInvalid: it is too large, has too many files, or a link that leads out of it.
    """
    with tempfile.TemporaryDirectory(prefix="lading-source-") as scratch:
        path = Path(scratch) / "source.tar"
        try:
            with path.open("wb") as handle:
                _pack(directory.resolve(), handle)
        except (OSError, tarfile.TarError, UnicodeError) as error:
            raise SourceInvalid(
                f"The source {directory} cannot be packed: {error}.",
                remedy="Mend the permissions, or leave that file out with a .dockerignore file.",
            ) from error
        yield Archive(path, _digest_of(path), path.stat().st_size)


def unpack(archive: Path, into: Path) -> None:
    """Unpack an archive that somebody sent: nothing outside of `into` is touched, whatever it says.

    Raises:
        SourceInvalid: it is no tar archive, too large, or has entries that have no place in a source.
    """
    total, count = 0, 0
    try:
        with tarfile.open(archive, "r:") as tar:
            for member in tar:
                count, total = count + 1, total + max(member.size, 0)
                if count > MOST_FILES or total > MOST_BYTES:
                    raise SourceInvalid("The source archive holds too much.", remedy=_TOO_MUCH)
                if not (member.isfile() or member.isdir() or member.issym()):
                    raise SourceInvalid(f"The source archive holds {member.name[:200]!r}, which is no file or link.")
                tar.extract(member, into, filter="data")
    except tarfile.FilterError as error:
        raise SourceInvalid(f"The source archive reaches out of its directory: {error}.") from error
    except (tarfile.TarError, EOFError, OSError, ValueError, OverflowError, RecursionError) as error:
        raise SourceInvalid(f"The source archive cannot be unpacked: {error}.", remedy="Upload it again.") from error


_TOO_MUCH: Final = "Leave build results and data out with a .dockerignore file (at most 1 GiB and 100,000 files)."


def _pack(directory: Path, handle: io.BufferedWriter) -> None:
    ignored = _Ignore(directory)
    total = 0
    with tarfile.open(fileobj=handle, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for count, path in enumerate(_walk(directory, ignored)):
            name = path.relative_to(directory).as_posix()
            info = _entry(directory, path, name)
            total += info.size
            if total > MOST_BYTES or count >= MOST_FILES:
                raise SourceInvalid(f"The source {directory} is too large.", remedy=_TOO_MUCH)
            if info.isreg():
                with path.open("rb") as content:
                    tar.addfile(info, content)
            else:
                tar.addfile(info)


def _walk(directory: Path, ignored: _Ignore) -> Iterator[Path]:
    for path in sorted(directory.iterdir()):
        name = path.relative_to(ignored.root).as_posix()
        if path.name in _ALWAYS_LEFT_OUT:
            continue
        is_directory = path.is_dir() and not path.is_symlink()
        left_out = ignored.matches(name) and not (not is_directory and _ALWAYS_SENT.fullmatch(path.name))
        if left_out and not (is_directory and ignored.has_exceptions):
            continue
        yield path
        if is_directory:
            yield from _walk(path, ignored)


def _entry(root: Path, path: Path, name: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    status = path.lstat()
    info.mtime = 0
    info.mode = 0o755 if status.st_mode & 0o111 else 0o644
    if path.is_symlink():
        target = str(path.readlink())
        resolved = PurePosixPath(os.path.normpath((path.parent / target).as_posix()))
        if target.startswith("/") or not resolved.is_relative_to(root.as_posix()):
            raise SourceInvalid(f"{path} is a link that leads out of the source.", remedy="Remove it or ignore it.")
        info.type, info.linkname = tarfile.SYMTYPE, target
    elif path.is_dir():
        info.type, info.mode = tarfile.DIRTYPE, 0o755
    elif path.is_file():
        info.size = status.st_size
    else:
        raise SourceInvalid(f"{path} is neither file, directory nor link.", remedy="Remove it or ignore it.")
    return info


class _Ignore:
    """The patterns of a .dockerignore file; the last one that matches decides."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._rules: list[tuple[re.Pattern[str], bool]] = []
        file = root / ".dockerignore"
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines() if file.is_file() else ():
            pattern = line.strip()
            if pattern and not pattern.startswith("#"):
                keep = pattern.startswith("!")
                self._rules.append((_pattern(pattern.lstrip("!").strip("/")), keep))
        self.has_exceptions = any(keep for _, keep in self._rules)

    def matches(self, name: str) -> bool:
        ignored = False
        for pattern, keep in self._rules:
            if pattern.match(name):
                ignored = not keep
        return ignored


def _pattern(glob: str) -> re.Pattern[str]:
    """A .dockerignore pattern also covers everything below what it names; `**` stands for any depth.

    Source: the pattern grammar of Go's filepath.Match, which .dockerignore refers to, with `**` added.
    """
    parts = [part for part in glob.split("/") if part not in ("", ".")]
    expression = "".join(r"(?:.*/)?" if part == "**" else _part(part) + "/" for part in parts)
    if parts and parts[-1] == "**":
        expression = expression.removesuffix(r"(?:.*/)?") + ".*/"
    return re.compile(expression.removesuffix("/") + r"(?:/.*)?\Z", re.DOTALL)


def _part(glob: str) -> str:
    """One path component of a pattern as a regular expression that never crosses a slash."""
    pieces = re.findall(r"\\.|\[\^?[^\]]+\]|.", glob)
    return "".join(
        "[^/]*" if piece == "*"
        else "[^/]" if piece == "?"
        else _class(piece) if piece.startswith("[") and len(piece) > 2
        else re.escape(piece.removeprefix("\\") or piece)
        for piece in pieces
    )  # fmt: skip


def _class(piece: str) -> str:
    """A character class; one that is no valid range matches itself literally."""
    body = piece[1:-1]
    negated, body = body.startswith("^"), body.removeprefix("^")
    escaped = body.replace("\\", "\\\\").replace("[", r"\[").replace("&", r"\&").replace("~", r"\~").replace("|", r"\|")
    expression = f"(?!/)[{'^' if negated else ''}{escaped}]"
    try:
        re.compile(expression)
    except re.error:
        return re.escape(piece)
    return expression


def _digest_of(path: Path) -> Digest:
    with path.open("rb") as handle:
        return Digest("sha256", hashlib.file_digest(handle, "sha256").hexdigest())


def _git(directory: Path, *arguments: str) -> str:
    git = shutil.which("git")
    if git is None:
        return ""
    # A repository's own settings may name programs to run; this one would run on `status`.
    command = [git, "-c", "core.fsmonitor=false", *arguments]
    try:
        ended = subprocess.run(
            command, cwd=directory, capture_output=True, text=True, errors="replace", timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return ended.stdout.strip() if ended.returncode == 0 else ""
