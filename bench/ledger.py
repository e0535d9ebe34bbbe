"""How fast facts are kept, replayed and verified, against what the disk and SQLite can do without a chain."""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lading.facts import Entry, Ledger, follow
from lading.facts.kinds.runtime_security import IncidentSeenAgain
from lading.state import Database, Transaction, metadata

FACTS = 100_000
BATCH = 1_000


class _Counter:
    name = "bench"
    kinds: Sequence[str] | None = None

    def __init__(self) -> None:
        self.seen = 0

    def apply(self, tx: Transaction, entries: Sequence[Entry]) -> None:
        del tx
        self.seen += len(entries)


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def run() -> list[dict[str, Any]]:
    """Rows of the table; the targets are 20,000 facts/s kept and 100,000 facts/s replayed."""
    with tempfile.TemporaryDirectory() as directory:
        database = Database(f"sqlite:///{directory}/ledger.db")
        metadata.create_all(database.engine)
        ledger = Ledger()
        facts = [IncidentSeenAgain(incident="i", container=f"c{number}", times=number) for number in range(BATCH)]

        def append() -> None:
            for _ in range(FACTS // BATCH):
                with database.write() as tx:
                    ledger.append(tx, facts, actor="system:bench")

        kept = FACTS / _seconds(append)
        counter = _Counter()
        replayed = FACTS / _seconds(lambda: follow(database, ledger, counter, batch=5_000))
        assert counter.seen == FACTS

        def verify() -> None:
            with database.read() as tx:
                ledger.verify(tx)

        verified = FACTS / _seconds(verify)
        single = 200 / _seconds(lambda: _one_by_one(database, ledger, 200))
        database.close()
        plain = FACTS / _seconds(lambda: _plain_sqlite(Path(directory) / "plain.db"))
        synced = 200 / _seconds(lambda: _fsync_only(Path(directory) / "plain.bin", 200))
    return [
        {"name": f"facts kept, {BATCH} a transaction", "value": kept, "unit": "1/s", "peer": "SQLite rows, no chain",
         "ratio": kept / plain, "note": "durable when the transaction returns"},
        {"name": "facts kept, one a transaction", "value": single, "unit": "1/s", "peer": "fsync of one row's bytes",
         "ratio": single / synced},
        {"name": "facts replayed through a follower", "value": replayed, "unit": "1/s"},
        {"name": "facts verified", "value": verified, "unit": "1/s"},
    ]  # fmt: skip


def _one_by_one(database: Database, ledger: Ledger, count: int) -> None:
    fact = [IncidentSeenAgain(incident="i", container="c", times=1)]
    for _ in range(count):
        with database.write() as tx:
            ledger.append(tx, fact, actor="system:bench")


def _plain_sqlite(path: Path) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(
        "CREATE TABLE t (seq INTEGER PRIMARY KEY, at INT, kind TEXT, subject TEXT, actor TEXT, body BLOB, hash BLOB)"
    )
    connection.execute("CREATE INDEX a ON t (subject, seq)")
    connection.execute("CREATE INDEX b ON t (kind, seq)")
    for batch in range(FACTS // BATCH):
        rows = [
            (
                batch * BATCH + number,
                1,
                "incident.seen-again",
                f"container:c{number}",
                "system:bench",
                b"x" * 90,
                b"x" * 32,
            )
            for number in range(BATCH)
        ]
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        connection.execute("COMMIT")
    connection.close()


def _fsync_only(path: Path, count: int) -> None:
    with path.open("wb") as handle:
        for _ in range(count):
            handle.write(b"x" * 256)
            handle.flush()
            os.fsync(handle.fileno())
