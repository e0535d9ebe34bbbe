"""Updating feeds from where they are published: all of a feed, or only what was modified since the last time.

download to a file -> staged piece by piece -> visible in one transaction; a failure is noted and changes nothing
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from lading.kernel.clock import Clock, SystemClock, parse_timestamp, timestamp
from lading.kernel.errors import LadingError
from lading.supply_chain.advisories.download import MOST_FEED, Downloader
from lading.supply_chain.advisories.errors import AdvisoryInvalid
from lading.supply_chain.advisories.feeds import Advisories, Imported
from lading.supply_chain.advisories.origin import FeedStatus, Origin
from lading.supply_chain.advisories.osv import MOST_RECORD
from lading.supply_chain.advisories.reading import raw_records
from lading.supply_chain.advisories.sources import OSV, Source, Sources

_log = logging.getLogger(__name__)
_ACTOR: Final = "system:advisories"
# More changed records than this are quicker to have from the whole export than one by one.
_MOST_SINGLE: Final = 500
_MOST_LIST: Final = 256 << 20
_MOST_CATALOGUE: Final = 512 << 20
Say = Callable[[str], None]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of updating one source: `updated`, `unchanged` or `failed`."""

    source: str
    outcome: str
    changed: int = 0
    records: int = 0
    error: str = ""


class Updates:
    """Brings feeds up to date.

    Args:
        directory: where downloads lie while they are on their way.
    """

    def __init__(
        self,
        advisories: Advisories,
        sources: Sources,
        downloader: Downloader,
        directory: Path,
        *,
        clock: Clock | None = None,
    ) -> None:
        self._advisories = advisories
        self.sources = sources
        self._downloader = downloader
        self._directory = directory
        self._clock = clock or SystemClock()

    def update(self, name: str = "", *, whole: bool = False, actor: str = _ACTOR, say: Say) -> list[Outcome]:
        """Update one source, or all; a source that fails does not keep the others from being updated.

        Args:
            whole: fetch all of a feed, also when what was modified would do.

        Raises:
            NotFound: there is no such source.
        """
        outcomes = []
        for source in [self.sources.named(name)] if name else self.sources.all():
            try:
                outcome = self._update(source, whole, actor)
            except LadingError as error:
                self._advisories.note(source.name, error=error.what, address=source.address)
                outcome = Outcome(source=source.name, outcome="failed", error=error.what)
            say(_told(outcome))
            outcomes.append(outcome)
        return outcomes

    def fetch_record(self, source: str, identity: str, *, actor: str = _ACTOR) -> Imported:
        """Fetch and take in one record of an ecosystem; raises NotFound, FeedUnavailable and AdvisoryInvalid."""
        found = self.sources.named(source)
        return self._advisories.import_osv(found.name, self._records(found, [identity]), actor=actor)

    def is_due(self, hours: int) -> bool:
        """Whether some source was not tried for so long."""
        now = self._clock.now().timestamp()
        tried = {status.source: status for status in self._advisories.status()}
        return any(_since(tried.get(source.name), now) >= hours * 3600 for source in self.sources.all())

    def _update(self, source: Source, whole: bool, actor: str) -> Outcome:
        kept = {status.source: status for status in self._advisories.status()}.get(source.name)
        if source.kind == OSV and not whole and kept is not None and kept.fetched and kept.newest:
            modified = self._modified_since(source, kept.newest)
            if modified is not None:
                return self._update_single(source, kept, modified, actor)
        return self._update_whole(source, kept, actor)

    def _update_whole(self, source: Source, kept: FeedStatus | None, actor: str) -> Outcome:
        file = self._file(source, "whole")
        etag = kept.etag if kept is not None and kept.records and kept.address == source.address else ""
        most = MOST_FEED if source.kind == OSV else _MOST_CATALOGUE
        found = self._downloader.download(source.whole, file, etag=etag, most=most)
        if found.unchanged:
            self._advisories.note(source.name, unchanged=True)
            return Outcome(source=source.name, outcome="unchanged", records=kept.records if kept else 0)
        origin = Origin(
            address=source.address, etag=found.etag, file=found.sha256, fetched=timestamp(self._clock.now())
        )
        try:
            imported = self._advisories.import_content(
                source.name, file, actor=actor, origin=origin, complete=source.kind == OSV
            )
        finally:
            file.unlink(missing_ok=True)
        return _outcome(imported)

    def _update_single(self, source: Source, kept: FeedStatus, modified: list[str], actor: str) -> Outcome:
        # What the whole export is called stays: only a whole export may be found unchanged by that name.
        origin = Origin(address=source.address, etag="", file=kept.file, fetched=timestamp(self._clock.now()))
        if not modified:
            self._advisories.note(source.name, unchanged=True)
            return Outcome(source=source.name, outcome="unchanged", records=kept.records)
        return _outcome(
            self._advisories.import_osv(source.name, self._records(source, modified), actor=actor, origin=origin)
        )

    def _modified_since(self, source: Source, newest: str) -> list[str] | None:
        """The ids of records modified at or after a moment; None when they are too many, or nobody lists them."""
        file = self._file(source, "modified")
        try:
            self._downloader.download(source.modified, file, most=_MOST_LIST)
            return _modified(file, newest)
        except LadingError as error:
            _log.info("no list of modified records", extra={"source": source.name, "error": error.what})
            return None
        finally:
            file.unlink(missing_ok=True)

    def _records(self, source: Source, ids: list[str]) -> Iterator[bytes]:
        file = self._file(source, "record")
        for identity in ids:
            self._downloader.download(source.record(identity), file, most=MOST_RECORD)
            try:
                yield from raw_records(file)
            finally:
                file.unlink(missing_ok=True)

    def _file(self, source: Source, what: str) -> Path:
        self._directory.mkdir(parents=True, exist_ok=True)
        return self._directory / f"{source.name}.{what}"


def _modified(file: Path, newest: str) -> list[str] | None:
    """Read lines of moment and id, youngest first, until they are older; raises AdvisoryInvalid."""
    found: list[str] = []
    with file.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            moment, comma, identity = line.strip().partition(",")
            if not comma or not moment[:4].isdigit():
                raise AdvisoryInvalid(f"{line[:60]!r} says no moment and id.", remedy="Fetch the whole feed.")
            if moment[:19] < newest[:19]:
                break
            found.append(identity.rpartition("/")[2])
            if len(found) > _MOST_SINGLE:
                return None
    return found


def _since(status: FeedStatus | None, now: float) -> float:
    if status is None or not status.tried:
        return float("inf")
    return now - parse_timestamp(status.tried).timestamp()


def _outcome(imported: Imported) -> Outcome:
    return Outcome(
        source=imported.source,
        outcome="updated" if imported.changed else "unchanged",
        changed=len(imported.changed),
        records=imported.records,
    )


def _told(outcome: Outcome) -> str:
    if outcome.outcome == "failed":
        return f"{outcome.source}: failed; what is known stays: {outcome.error}"
    return f"{outcome.source}: {outcome.outcome}, {outcome.changed} of {outcome.records} records new or changed"
