"""The package archives at one moment: verified indexes, kept so that an image can be made again from the same.

`apt-get update` runs in a directory of its own with none of the machine's apt settings but proxies and trust. What it
verified is frozen under the digest of the signed indexes; mmdebstrap reads the frozen copy and never the network.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final

from lading.kernel.digest import Digest
from lading.supply_chain.build.apt_sources import AptSource, paragraph_fields, sources_for
from lading.supply_chain.build.base import Archive, BaseFailed, Say, Snapshot

_UPDATE_SECONDS: Final = 300
_CARRIED: Final = ("Acquire::http::", "Acquire::https::", "Acquire::ftp::", "Acquire::Retries")
_ORIGIN: Final = "Debian"
_KEPT: Final = 3


@dataclass(frozen=True, slots=True)
class FrozenLists:
    """A snapshot and the files it stands for."""

    snapshot: Snapshot
    lists: Path
    sources: Path
    settings: Path


class AptSnapshots:
    """The snapshots kept in one directory."""

    def __init__(self, directory: Path, etc: Path = Path("/etc/apt")) -> None:
        self._directory = directory
        self._etc = etc

    def current(self, release: str, say: Say) -> FrozenLists:
        """Ask the archives of `release` for their present indexes and freeze them.

        Raises:
            BaseFailed: the machine knows no archive of the release, one does not answer, or a signature is wrong.
        """
        sources = sources_for(release, self._etc)
        if not sources:
            raise BaseFailed(
                f"This machine's apt knows no package archive of {release}.",
                remedy=f"Add one to {self._etc}/sources.list.d, with suites {release} and {release}-security.",
            )
        working = self._directory / release
        working.mkdir(parents=True, exist_ok=True)
        with _alone(working / "lock"):
            settings = self._write_settings(working, sources)
            say(f"asking {len(sources)} package archives of {release} for their indexes")
            self._update(working, settings, release)
            return self._freeze(working, release)

    def frozen(self, release: str, snapshot: Snapshot) -> FrozenLists | None:
        """The files of a snapshot, if they are still kept."""
        kept = self._directory / release / "frozen" / snapshot.digest.hex
        working = self._directory / release
        if not (kept / "lists").is_dir():
            return None
        return FrozenLists(snapshot, kept / "lists", kept / "archives.sources", working / "apt.conf")

    def _write_settings(self, working: Path, sources: Sequence[AptSource]) -> Path:
        (working / "lists" / "partial").mkdir(parents=True, exist_ok=True)
        (working / "cache").mkdir(exist_ok=True)
        (working / "archives.sources").write_text("\n".join(source.stanza() for source in sources), encoding="utf-8")
        settings = working / "apt.conf"
        settings.write_text("\n".join(_carried_settings()) + "\n", encoding="utf-8")
        return settings

    def _update(self, working: Path, settings: Path, release: str) -> None:
        lines = [
            'Dir::Etc::Parts "/dev/null/";',
            'Dir::Etc::Main "/dev/null";',
            f'Dir::Etc::SourceList "{working / "archives.sources"}";',
            'Dir::Etc::SourceParts "/dev/null/";',
            f'Dir::State::Lists "{working / "lists"}/";',
            f'Dir::Cache "{working / "cache"}/";',
            'Acquire::Languages "none";',
            'APT::Update::Error-Mode "any";',
            'APT::Sandbox::User "root";',
            settings.read_text(encoding="utf-8"),
        ]
        config = working / "update.conf"
        config.write_text("\n".join(lines), encoding="utf-8")
        ended = run_tool(["apt-get", "update", "-q"], {"APT_CONFIG": str(config)}, _UPDATE_SECONDS)
        if ended.returncode != 0:
            raise BaseFailed(
                f"The package archives of {release} cannot be read: apt-get update failed.",
                remedy="Check the network, the proxy settings of apt and the clock; then try again.",
                details=tuple((ended.stdout + ended.stderr).splitlines()[-10:]),
            )

    def _freeze(self, working: Path, release: str) -> FrozenLists:
        snapshot = describe_lists(working / "lists")
        frozen = working / "frozen" / snapshot.digest.hex
        if not frozen.is_dir():
            frozen.parent.mkdir(exist_ok=True)
            scratch = Path(tempfile.mkdtemp(dir=frozen.parent, prefix="new-"))
            (scratch / "lists").mkdir()
            for file in sorted((working / "lists").iterdir()):
                if file.is_file() and file.name != "lock":
                    os.link(file, scratch / "lists" / file.name)
            shutil.copy(working / "archives.sources", scratch / "archives.sources")
            scratch.rename(frozen)
            self._forget_old(frozen.parent)
        os.utime(frozen)
        found = self.frozen(release, snapshot)
        if found is None:
            raise BaseFailed(f"The package indexes of {release} could not be kept.", remedy="Is the disk full?")
        return found

    def _forget_old(self, directory: Path) -> None:
        by_age = sorted(directory.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in by_age[_KEPT:]:
            shutil.rmtree(path, ignore_errors=True)


def describe_lists(lists: Path) -> Snapshot:
    """The snapshot that the signed indexes in an apt lists directory make up.

    Raises:
        BaseFailed: there is none, or one is not of the distribution or has no date.
    """
    archives, newest = [], datetime.fromtimestamp(0, UTC)
    for file in sorted([*lists.glob("*_InRelease"), *lists.glob("*_Release")]):
        content = file.read_bytes()
        fields = paragraph_fields(_head(content.decode("utf-8", errors="replace")))
        try:
            date = parsedate_to_datetime(fields["date"].replace("UTC", "+0000"))
        except (KeyError, ValueError) as error:
            raise BaseFailed(
                f"The index {file.name} has no date.", remedy="Its mirror is broken; use another."
            ) from error
        if fields.get("origin") != _ORIGIN:
            raise BaseFailed(
                f"The archive with label {fields.get('label', '')!r} is not {_ORIGIN}'s own.",
                remedy="Remove it from the suites of this release in apt's sources.",
            )
        name = f"{fields['origin']} {fields.get('codename') or fields.get('suite', '')}"
        archives.append(Archive(name, date.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), Digest.of(content)))
        newest = max(newest, date.astimezone(UTC))
    if not archives:
        raise BaseFailed("The package archives gave no signed index.")
    return Snapshot(tuple(sorted(archives, key=lambda item: item.name)), int(newest.timestamp()))


def _head(index: str) -> str:
    """The fields before the long lists of checksums, without the armour of an inline signature."""
    signed = index.startswith("-----BEGIN PGP SIGNED MESSAGE-----")
    return re.split(r"\n(?:MD5Sum|SHA1|SHA256):", index.partition("\n\n")[2] if signed else index)[0]


def run_tool(command: list[str], environment: dict[str, str], seconds: float) -> subprocess.CompletedProcess[str]:
    """Run a package tool to its end; raises BaseFailed when it is missing or takes too long."""
    try:
        return subprocess.run(
            command, env=tool_environment(environment), capture_output=True, text=True, errors="replace",
            timeout=seconds, check=False,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise BaseFailed(
            f"{command[0]} is not on this machine.", remedy="Bases are made on Debian and its kin."
        ) from error
    except subprocess.TimeoutExpired as error:
        raise BaseFailed(
            f"{command[0]} took longer than {seconds:.0f} s.", remedy="Is its mirror reachable?"
        ) from error


def tool_environment(more: dict[str, str]) -> dict[str, str]:
    """A small environment, so that nothing of the caller's leaks into what package scripts do."""
    kept = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
    return {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        "LC_ALL": "C.UTF-8",
        "DEBIAN_FRONTEND": "noninteractive",
        **{name: os.environ[name] for name in kept if name in os.environ},
        **more,
    }


def _carried_settings() -> list[str]:
    """Proxies, TLS trust and retries that the machine's apt is set to."""
    dumped = run_tool(["apt-config", "dump", *("--format", '%f "%v";%n')], {}, 30)
    return [
        line for line in dumped.stdout.splitlines() if line.startswith(_CARRIED) and not line.endswith(' "";')
    ]  # fmt: skip


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
