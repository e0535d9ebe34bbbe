"""The ledger: append-only, hash-chained, durable before it is acknowledged.

Each row's hash covers the hash before it and every column of the row, so one changed byte breaks the chain at exactly
its row:

    hash(n) = sha256( hash(n-1) || header(n) || 0x0A || body(n) )
    header(n) = canonical JSON of [seq, at, kind, subject, actor];  hash(0) = 32 zero bytes

Time in the ledger never goes back. When the machine's clock does, an entry takes the time of the one before it, and a
`clock.regressed` fact says so once it is more than a second off.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
import sqlalchemy as sa

from lading.facts.fact import Entry, Fact
from lading.facts.kinds import CATALOGUE
from lading.facts.kinds.system import ClockRegressed
from lading.facts.sql import entries
from lading.kernel.canonical import canonical_json
from lading.kernel.clock import Clock, SystemClock
from lading.kernel.errors import IntegrityFailure
from lading.kernel.subject import Subject
from lading.state import Transaction

GENESIS: Final = bytes(32)
_Row = tuple[int, int, str, str, str, bytes, bytes]
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TOLERATED_REGRESS: Final = 1_000_000
_ADVISORY_LOCK: Final = 0x1AD1

_DECODERS: Final = {kind.kind(): msgspec.json.Decoder(kind) for kind in CATALOGUE}


@dataclass(frozen=True, slots=True)
class Head:
    """The last row: its number (0 when empty), its hash and its time in microseconds since 1970."""

    seq: int
    hash: bytes
    at: int


@dataclass(frozen=True, slots=True)
class Verified:
    """What a complete verification saw."""

    entries: int
    head: Head


class Ledger:
    """Appends facts inside the caller's transaction and reads them back in order."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()

    def append(self, tx: Transaction, facts: Sequence[Fact], *, actor: str) -> Head:
        """Chain `facts` to the ledger, in order; they exist when, and only when, the transaction commits.

        Args:
            tx: a writing transaction; concurrent appenders wait for each other.
            actor: who caused the facts, as `person:…`, `robot:…` or `system:…`.

        Returns:
            The new head.
        """
        head = self.head(tx, for_update=True)
        if not facts:
            return head
        now = (self._clock.now() - _EPOCH) // timedelta(microseconds=1)
        if head.at - now > _TOLERATED_REGRESS:
            facts = [ClockRegressed(behind_us=head.at - now), *facts]
        at, seq, previous = max(now, head.at), head.seq, head.hash
        rows = []
        for fact in facts:
            seq += 1
            kind, subject, body = fact.kind(), str(fact.subject()), canonical_json(fact)
            previous = _chain(previous, seq, at, kind, subject, actor, body)
            rows.append((seq, at, kind, subject, actor, body, previous))
        _insert(tx, rows)
        return Head(seq, previous, at)

    def head(self, tx: Transaction, *, for_update: bool = False) -> Head:
        """The last row, or `Head(0, GENESIS, 0)`. `for_update` keeps other appenders out until the transaction ends."""
        if for_update and tx.dialect.name == "postgresql":
            tx.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        query = sa.select(entries.c.seq, entries.c.hash, entries.c.at).order_by(entries.c.seq.desc()).limit(1)
        row = tx.execute(query).first()
        return Head(row.seq, bytes(row.hash), row.at) if row else Head(0, GENESIS, 0)

    def read(
        self,
        tx: Transaction,
        *,
        after: int = 0,
        limit: int = 10_000,
        kinds: Sequence[str] | None = None,
        subject: Subject | None = None,
        newest_first: bool = False,
    ) -> list[Entry]:
        """At most `limit` entries beyond `after`, oldest first unless told otherwise.

        Kinds that this version does not know (a newer Lading wrote them) are passed over.
        """
        query = sa.select(*_COLUMNS).where(entries.c.seq > after).limit(limit)
        query = query.order_by(entries.c.seq.desc() if newest_first else entries.c.seq)
        if kinds is not None:
            query = query.where(entries.c.kind.in_(kinds))
        if subject is not None:
            query = query.where(entries.c.subject == str(subject))
        return [entry for row in tx.execute(query) if (entry := _entry(*row)) is not None]

    def verify(self, tx: Transaction, *, batch: int = 20_000) -> Verified:
        """Recompute the whole chain.

        Raises:
            IntegrityFailure: names the first row that is changed, missing or out of order.
        """
        head = Head(0, GENESIS, 0)
        for row in self._rows(tx, batch):
            seq, at, kind, subject, actor, body, stored = row
            if seq != head.seq + 1:
                raise IntegrityFailure(
                    f"The ledger jumps from entry {head.seq} to entry {seq}: {seq - head.seq - 1} entries are missing.",
                    remedy="Restore the database from the last backup whose `lading ledger verify` passed.",
                )
            expected = _chain(head.hash, seq, at, kind, subject, actor, bytes(body))
            if expected != bytes(stored):
                raise IntegrityFailure(
                    f"Ledger entry {seq} ({kind} about {subject}) was changed after it was written.",
                    remedy="Entries before it are intact. Restore from a backup taken before the change and compare.",
                    details=(f"recomputed {expected.hex()}", f"recorded   {bytes(stored).hex()}"),
                )
            head = Head(seq, expected, at)
        return Verified(head.seq, head)

    def hash_at(self, tx: Transaction, seq: int) -> bytes | None:
        """The recorded hash of entry `seq`, or None when there is no such entry."""
        found = tx.execute(sa.select(entries.c.hash).where(entries.c.seq == seq)).scalar()
        return None if found is None else bytes(found)

    def _rows(self, tx: Transaction, batch: int) -> Iterator[_Row]:
        after = 0
        while True:
            query = sa.select(*_COLUMNS).where(entries.c.seq > after).order_by(entries.c.seq).limit(batch)
            rows = tx.execute(query).all()
            yield from (tuple(row) for row in rows)
            if len(rows) < batch:
                return
            after = rows[-1][0]


_COLUMNS: Final = (
    entries.c.seq,
    entries.c.at,
    entries.c.kind,
    entries.c.subject,
    entries.c.actor,
    entries.c.body,
    entries.c.hash,
)
_INSERT: Final = "INSERT INTO ledger_entries (seq, at, kind, subject, actor, body, hash) VALUES "


def _insert(tx: Transaction, rows: list[_Row]) -> None:
    """The driver's own executemany: five times the rate of building parameter dictionaries."""
    marks = "(?, ?, ?, ?, ?, ?, ?)" if tx.dialect.name == "sqlite" else "(%s, %s, %s, %s, %s, %s, %s)"
    tx.exec_driver_sql(_INSERT + marks, rows)


def _chain(previous: bytes, seq: int, at: int, kind: str, subject: str, actor: str, body: bytes) -> bytes:
    header = canonical_json([seq, at, kind, subject, actor])
    return hashlib.sha256(b"%b%b\n%b" % (previous, header, body)).digest()


def _entry(seq: int, at: int, kind: str, subject: str, actor: str, body: bytes, digest: bytes) -> Entry | None:
    decoder = _DECODERS.get(kind)
    if decoder is None:
        return None
    moment = _EPOCH + timedelta(microseconds=at)
    return Entry(seq, moment, actor, Subject.parse(subject), decoder.decode(body), bytes(digest))
