"""What is known of flaws, without a server: a database of its own, made once from the bundled snapshot or from files.

The same code takes the feeds in and matches as on a server, so both find the same. The file is named by what it was
made of, and written elsewhere first: scans at the same time share it or make it twice, never half.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from typing import Final

from lading.facts import Ledger
from lading.state import Database, migrate
from lading.supply_chain.advisories.bundled import load_snapshot
from lading.supply_chain.advisories.feeds import EPSS, KEV, Advisories
from lading.supply_chain.inventory.values import ImageInventory
from lading.supply_chain.match.finding import Finding
from lading.supply_chain.match.findings import Findings
from lading.supply_chain.report.result import Feed
from lading.supply_chain.scan.errors import TargetInvalid, TargetUnreadable

_SUFFIXES: Final = (".json", ".jsonl", ".csv", ".zst", ".gz", ".zip")
_MOST_FILE: Final = 2 << 30
_MOST_FILES: Final = 1_000


class Knowledge:
    """Judges inventories by everything that was taken in."""

    def __init__(self, database: Database) -> None:
        self._advisories = Advisories(database, Ledger())
        self._findings = Findings(database, Ledger(), self._advisories)

    def judge(self, inventory: ImageInventory) -> list[Finding]:
        """The findings of an inventory, worst first."""
        return self._findings.judge(inventory)

    def feeds(self) -> tuple[Feed, ...]:
        """What was taken in."""
        return tuple(
            Feed(source=one.source, records=one.records, newest=one.newest, age_days=one.age_days)
            for one in self._advisories.status()
        )

    def unspoken(self, inventory: ImageInventory) -> tuple[str, ...]:
        """A gap for each ecosystem of the inventory of which no advisory is known at all."""
        counts = inventory.ecosystems
        known = self._advisories.speaks_of(sorted(counts))
        return tuple(
            f"no-advisories: nothing is known of {ecosystem} ({counts[ecosystem]} packages were not judged)"
            for ecosystem in sorted(counts)
            if ecosystem not in known
        )


@contextmanager
def open_knowledge(cache: Path | None, files: Sequence[Path] = ()) -> Iterator[Knowledge]:
    """What the bundled snapshot says, or these files and directories of feeds instead.

    Args:
        cache: a directory that is kept from scan to scan; None for one that is gone afterwards.

    Raises:
        TargetUnreadable: a file or the cache cannot be read or written.
        AdvisoryInvalid: a file is no feed.
    """
    feeds = _feeds(files)
    if cache is None:
        with tempfile.TemporaryDirectory(prefix="lading-scan-") as directory:
            yield from _opened(_made(Path(directory), feeds))
    else:
        yield from _opened(_made(cache / "advisories", feeds))


def _opened(path: Path) -> Iterator[Knowledge]:
    database = Database(f"sqlite:///{path}", read_only=True)
    try:
        yield Knowledge(database)
    finally:
        database.close()


def _made(directory: Path, feeds: Sequence[tuple[str, Path]]) -> Path:
    path = directory / f"{_identity(feeds)}.db"
    if path.is_file():
        return path
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=directory) as workplace:
            fresh = Path(workplace) / "fresh.db"
            database = Database(f"sqlite:///{fresh}")
            try:
                _fill(database, feeds)
            finally:
                database.close()
            _as_one_file(fresh)
            fresh.replace(path)
        for old in directory.glob("*.db"):
            if old != path and len(list(directory.glob("*.db"))) > 4:
                old.unlink(missing_ok=True)
    except OSError as error:
        raise TargetUnreadable(
            f"The cache {directory} cannot be written: {error.strerror or error}.",
            remedy="Name another directory with --cache, or do without with --no-cache.",
        ) from error
    return path


def _fill(database: Database, feeds: Sequence[tuple[str, Path]]) -> None:
    migrate.upgrade(database)
    advisories = Advisories(database, Ledger())
    if not feeds:
        load_snapshot(advisories)
    for source, path in feeds:
        advisories.import_content(source, path.read_bytes())


def _as_one_file(path: Path) -> None:
    """A database that may be opened read-only needs no log beside it."""
    database = Database(f"sqlite:///{path}")
    try:
        with database.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.exec_driver_sql("PRAGMA journal_mode=DELETE")
    finally:
        database.close()


def _identity(feeds: Sequence[tuple[str, Path]]) -> str:
    """What a database is made of: this version of Lading, its schema, and the content of every feed."""
    content = sha256(f"{version('lading')} {migrate.revisions()[-1]}".encode())
    if feeds:
        for source, path in feeds:
            with path.open("rb") as handle:
                content.update(f"{source} {sha256(handle.read(_MOST_FILE)).hexdigest()}".encode())
    else:
        snapshot = resources.files("lading.supply_chain.advisories") / "snapshot"
        for entry in sorted(snapshot.iterdir(), key=lambda one: one.name):
            content.update(f"{entry.name} {sha256(entry.read_bytes()).hexdigest()}".encode())
    return content.hexdigest()[:32]


def _feeds(paths: Sequence[Path]) -> list[tuple[str, Path]]:
    """Feeds by name, advisories before KEV and EPSS, which speak of them."""
    found = []
    for path in paths:
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        found += [(_source(file), file) for file in files if file.name.endswith(_SUFFIXES) or not path.is_dir()]
    if paths and not found:
        raise TargetInvalid(
            f"{paths[0]} holds no feed.", remedy="Give OSV records (JSON, JSON lines, zip), kev.json or epss.csv."
        )
    if len(found) > _MOST_FILES:
        raise TargetInvalid(f"There are {len(found)} feeds; at most {_MOST_FILES} are taken in.")
    for _, file in found:
        if not file.is_file() or file.stat().st_size > _MOST_FILE:
            raise TargetUnreadable(f"{file} is no file, or larger than {_MOST_FILE >> 30} GiB.")
    return sorted(found, key=lambda one: (one[0] in (KEV, EPSS), one))


def _source(path: Path) -> str:
    name = path.name.partition(".")[0].lower()
    if name.startswith(("kev", "known_exploited")):
        return KEV
    return EPSS if name.startswith("epss") else name[:60] or "own"
