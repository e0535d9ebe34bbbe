"""The files of the Parquet store and their names, which are all the index there is.

    DIRECTORY/logs/2026-11-24/000000000007-000000000007.parquet      written by one append
    DIRECTORY/logs/2026-11-24/000000000001-000000000031.parquet      made by compaction of 1 to 31
    DIRECTORY/floor                                                  what was removed, see `Expiring.floor`

A part whose numbers lie within those of another part of its directory is already contained in it. Readers pass over
it, so a compaction needs no lock: the large part appears by a rename, the small ones are removed afterwards, and a
crash in between shows no line twice.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

LOGS: Final = "logs"
SAMPLES: Final = "samples"
_NAME: Final = re.compile(r"(\d{12})-(\d{12})\.parquet")
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_INCOMING: Final = ".incoming"


class Part(NamedTuple):
    """One immutable file."""

    day: str
    first: int
    last: int
    size: int
    path: Path


def name_of(first: int, last: int) -> str:
    """The file name of the part that holds the appends numbered `first` to `last`."""
    return f"{first:012d}-{last:012d}.parquet"


def day_of(at: int) -> str:
    """The day (UTC) of a moment in microseconds."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)).strftime("%Y-%m-%d")


def day_starts(day: str) -> int:
    """The first microsecond of a day."""
    return int(datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()) * 1_000_000


def days(directory: Path) -> list[str]:
    """The days that there are parts of, oldest first."""
    try:
        return sorted(entry.name for entry in directory.iterdir() if _DAY.fullmatch(entry.name))
    except FileNotFoundError:
        return []


def every_part(directory: Path, day: str) -> list[Part]:
    """All parts of a day, contained ones too, by number."""
    found = []
    with suppress(FileNotFoundError), os.scandir(directory / day) as entries:
        for entry in entries:
            name = _NAME.fullmatch(entry.name)
            if name is not None:
                with suppress(FileNotFoundError):
                    size = entry.stat().st_size
                    found.append(Part(day, int(name[1]), int(name[2]), size, Path(entry.path)))
    return sorted(found, key=lambda part: (part.first, -part.last))


def split_contained(parts: list[Part]) -> tuple[list[Part], list[Part]]:
    """The parts to read, and those that are contained in one of them."""
    read: list[Part] = []
    contained: list[Part] = []
    for part in parts:
        inside = bool(read) and part.last <= read[-1].last
        (contained if inside else read).append(part)
    return read, contained


def live_parts(directory: Path, day: str) -> list[Part]:
    """The parts of a day that together hold each record once."""
    return split_contained(every_part(directory, day))[0]


def remove_leftovers(directory: Path) -> Iterator[Path]:
    """Remove what a killed writer left: half-written files and parts that compaction had already taken in."""
    for day in days(directory):
        for path in (directory / day).glob(f"{_INCOMING}*"):
            path.unlink(missing_ok=True)
            yield path
        for part in split_contained(every_part(directory, day))[1]:
            part.path.unlink(missing_ok=True)
            yield part.path


def publish(files: Sequence[tuple[Path, Callable[[Path], None]]]) -> None:
    """Write each file beside its target, make all durable, then make them visible one by one in the order given.

    Whatever goes wrong while writing (a full disk) leaves none of them.
    """
    incoming: list[tuple[Path, Path]] = []
    try:
        for target, write in files:
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            temporary = target.parent / f"{_INCOMING}-{target.name}"
            incoming.append((temporary, target))
            write(temporary)
            _sync(temporary)
    except BaseException:
        for temporary, _target in incoming:
            temporary.unlink(missing_ok=True)
        raise
    for temporary, target in incoming:
        temporary.replace(target)
    for directory in {target.parent for _temporary, target in incoming}:
        _sync(directory)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
