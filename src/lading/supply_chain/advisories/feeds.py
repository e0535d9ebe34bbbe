"""Taking feeds in: parsed outside of the transaction, compared with what is kept, written with its fact at once."""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from lading.facts import Ledger
from lading.facts.kinds.supply_chain import AdvisoriesUpdated
from lading.kernel.clock import Clock, SystemClock, parse_timestamp, timestamp
from lading.state import Database, Transaction
from lading.supply_chain.advisories.advisory import Advisory
from lading.supply_chain.advisories.epss import parse_epss
from lading.supply_chain.advisories.errors import AdvisoryInvalid
from lading.supply_chain.advisories.fetch import Fetcher
from lading.supply_chain.advisories.kev import parse_kev
from lading.supply_chain.advisories.osv import parse_record
from lading.supply_chain.advisories.reading import raw_records, unpacked
from lading.supply_chain.advisories.sql import AdvisoryStore

_log = logging.getLogger(__name__)
_ACTOR: Final = "system:advisories"
KEV: Final = "kev"
EPSS: Final = "epss"
_encode = msgspec.msgpack.encode


class Imported(msgspec.Struct, frozen=True):
    """What an import came to.

    `changed` are the ids of new or changed records (CVEs for KEV and EPSS); `touched` adds every alias they have or
    had. `refused` counts records that could not be read and were left out.
    """

    source: str
    records: int
    changed: tuple[str, ...]
    touched: tuple[str, ...]
    withdrawn: int = 0
    refused: int = 0


class FeedStatus(msgspec.Struct, frozen=True):
    """A feed as it was last taken in. `age_days` counts from `newest`, the youngest record, not from the import."""

    source: str
    records: int
    withdrawn: int
    newest: str
    imported: str
    content: str
    age_days: float


class Advisories:
    """Everything that is publicly known. Reading methods take the caller's transaction: matching must see one state."""

    def __init__(self, database: Database, ledger: Ledger, *, clock: Clock | None = None) -> None:
        self._database = database
        self._ledger = ledger
        self._clock = clock or SystemClock()
        self._store = AdvisoryStore()

    # ---- taking in

    def import_osv(
        self, source: str, raws: Iterable[bytes], *, actor: str = _ACTOR, only_newer: bool = False
    ) -> Imported:
        """Take OSV records in, as raw JSON; a record older than the one that is kept changes nothing.

        `only_newer` (here and below) keeps what is there unless the feed is younger: for the bundled snapshot.

        Raises:
            AdvisoryInvalid: no record could be read; when some can, the others are counted as refused.
        """
        read: dict[str, Advisory] = {}
        refused: list[AdvisoryInvalid] = []
        for raw in raws:
            try:
                advisory = parse_record(raw)
            except AdvisoryInvalid as error:
                refused.append(error)
                continue
            if advisory.id not in read or read[advisory.id].modified <= advisory.modified:
                read[advisory.id] = advisory
        if refused and not read:
            raise refused[0]
        for complaint in refused[:5]:
            _log.warning("advisory refused", extra={"source": source, "why": complaint.what})
        return self._keep(source, list(read.values()), len(refused), actor, only_newer)

    def import_content(self, source: str, content: bytes, *, actor: str = _ACTOR, only_newer: bool = False) -> Imported:
        """Take in a file or an upload; the sources `kev` and `epss` are those catalogues, all others OSV."""
        if source == KEV:
            return self.import_kev(unpacked(content), actor=actor, only_newer=only_newer)
        if source == EPSS:
            return self.import_epss(unpacked(content), actor=actor, only_newer=only_newer)
        return self.import_osv(source, raw_records(content), actor=actor, only_newer=only_newer)

    def fetch(self, source: str, address: str, fetcher: Fetcher, *, actor: str = _ACTOR) -> Imported:
        """Fetch a feed and take it in; raises FeedUnavailable and AdvisoryInvalid."""
        return self.import_content(source, fetcher.fetch(address), actor=actor)

    def import_kev(self, raw: bytes, *, actor: str = _ACTOR, only_newer: bool = False) -> Imported:
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
            return self._done(tx, Imported(KEV, len(new), changed, changed), released, content, actor)

    def import_epss(self, raw: bytes, *, actor: str = _ACTOR, only_newer: bool = False) -> Imported:
        """Take the EPSS scores in; raises AdvisoryInvalid. Only CVEs that an advisory names count as changed."""
        date, new = parse_epss(io.TextIOWrapper(io.BytesIO(raw), "utf-8", "replace"))
        digest = hashlib.sha256(raw).hexdigest()
        with self._database.write() as tx:
            self._store.lock(tx)
            if only_newer and self._is_younger(tx, EPSS, date):
                return Imported(EPSS, len(new), (), ())
            old = self._store.all_epss(tx)
            differing = {cve for cve, score in new.items() if old.get(cve) != score}
            gone = [cve for cve in old if cve not in new]
            self._store.put_epss(tx, [(cve, new[cve]) for cve in sorted(differing)], gone)
            changed = tuple(sorted((differing | set(gone)) & self._store.mentioned(tx)))
            return self._done(tx, Imported(EPSS, len(new), changed, changed), date, digest, actor)

    def _is_younger(self, tx: Transaction, source: str, date: str) -> bool:
        kept = {row["source"]: row["newest"] for row in self._store.all_feeds(tx)}
        return source in kept and kept[source][:10] >= date[:10]

    def _keep(self, source: str, read: Sequence[Advisory], refused: int, actor: str, only_newer: bool) -> Imported:
        rows = []
        for advisory in read:
            body = _encode(advisory)
            rows.append((advisory, source, hashlib.sha256(body).digest(), body))
        content = hashlib.sha256(b"".join(sorted(digest for _, _, digest, _ in rows))).hexdigest()
        with self._database.write() as tx:
            self._store.lock(tx)
            known = self._store.known(tx, [advisory.id for advisory in read])
            fresh = [row for row in rows if _replaces(row[0], row[2], known.get(row[0].id), only_newer)]
            if only_newer and not fresh:
                return Imported(source, len(read), (), ())
            before = self._store.names_of(tx, [row[0].id for row in fresh if row[0].id in known])
            self._store.replace(tx, fresh)
            total, withdrawn, newest = self._store.counts(tx, source, timestamp(self._clock.now()))
            imported = Imported(
                source=source,
                records=total,
                changed=tuple(row[0].id for row in fresh),
                touched=tuple(sorted(before.union(*(row[0].names for row in fresh)))),
                withdrawn=withdrawn,
                refused=refused,
            )
            return self._done(tx, imported, newest, content, actor)

    def _done(self, tx: Transaction, imported: Imported, newest: str, content: str, actor: str) -> Imported:
        row = {
            "source": imported.source,
            "records": imported.records,
            "withdrawn": imported.withdrawn,
            "newest": newest,
            "imported": timestamp(self._clock.now()),
            "content": f"sha256:{content}",
        }
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

    # ---- reading

    def status(self) -> list[FeedStatus]:
        """Every feed, by name."""
        with self._database.read() as tx:
            rows = self._store.all_feeds(tx)
        return [FeedStatus(age_days=self._age(row["newest"]), **row) for row in rows]

    def _age(self, newest: str) -> float:
        try:
            moment = parse_timestamp(newest)
        except ValueError:
            moment = datetime(1970, 1, 1, tzinfo=UTC)
        return max(0.0, round((self._clock.now() - moment).total_seconds() / 86_400, 1))

    def named(self, name: str) -> list[Advisory]:
        """The advisories that have this id or alias, withdrawn ones too."""
        with self._database.read() as tx:
            return self._store.by_name(tx, name)

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
        """The number of the last change, and all ids and aliases of which something changed after number `seq`."""
        return self._store.changes_after(tx, seq)


def _replaces(new: Advisory, digest: bytes, old: tuple[bytes, str] | None, only_newer: bool) -> bool:
    """Whether a record takes the place of the one that is kept; times are compared to the second."""
    if old is None:
        return True
    kept, at = old[1][:19], new.modified[:19]
    return at > kept if only_newer else digest != old[0] and at >= kept
