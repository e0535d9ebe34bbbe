"""The files of a point that are neither database nor items: keys, checkpoints, spool, settings, rules, telemetry.

They are small, except for telemetry, whose parts never change and are linked instead of copied.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lading.continuity.errors import CopyFailed

CHECKPOINTS: Final = "checkpoints.jsonl"
_COPIED: Final = ("keys", "spool", "lading.toml")
_TELEMETRY: Final = "telemetry"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a Lading keeps its files.

    Args:
        data: the data directory.
        aside: names to files and directories outside of it that belong to the backup.
        settings: the settings in force, as text, without passwords.
    """

    data: Path
    aside: dict[str, Path]
    settings: str


def gather_before(place: Place, point: Path) -> None:
    """Copy what must not know more than the copy of the database will: the file of checkpoints."""
    source = place.data / CHECKPOINTS
    if source.is_file():
        _copy(source, point / "data" / CHECKPOINTS)


def gather_after(place: Place, point: Path, *, telemetry: bool) -> None:
    """Copy everything that may know more than the copy of the database."""
    for name in _COPIED:
        for file in _files(place.data / name):
            _copy(file, point / "data" / file.relative_to(place.data))
    for name, path in place.aside.items():
        for file in _files(path):
            _copy(file, point / "aside" / name / file.relative_to(path if path.is_dir() else path.parent))
    settings = point / "aside" / "settings.txt"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(place.settings, encoding="utf-8")
    if telemetry:
        for file in _files(place.data / _TELEMETRY):
            link_or_copy(file, point / "data" / file.relative_to(place.data))


def link_or_copy(source: Path, target: Path) -> bool:
    """Give an immutable file a second name, or a copy where that cannot be; False when it is gone."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        os.link(source, target)
    except FileNotFoundError:
        return False
    except OSError:
        return _copy(source, target)
    return True


def _copy(source: Path, target: Path) -> bool:
    """Copy a file; False when it vanished meanwhile."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        shutil.copy2(source, target)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise CopyFailed(
            f"{source} cannot be copied: {error.strerror}.", remedy="Free some space in the data directory."
        ) from error
    return True


def _files(path: Path) -> Iterator[Path]:
    if path.is_file() and not path.is_symlink():
        yield path
    elif path.is_dir():
        yield from (file for file in sorted(path.rglob("*")) if file.is_file() and not file.is_symlink())
