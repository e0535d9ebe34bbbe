"""The tables of advisories and the store that fills them in bulk.

`advisory_changes` is the list of what changed, written in the same transaction: whoever matches keeps a cursor in it,
and a process killed between an import and a match loses nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec
import sqlalchemy as sa
import zstandard

from lading.state import Transaction
from lading.state.schema import BigInteger, metadata
from lading.supply_chain.advisories.advisory import Advisory

records: Final = sa.Table(
    "advisory_records",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("modified", sa.Text, nullable=False),
    sa.Column("withdrawn", sa.Boolean, nullable=False),
    sa.Column("score", sa.Float, nullable=False),
    sa.Column("severity", sa.Integer, nullable=False),
    sa.Column("digest", sa.LargeBinary, nullable=False, comment="sha256 of body"),
    sa.Column("body", sa.LargeBinary, nullable=False, comment="msgpack"),
    sa.Index("ix_advisory_records_source", "source"),
)

affected: Final = sa.Table(
    "advisory_affected",
    metadata,
    sa.Column("ecosystem", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Index("ix_advisory_affected_id", "id"),
)

names: Final = sa.Table(
    "advisory_names",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    # Whether it is another name of the flaw, and not one of several that a bulletin covers, or of a withdrawn record.
    sa.Column("same", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Index("ix_advisory_names_id", "id"),
)

kev: Final = sa.Table(
    "advisory_kev",
    metadata,
    sa.Column("cve", sa.Text, primary_key=True),
    sa.Column("added", sa.Text, nullable=False),
    sa.Column("due", sa.Text, nullable=False),
)

epss: Final = sa.Table(
    "advisory_epss",
    metadata,
    sa.Column("cve", sa.Text, primary_key=True),
    sa.Column("score", sa.Float, nullable=False),
)

feeds: Final = sa.Table(
    "advisory_feeds",
    metadata,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("records", sa.Integer, nullable=False),
    sa.Column("withdrawn", sa.Integer, nullable=False),
    sa.Column("newest", sa.Text, nullable=False),
    sa.Column("imported", sa.Text, nullable=False),
    sa.Column("content", sa.Text, nullable=False),
    # Where it was fetched from, for those that are fetched.
    sa.Column("address", sa.Text, nullable=False, server_default=""),
    sa.Column("etag", sa.Text, nullable=False, server_default=""),
    sa.Column("file", sa.Text, nullable=False, server_default="", comment="sha256 of what was fetched"),
    sa.Column("fetched", sa.Text, nullable=False, server_default="", comment="last time it was fetched or unchanged"),
    sa.Column("tried", sa.Text, nullable=False, server_default=""),
    sa.Column("error", sa.Text, nullable=False, server_default="", comment="why the last attempt failed"),
    # Since when it was told to be stale; empty while it is not.
    sa.Column("stale_since", sa.Text, nullable=False, server_default=""),
)

# An update that is on its way: nobody reads it until it takes the place of what is kept, in one transaction.
staged: Final = sa.Table(
    "advisory_staged",
    metadata,
    sa.Column("load", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("modified", sa.Text, nullable=False),
    sa.Column("withdrawn", sa.Boolean, nullable=False),
    sa.Column("score", sa.Float, nullable=False),
    sa.Column("severity", sa.Integer, nullable=False),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

staged_affected: Final = sa.Table(
    "advisory_staged_affected",
    metadata,
    sa.Column("load", sa.Text, primary_key=True),
    sa.Column("ecosystem", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sqlite_with_rowid=False,
)

staged_names: Final = sa.Table(
    "advisory_staged_names",
    metadata,
    sa.Column("load", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("same", sa.Boolean, nullable=False),
    sqlite_with_rowid=False,
)

changes: Final = sa.Table(
    "advisory_changes",
    metadata,
    sa.Column("seq", BigInteger, primary_key=True, autoincrement=True),
    sa.Column("names", sa.LargeBinary, nullable=False, comment="zstd of a msgpack list of ids and aliases"),
)

_LOCK: Final = 0x1AD2
_CHUNK: Final = 500
_MOST_NAMES: Final = 1 << 28
_MOST_ALIASES: Final = 200
_decode = msgspec.msgpack.Decoder(Advisory).decode
_decode_names = msgspec.msgpack.Decoder(list[str]).decode
_RECORD_COLUMNS: Final = ("id", "source", "modified", "withdrawn", "score", "severity", "digest", "body")


class AdvisoryStore:
    """Rows of advisories; every method works in the caller's transaction."""

    def lock(self, tx: Transaction) -> None:
        """Keep other importers and matchers out until the transaction ends (SQLite's writers are alone anyway)."""
        if tx.dialect.name == "postgresql":
            tx.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})

    def known(self, tx: Transaction, ids: Sequence[str]) -> dict[str, tuple[bytes, str]]:
        """Id -> digest and modification time of the records that are kept."""
        query = sa.select(records.c.id, records.c.digest, records.c.modified)
        return {
            row.id: (bytes(row.digest), row.modified)
            for chunk in chunks(ids)
            for row in tx.execute(query.where(records.c.id.in_(chunk)))
        }

    def names_of(self, tx: Transaction, ids: Sequence[str]) -> set[str]:
        """Every name that these records have now."""
        return {
            name
            for chunk in chunks(ids)
            for name in tx.execute(sa.select(names.c.name).where(names.c.id.in_(chunk))).scalars()
        }

    def replace(self, tx: Transaction, rows: Sequence[tuple[Advisory, str, bytes, bytes]]) -> None:
        """Keep records, each `(advisory, source, digest, body)`, in the place of those with the same id."""
        ids = [row[0].id for row in rows]
        for table in (records, affected, names):
            for chunk in chunks(ids):
                tx.execute(sa.delete(table).where(table.c.id.in_(chunk)))
        insert(tx, records, _RECORD_COLUMNS, [
            (one.id, source, one.modified, bool(one.withdrawn), one.score, int(one.severity), digest, body)
            for one, source, digest, body in rows
        ])  # fmt: skip
        pairs = {(entry.ecosystem, entry.name, one.id) for one, *_ in rows for entry in one.affected}
        insert(tx, affected, ("ecosystem", "name", "id"), sorted(pairs))
        told = {(name, one.id, not one.covers and not one.withdrawn) for one, *_ in rows for name in one.names}
        insert(tx, names, ("name", "id", "same"), sorted(told))

    def affecting(self, tx: Transaction, ecosystem: str, package_names: Sequence[str]) -> dict[str, list[Advisory]]:
        """Package name -> the advisories about it that were not withdrawn."""
        found: dict[str, list[Advisory]] = {}
        query = (
            sa.select(affected.c.name, records.c.body)
            .join(records, records.c.id == affected.c.id)
            .where(affected.c.ecosystem == ecosystem, records.c.withdrawn.is_(False))
            .order_by(records.c.id)
        )
        for chunk in chunks(package_names):
            for name, body in tx.execute(query.where(affected.c.name.in_(chunk))):
                found.setdefault(name, []).append(_decode(bytes(body)))
        return found

    def speaks_of(self, tx: Transaction, ecosystem: str) -> bool:
        """Whether any record is about a package of the ecosystem."""
        query = sa.select(affected.c.id).where(affected.c.ecosystem == ecosystem).limit(1)
        return tx.execute(query).first() is not None

    def pairs_of(self, tx: Transaction, some_names: Sequence[str]) -> set[tuple[str, str]]:
        """The packages (ecosystem and name) that the advisories with these names are about."""
        query = sa.select(affected.c.ecosystem, affected.c.name).join(names, names.c.id == affected.c.id).distinct()
        return {
            (row.ecosystem, row.name)
            for chunk in chunks(some_names)
            for row in tx.execute(query.where(names.c.name.in_(chunk)))
        }

    def severities(self, tx: Transaction, some_names: Sequence[str]) -> dict[str, tuple[float, int]]:
        """Name -> the highest score and severity that any advisory of that name has."""
        query = (
            sa.select(names.c.name, sa.func.max(records.c.score), sa.func.max(records.c.severity))
            .join(records, records.c.id == names.c.id)
            .where(names.c.same)
            .group_by(names.c.name)
        )
        return {
            name: (score, severity)
            for chunk in chunks(some_names)
            for name, score, severity in tx.execute(query.where(names.c.name.in_(chunk)))
        }

    def aliases(self, tx: Transaction, some_names: Sequence[str]) -> dict[str, frozenset[str]]:
        """Name -> every name of the same flaw, through any number of records; those without another are left out.

        A web of more than 200 names is not believed to be one flaw: its names stay apart.
        """
        web = _Web(some_names)
        other = names.alias()
        query = sa.select(names.c.name, other.c.name).join(other, (other.c.id == names.c.id) & other.c.same)
        query = query.where(names.c.same, names.c.name != other.c.name)
        frontier = sorted(set(some_names))
        while frontier:
            found: set[str] = set()
            for chunk in chunks(frontier):
                for name, another in tx.execute(query.where(names.c.name.in_(chunk))):
                    if web.join(name, another):
                        found.add(another)
            frontier = sorted(name for name in found if not web.is_too_large(name))
        return web.groups()

    def last_change(self, tx: Transaction) -> int:
        """The number of the last change."""
        return tx.execute(sa.select(sa.func.max(changes.c.seq))).scalar() or 0

    def by_name(self, tx: Transaction, name: str) -> list[Advisory]:
        """The advisories that have this id or alias, withdrawn ones too."""
        query = sa.select(records.c.body).join(names, names.c.id == records.c.id).where(names.c.name == name)
        return [_decode(bytes(body)) for body in tx.execute(query.order_by(records.c.id)).scalars()]

    def exploited(self, tx: Transaction, cves: Sequence[str]) -> set[str]:
        """Those of `cves` that are in the KEV catalogue."""
        return {
            cve
            for chunk in chunks(cves)
            for cve in tx.execute(sa.select(kev.c.cve).where(kev.c.cve.in_(chunk))).scalars()
        }

    def scores(self, tx: Transaction, cves: Sequence[str]) -> dict[str, float]:
        """CVE -> EPSS probability."""
        return {
            row.cve: row.score
            for chunk in chunks(cves)
            for row in tx.execute(sa.select(epss).where(epss.c.cve.in_(chunk)))
        }

    def due(self, tx: Transaction, cve: str) -> tuple[str, str] | None:
        """Added and due dates of an entry of the KEV catalogue."""
        row = tx.execute(sa.select(kev.c.added, kev.c.due).where(kev.c.cve == cve)).first()
        return None if row is None else (row.added, row.due)

    def all_kev(self, tx: Transaction) -> dict[str, tuple[str, str]]:
        """The whole KEV catalogue."""
        return {row.cve: (row.added, row.due) for row in tx.execute(sa.select(kev))}

    def all_epss(self, tx: Transaction) -> dict[str, float]:
        """Every EPSS score."""
        return {cve: score for cve, score in tx.execute(sa.select(epss.c.cve, epss.c.score)).all()}  # noqa: C416

    def put_kev(self, tx: Transaction, rows: Sequence[tuple[str, str, str]], gone: Sequence[str]) -> None:
        """Keep `(cve, added, due)` and forget those that are gone."""
        _replace_by_cve(tx, kev, ("cve", "added", "due"), rows, gone)

    def put_epss(self, tx: Transaction, rows: Sequence[tuple[str, float]], gone: Sequence[str]) -> None:
        """Keep `(cve, score)` and forget those that are gone."""
        _replace_by_cve(tx, epss, ("cve", "score"), rows, gone)

    def mentioned(self, tx: Transaction) -> set[str]:
        """Every CVE that any advisory names."""
        return set(tx.execute(sa.select(names.c.name).where(names.c.name.like("CVE-%")).distinct()).scalars())

    def counts(self, tx: Transaction, source: str, now: str) -> tuple[int, int, str]:
        """How many records a source has, how many were withdrawn, and the youngest modification time up to `now`."""
        query = sa.select(
            sa.func.count(),
            sa.func.count(sa.case((records.c.withdrawn.is_(True), 1))),
            sa.func.max(sa.case((records.c.modified <= now, records.c.modified))),
        ).where(records.c.source == source)
        total, withdrawn, newest = tx.execute(query).one()
        return total, withdrawn, newest or ""

    def put_feed(self, tx: Transaction, row: dict[str, Any]) -> None:
        """Keep the state of a feed; columns that are not given stay."""
        if tx.execute(sa.update(feeds).where(feeds.c.source == row["source"]).values(row)).rowcount == 0:
            empty = {"records": 0, "withdrawn": 0, "newest": "", "imported": "", "content": ""}
            tx.execute(sa.insert(feeds).values(empty | row))

    def ids_of(self, tx: Transaction, source: str) -> set[str]:
        """The ids of the records that came last from a source."""
        return set(tx.execute(sa.select(records.c.id).where(records.c.source == source)).scalars())

    def forget(self, tx: Transaction, ids: Sequence[str]) -> None:
        """Records that are no more."""
        for table in (records, affected, names):
            for chunk in chunks(ids):
                tx.execute(sa.delete(table).where(table.c.id.in_(chunk)))

    def every(self, tx: Transaction, source: str) -> Iterator[bytes]:
        """The bodies (msgpack) of a source's records, by id."""
        query = sa.select(records.c.body).where(records.c.source == source).order_by(records.c.id)
        for body in tx.execute(query.execution_options(yield_per=2_000)).scalars():
            yield bytes(body)

    def all_feeds(self, tx: Transaction) -> list[dict[str, Any]]:
        """The state of every feed, by name."""
        return [dict(row) for row in tx.execute(sa.select(feeds).order_by(feeds.c.source)).mappings()]

    def add_change(self, tx: Transaction, changed: Iterable[str]) -> None:
        """Note that what is known under these names changed."""
        body = zstandard.ZstdCompressor(level=3).compress(msgspec.msgpack.encode(sorted(changed)))
        tx.execute(sa.insert(changes).values(names=body))

    def changes_after(self, tx: Transaction, seq: int, most: int) -> tuple[int, set[str]]:
        """The names that changed after number `seq`, and the number of the last change that they are of: all changes,
        or as many as come to `most` names."""
        found: set[str] = set()
        query = sa.select(changes.c.seq, changes.c.names).where(changes.c.seq > seq).order_by(changes.c.seq)
        for number, body in tx.execute(query):
            seq = number
            found.update(
                _decode_names(zstandard.ZstdDecompressor().decompress(bytes(body), max_output_size=_MOST_NAMES))
            )
            if len(found) >= most:
                break
        return seq, found


class _Web:
    """Names joined to groups."""

    def __init__(self, start: Iterable[str]) -> None:
        self._of: dict[str, set[str]] = {name: {name} for name in start}

    def join(self, one: str, other: str) -> bool:
        """Put both into one group; whether `other` was not known before."""
        new = other not in self._of
        mine, its = self._of[one], self._of.setdefault(other, {other})
        if mine is not its:
            small, large = sorted((mine, its), key=len)
            large |= small
            self._of.update(dict.fromkeys(small, large))
        return new

    def is_too_large(self, name: str) -> bool:
        return len(self._of[name]) > _MOST_ALIASES

    def groups(self) -> dict[str, frozenset[str]]:
        frozen = {id(group): frozenset(group) for group in self._of.values() if 1 < len(group) <= _MOST_ALIASES}
        return {name: frozen[id(group)] for name, group in self._of.items() if id(group) in frozen}


def _replace_by_cve(
    tx: Transaction, table: sa.Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]], gone: Sequence[str]
) -> None:
    if len(rows) + len(gone) > 100_000:
        # Most of the table: writing it anew is several times faster than finding each row.
        replaced = {row[0] for row in rows} | set(gone)
        kept = [tuple(row) for row in tx.execute(sa.select(*(table.c[column] for column in columns)))]
        tx.execute(sa.delete(table))
        rows = [*(row for row in kept if row[0] not in replaced), *rows]
    else:
        for chunk in chunks([*(row[0] for row in rows), *gone]):
            tx.execute(sa.delete(table).where(table.c.cve.in_(chunk)))
    insert(tx, table, columns, rows)


def insert(tx: Transaction, table: sa.Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """The driver's own executemany: several times the rate of parameter dictionaries."""
    if not rows:
        return
    mark = "?" if tx.dialect.name == "sqlite" else "%s"
    marks = ", ".join([mark] * len(columns))
    # Table and column names are constants of this module.
    tx.exec_driver_sql(f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({marks})", list(rows))  # noqa: S608


def chunks(values: Sequence[str]) -> Iterator[Sequence[str]]:
    """`values` in pieces that fit the parameters of one statement."""
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]
