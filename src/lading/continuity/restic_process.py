"""restic as a process: started, listened to, ended with its parent, and its complaints put into our words."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from lading.continuity.errors import (
    RepositoryAbsent,
    RepositoryBusy,
    RepositoryFailed,
    ToolMissing,
    WrongPassword,
)

_MOST_OUT: Final = 256 << 20
_MOST_ERR: Final = 64 << 10
_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended."""

    location: str
    code: int
    out: bytes
    err: str

    @property
    def complaints(self) -> list[str]:
        """What it said on standard error, without its progress."""
        return [line.strip()[:300] for line in self.err.splitlines() if line.strip()]

    @property
    def is_busy(self) -> bool:
        """Whether another process holds the repository."""
        return self.code != 0 and "already locked" in self.err

    def raise_if_unreachable(self) -> None:
        """Raises RepositoryAbsent, WrongPassword, RepositoryBusy or RepositoryFailed for what is about the place."""
        err, place = self.err, self.location
        if "wrong password" in err or "no key found" in err:
            raise WrongPassword(
                f"The password does not open the backup repository {place}.",
                remedy="Correct LADING_BACKUP_PASSWORD_FILE. Without its password nothing in it can be read.",
            )
        if "Is there a repository at the following location" in err or "unable to open config file" in err:
            raise RepositoryAbsent(
                f"There is no backup repository at {place}.",
                remedy="Correct LADING_BACKUP_REPOSITORY, or mount what holds it.",
                details=tuple(self.complaints[:2]),
            )
        if self.is_busy:
            raise RepositoryBusy(f"Another process holds the repository {place}.", remedy="Try again later.")
        if "no space left on device" in err:
            raise RepositoryFailed(
                f"The disk of the backup repository {place} is full.",
                remedy="Free some space there; what was saved before is not touched.",
            )


class Restic:
    """Runs restic on one repository."""

    def __init__(
        self, program: Path, location: str, secret: Mapping[str, str], cache: Path, upload_limit: int = 0
    ) -> None:
        self._location = location
        limits = ("--limit-upload", str(upload_limit)) if upload_limit else ()
        self._command = (*_ended_with_parent(), str(program), *limits)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("LADING_", "RESTIC_"))}
        self._environment = {
            **inherited,
            **secret,
            "RESTIC_REPOSITORY": location,
            "RESTIC_CACHE_DIR": str(cache),
            "RESTIC_PROGRESS_FPS": "1",
            "LC_ALL": "C.UTF-8",
        }

    def run(self, *arguments: str) -> Ended:
        """Run to the end; the caller judges how it ended."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            process = self._start(arguments, None, out, err)
            code = process.wait()
            out.seek(0)
            return Ended(self._location, code, out.read(_MOST_OUT), _text(err))

    def messages(self, *arguments: str, cwd: Path | None = None) -> Iterator[dict[str, Any]]:
        """What a run says as JSON, line by line; raises as `require` does when it ends badly."""
        with tempfile.TemporaryFile() as err:
            process = self._start((*arguments, "--json"), cwd, subprocess.PIPE, err)
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    try:
                        yield _decode(line)
                    except msgspec.DecodeError:
                        continue
            finally:
                process.stdout.close()
                if process.poll() is None:
                    process.terminate()
                code = process.wait()
            self.require(Ended(self._location, code, b"", _text(err)))

    def require(self, ended: Ended) -> Ended:
        """The run, when it ended well.

        Raises:
            RepositoryAbsent, WrongPassword, RepositoryBusy, RepositoryFailed: what it complained about.
        """
        if ended.code != 0:
            ended.raise_if_unreachable()
            raise RepositoryFailed(
                f"restic failed on the repository {ended.location} (exit code {ended.code}).",
                remedy="Its words are below; check the place, the network and the AWS_ variables.",
                details=tuple(ended.complaints[:10]),
            )
        return ended

    def _start(self, arguments: tuple[str, ...], cwd: Path | None, out: Any, err: Any) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                [*self._command, *arguments],
                cwd=cwd,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )
        except OSError as error:
            raise ToolMissing(f"restic cannot be started: {error.strerror}.", remedy="Install it again.") from error


def _ended_with_parent() -> tuple[str, ...]:
    """A restic that outlived a killed Lading would go on reading a staging directory that is being remade."""
    return ("setpriv", "--pdeathsig", "KILL", "--") if shutil.which("setpriv") else ()


def _text(file: Any) -> str:
    file.seek(0, os.SEEK_END)
    file.seek(max(0, file.tell() - _MOST_ERR))
    return str(file.read().decode("utf-8", errors="replace"))
