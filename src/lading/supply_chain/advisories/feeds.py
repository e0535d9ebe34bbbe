"""Taking feeds in: parsed outside of the transaction, compared with what is kept, written with its fact at once."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Any, Final

import msgspec

from lading.facts import Ledger
from lading.facts.kinds.supply_chain import AdvisoriesUpdated, FeedStale
from lading.kernel.clock import Clock, SystemClock, parse_timestamp, timestamp
from lading.kernel.ids import new_id
from lading.state import Database, Transaction
from lading.supply_chain.advisories.advisory import Advisory
from lading.supply_chain.advisories.epss import parse_epss
from lading.supply_chain.advisories.errors import AdvisoryInvalid
from lading.supply_chain.advisories.kev import parse_kev
from lading.supply_chain.advisories.origin import FeedStatus, Origin
from lading.supply_chain.advisories.osv import parse_record
from lading.supply_chain.advisories.reading import Content, opened_lines, raw_records, unpacked
from lading.supply_chain.advisories.sql import AdvisoryStore
from lading.supply_chain.advisories.staging_sql import Row, Staging

_log = logging.getLogger(__name__)
_ACTOR: Final = "system:advisories"
KEV: Final = "kev"
EPSS: Final = "epss"
_AT_ONCE: Final = 2_000
_MOST_TOUCHED: Final = 200_000
# A full export that lacks more than this share of what was there is not believed.
_MOST_GONE: Final = 0.2
_FEW: Final = 20
_encode = msgspec.msgpack.encode
_NOWHERE: Final = Origin()


class Imported(msgspec.Struct, frozen=True):
    """What an import came to.

    `changed` are the ids of new or changed records (CVEs for KEV and EPSS); `touched` adds every alias they have or
    had, and is empty for a large import, whose names are in the list of changes only. `refused` counts records that
    could not be read and were left out.
    """

    source: str
    records: int
    changed: tuple[str, ...]
    touched: tuple[str, ...]
    withdrawn: int = 0
    refused: int = 0


class Reading:
    """Records as they are read, and what is remembered of them."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.refused = 0
        self.first_refusal: AdvisoryInvalid | None = None
        self.digests: list[bytes] = []
        self.ids: set[str] = set()

    def batches(self, advisories: Iterable[Advisory]) -> Iterator[list[Row]]:
        """Rows in pieces; of several records with one id in a piece, the youngest."""
        piece: dict[str, Row] = {}
        for advisory in advisories:
            old = piece.get(advisory.id)
            if old is not None and old[0].modified > advisory.modified:
                continue
            body = _encode(advisory)
            piece[advisory.id] = (advisory, self.source, hashlib.sha256(body).digest(), body)
            if len(piece) >= _AT_ONCE:
                yield self._done(piece)
                piece = {}
        if piece:
            yield self._done(piece)

    def parsed(self, raws: Iterable[bytes]) -> Iterator[Advisory]:
        """The advisories in `raws`; those that cannot be read are counted, and a few are told."""
        for raw in raws:
            try:
                yield parse_record(raw)
            except AdvisoryInvalid as error:
                self.refused += 1
                self.first_refusal = self.first_refusal or error
                if self.refused <= 5:
                    _log.warning("advisory refused", extra={"source": self.source, "why": error.what})

    @property
    def content(self) -> str:
        """The digest of everything that was read."""
        return hashlib.sha256(b"".join(sorted(self.digests))).hexdigest()

    def _done(self, piece: Mapping[str, Row]) -> list[Row]:
        self.ids.update(piece)
        self.digests += [row[2] for row in piece.values()]
        return list(piece.values())


class Advisories:
    """Everything that is publicly known. Reading methods take the caller's transaction: matching must see one state.

    Args:
        stale_days: kind of a feed (`osv`, `kev`, `epss`) -> days after which it is stale; none: never.
    """

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        *,
        clock: Clock | None = None,
        stale_days: Mapping[str, int] | None = None,
        never_stale: Iterable[str] = ("own",),
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._clock = clock or SystemClock()
        self._stale_days = dict(stale_days or {})
        self._never_stale = frozenset(never_stale)
        self._store = AdvisoryStore()

    # ---- taking in

    def import_osv(
        self,
        source: str,
        raws: Iterable[bytes],
        *,
        actor: str = _ACTOR,
        only_newer: bool = False,
        origin: Origin = _NOWHERE,
        complete: bool = False,
    ) -> Imported:
        """Take OSV records in, as raw JSON; a record older than the one that is kept changes nothing.

        Args:
            only_newer: keep what is there unless the feed is younger: for the bundled snapshot (here and below).
            complete: this is all of the source; records of it that are not here are no more.

        Raises:
            AdvisoryInvalid: no record could be read (when some can, the others are counted as refused), or a complete
                feed lacks more than a fifth of what was there.
        """
        reading = Reading(source)
        return self._take_in(reading, reading.parsed(raws), actor, only_newer, origin, complete)

    def import_records(self, source: str, advisories: Iterable[Advisory], *, origin: Origin, actor: str) -> Imported:
        """Take in all of a source as another Lading keeps it; older records change nothing."""
        return self._take_in(Reading(source), advisories, actor, False, origin, False)

    def import_content(
        self,
        source: str,
        content: Content,
        *,
        actor: str = _ACTOR,
        only_newer: bool = False,
        origin: Origin = _NOWHERE,
        complete: bool = False,
    ) -> Imported:
        """Take in bytes or a file; the sources `kev` and `epss` are those catalogues, all others OSV."""
        if source == KEV:
            return self.import_kev(unpacked(content), actor=actor, only_newer=only_newer, origin=origin)
        if source == EPSS:
            return self.import_epss(content, actor=actor, only_newer=only_newer, origin=origin)
        return self.import_osv(
            source, raw_records(content), actor=actor, only_newer=only_newer, origin=origin, complete=complete
        )

    def import_kev(
        self, raw: bytes, *, actor: str = _ACTOR, only_newer: bool = False, origin: Origin = _NOWHERE
    ) -> Imported:
        """Take the KEV catalogue in; raises AdvisoryInvalid."""
        released, entries = parse_kev(raw)
        new = {one.cve: (one.added, one.due) for one in entries}
        with self._database.write() as tx:
            self._store.lock(tx)
            if only_newer and self._is_younger(tx, KEV, released):
                return Imported(KEV, len(new), (), ())
            old = self._store.all_kev(tx)
            changed = tuple(sorted(cve for cve in old.keys() | new.keys() if old.get(cve) != new.get(cve)))
            rows = [(cve, *new[cve]) for cve in changed if cve in new]
            self._store.put_kev(tx, rows, [cve for cve in changed if cve not in new])
            content = hashlib.sha256(_encode(sorted(new.items()))).hexdigest()
            return self._done(tx, Imported(KEV, len(new), changed, changed), released, content, actor, origin)

    def import_epss(
        self, raw: Content, *, actor: str = _ACTOR, only_newer: bool = False, origin: Origin = _NOWHERE
    ) -> Imported:
        """Take the EPSS scores in; raises AdvisoryInvalid. Only CVEs that an advisory names count as changed."""
        with opened_lines(raw) as lines:
            date, new = parse_epss(lines)
        digest = hashlib.sha256(_encode(sorted(new.items()))).hexdigest()
        with self._database.write() as tx:
            self._store.lock(tx)
            if only_newer and self._is_younger(tx, EPSS, date):
                return Imported(EPSS, len(new), (), ())
            old = self._store.all_epss(tx)
            differing = {cve for cve, score in new.items() if old.get(cve) != score}
            gone = [cve for cve in old if cve not in new]
            self._store.put_epss(tx, [(cve, new[cve]) for cve in sorted(differing)], gone)
            changed = tuple(sorted((differing | set(gone)) & self._store.mentioned(tx)))
            return self._done(tx, Imported(EPSS, len(new), changed, changed), date, digest, actor, origin)

    def note(self, source: str, *, unchanged: bool = False, error: str = "", address: str = "") -> None:
        """Note an attempt to fetch a feed: that it was found unchanged, or why it failed."""
        now = timestamp(self._clock.now())
        row = {"source": source, "tried": now, "error": error[:500]}
        if unchanged:
            row["fetched"] = now
        if address:
            row["address"] = address
        with self._database.write() as tx:
            self._store.put_feed(tx, row)

    def _take_in(
        self,
        reading: Reading,
        advisories: Iterable[Advisory],
        actor: str,
        only_newer: bool,
        origin: Origin,
        complete: bool,
    ) -> Imported:
        pieces = reading.batches(advisories)
        first, second = next(pieces, []), next(pieces, None)
        if reading.first_refusal is not None and not first:
            raise reading.first_refusal
        if second is None:
            with self._database.write() as tx:
                return self._put_in_place(
                    tx, reading, self._fresh(tx, first, only_newer), actor, only_newer, origin, complete
                )
        staging = Staging(new_id(), reading.source)
        with self._database.write() as tx:
            staging.begin(tx)
        for piece in chain((first, second), pieces):
            with self._database.read() as tx:
                fresh = self._fresh(tx, piece, only_newer)
            if fresh:
                with self._database.write() as tx:
                    staging.add(tx, fresh)
        with self._database.write() as tx:
            return self._put_in_place(tx, reading, staging, actor, only_newer, origin, complete)

    def _fresh(self, tx: Transaction, piece: Sequence[Row], only_newer: bool) -> list[Row]:
        """Those that take the place of what is kept."""
        known = self._store.known(tx, [row[0].id for row in piece])
        return [row for row in piece if _replaces(row[0], row[2], known.get(row[0].id), only_newer)]

    def _put_in_place(
        self,
        tx: Transaction,
        reading: Reading,
        new: Sequence[Row] | Staging,
        actor: str,
        only_newer: bool,
        origin: Origin,
        complete: bool,
    ) -> Imported:
        """The moment at which what was read becomes what is known."""
        self._store.lock(tx)
        source = reading.source
        if isinstance(new, Staging):
            new.drop_older(tx)
        gone = self._gone(tx, reading) if complete else []
        ids = sorted(new.ids) if isinstance(new, Staging) else [row[0].id for row in new]
        if only_newer and not ids:
            return Imported(source, len(reading.ids), (), ())
        touched: list[str] = []
        if isinstance(new, Staging):
            for names in new.touched(tx, gone):
                self._store.add_change(tx, names)
            new.switch(tx, gone)
        else:
            before = self._store.names_of(tx, [*ids, *gone])
            self._store.forget(tx, gone)
            self._store.replace(tx, new)
            touched = sorted(before.union(*(row[0].names for row in new)))
        total, withdrawn, newest = self._store.counts(tx, source, timestamp(self._clock.now()))
        imported = Imported(source, total, (*ids, *gone), tuple(touched), withdrawn, reading.refused)
        return self._done(tx, imported, newest, reading.content, actor, origin)

    def _gone(self, tx: Transaction, reading: Reading) -> list[str]:
        """The records that a complete feed lacks; raises AdvisoryInvalid when there are too many to believe it."""
        kept = self._store.ids_of(tx, reading.source)
        gone = sorted(kept - reading.ids)
        if not reading.ids or len(gone) > max(_FEW, _MOST_GONE * len(kept)):
            raise AdvisoryInvalid(
                f"The feed {reading.source} lacks {len(gone)} of {len(kept)} records that were there.",
                remedy="Look at the export; import it with `lading advisories import` to keep what is missing.",
            )
        return gone

    def _is_younger(self, tx: Transaction, source: str, date: str) -> bool:
        kept = {row["source"]: row["newest"] for row in self._store.all_feeds(tx)}
        return source in kept and kept[source][:10] >= date[:10]

    def _done(
        self, tx: Transaction, imported: Imported, newest: str, content: str, actor: str, origin: Origin
    ) -> Imported:
        row = {
            "source": imported.source,
            "records": imported.records,
            "withdrawn": imported.withdrawn,
            "newest": newest,
            "imported": timestamp(self._clock.now()),
            "content": f"sha256:{content}",
            "error": "",
        }
        if origin != _NOWHERE:
            row |= msgspec.structs.asdict(origin) | {"tried": origin.fetched}
        self._store.put_feed(tx, row)
        if imported.touched:
            self._store.add_change(tx, imported.touched)
        if imported.changed:
            fact = AdvisoriesUpdated(
                source=imported.source,
                records=imported.records,
                changed=len(imported.changed),
                withdrawn=imported.withdrawn,
                newest=newest,
                content=f"sha256:{content}",
            )
            self._ledger.append(tx, [fact], actor=actor)
        return imported

    def tell_stale(self) -> list[FeedStatus]:
        """State which feeds became stale since the last call; one that was updated may become so again."""
        with self._database.write() as tx:
            rows = {row["source"]: row for row in self._store.all_feeds(tx)}
            told = [one for one in map(self._status, rows.values()) if one.is_stale != bool(one.stale_since)]
            for one in told:
                since = timestamp(self._clock.now()) if one.is_stale else ""
                self._store.put_feed(tx, {"source": one.source, "stale_since": since})
            stale = [one for one in told if one.is_stale]
            if stale:
                facts = [
                    FeedStale(source=one.source, age_days=one.age_days, stale_days=one.stale_days, error=one.error)
                    for one in stale
                ]
                self._ledger.append(tx, facts, actor=_ACTOR)
        return stale

    # ---- reading

    def status(self) -> list[FeedStatus]:
        """Every feed, by name."""
        with self._database.read() as tx:
            rows = self._store.all_feeds(tx)
        return [self._status(row) for row in rows]

    def stale(self) -> list[dict[str, Any]]:
        """The feeds that are stale, as policies see them."""
        return [
            {"source": one.source, "age_days": one.age_days, "stale_days": one.stale_days, "error": one.error}
            for one in self.status()
            if one.is_stale
        ]

    def _status(self, row: dict[str, Any]) -> FeedStatus:
        age = self._age(row["fetched"] or row["newest"])
        kind = row["source"] if row["source"] in (KEV, EPSS) else "osv"
        days = 0 if row["source"] in self._never_stale else self._stale_days.get(kind, 0)
        return FeedStatus(age_days=age, stale_days=days, is_stale=0 < days < age, **row)

    def _age(self, since: str) -> float:
        try:
            moment = parse_timestamp(since)
        except ValueError:
            moment = datetime(1970, 1, 1, tzinfo=UTC)
        return max(0.0, round((self._clock.now() - moment).total_seconds() / 86_400, 1))

    def named(self, name: str) -> list[Advisory]:
        """The advisories that have this id or alias, withdrawn ones too."""
        with self._database.read() as tx:
            return self._store.by_name(tx, name)

    def due(self, cve: str) -> tuple[str, str] | None:
        """When a CVE was added to the KEV catalogue, and until when it is to be mended; None: it is not in it."""
        with self._database.read() as tx:
            return self._store.due(tx, cve)

    def speaks_of(self, ecosystems: Sequence[str]) -> set[str]:
        """Those of the ecosystems about which any advisory is known."""
        with self._database.read() as tx:
            return {one for one in ecosystems if self._store.speaks_of(tx, one)}

    def lock(self, tx: Transaction) -> None:
        """Keep importers and other matchers out until `tx` ends."""
        self._store.lock(tx)

    def affecting(self, tx: Transaction, ecosystem: str, names: Sequence[str]) -> dict[str, list[Advisory]]:
        """Package name -> the advisories about it that were not withdrawn."""
        return self._store.affecting(tx, ecosystem, names)

    def packages_of(self, tx: Transaction, names: Sequence[str]) -> set[tuple[str, str]]:
        """The packages (ecosystem and name) that the advisories with these ids or aliases are about."""
        return self._store.pairs_of(tx, names)

    def aliases(self, tx: Transaction, names: Sequence[str]) -> dict[str, frozenset[str]]:
        """Id or alias -> every name of the same flaw, through any number of records."""
        return self._store.aliases(tx, names)

    def last_change(self, tx: Transaction) -> int:
        """The number of the last change."""
        return self._store.last_change(tx)

    def severities(self, tx: Transaction, names: Sequence[str]) -> dict[str, tuple[float, int]]:
        """Id or alias -> the highest score and severity that any advisory of that name has."""
        return self._store.severities(tx, names)

    def exploited(self, tx: Transaction, cves: Sequence[str]) -> set[str]:
        """Those of `cves` that are known to be exploited."""
        return self._store.exploited(tx, cves)

    def likelihoods(self, tx: Transaction, cves: Sequence[str]) -> dict[str, float]:
        """CVE -> the probability of exploitation within thirty days."""
        return self._store.scores(tx, cves)

    def changes_after(self, tx: Transaction, seq: int) -> tuple[int, set[str]]:
        """Ids and aliases of which something changed after number `seq`, and the number of the last of these changes.

        Not all at once when there are very many: ask again after that number, until it is the last.
        """
        return self._store.changes_after(tx, seq, _MOST_TOUCHED)


def _replaces(new: Advisory, digest: bytes, old: tuple[bytes, str] | None, only_newer: bool) -> bool:
    """Whether a record takes the place of the one that is kept; times are compared to the second."""
    if old is None:
        return True
    kept, at = old[1][:19], new.modified[:19]
    return at > kept if only_newer else digest != old[0] and at >= kept
