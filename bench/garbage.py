"""Garbage collection of 500,000 blobs in a directory store, while a client goes on pushing small blobs.

Compared with what the disk allows: removing as many files of the same shape with nothing to decide.
"""

from __future__ import annotations

import hashlib
import os
import resource
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from lading.facts import Ledger
from lading.kernel.digest import Digest
from lading.state import Database, metadata
from lading.supply_chain.registry.access import Visitor
from lading.supply_chain.registry.blobs_directory import DirectoryBlobs
from lading.supply_chain.registry.collecting import Collections, Order
from lading.supply_chain.registry.holding import Holds
from lading.supply_chain.registry.registry import Registry
from lading.supply_chain.registry.sql.tables import blobs
from lading.supply_chain.registry.states import ImageStates

COUNT: Final = int(os.environ.get("BENCH_BLOBS", "500000"))
LONG_AGO: Final = "2020-01-01T00:00:00."
ROBOT: Final = Visitor("robot:bench/robot", "bench")


class Nothing:
    """No container runs."""

    def images(self) -> set[str]:
        return set()


def run() -> list[dict[str, Any]]:
    """All rows, measured on this machine."""
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        database = Database(f"sqlite:///{home / 'state.db'}")
        metadata.create_all(database.engine)
        ledger, store = Ledger(), DirectoryBlobs(home / "registry")
        registry = Registry(database, ledger, store, ImageStates(database, ledger))
        limit = _limit(home)
        _fill(database, store)
        quiet = _pushes(registry, threading.Event(), most=200)
        stop, during = threading.Event(), list[float]()
        pusher = threading.Thread(target=lambda: during.extend(_pushes(registry, stop)))
        pusher.start()
        collections = Collections(database, ledger, store, Holds(database, ledger), Nothing())
        start = time.perf_counter()
        done = collections.run(Order(grace=3_600), actor="system:bench")
        seconds = time.perf_counter() - start
        stop.set()
        pusher.join()
        left = sum(1 for _ in store.all())
        assert done.blobs == COUNT, done
        assert left == len(during) + len(quiet), left
        database.close()
    rate = COUNT / seconds
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    before, after = statistics.median(quiet) * 1e3, statistics.median(during) * 1e3
    worst = sorted(during)[int(len(during) * 0.99)] * 1e3
    return [
        {
            "name": "garbage collected, directory store", "value": rate, "unit": "blobs/s", "peer": "unlink alone",
            "ratio": rate / limit, "note": f"{COUNT:,} blobs in {seconds:.1f} s; unlink alone {limit:,.0f}/s",
        },
        {
            "name": "small blob pushed meanwhile, median", "value": after, "unit": "ms", "peer": "without collection",
            "ratio": after / before, "note": f"p99 {worst:.1f} ms, {len(during)} pushes; without {before:.2f} ms",
        },
        {"name": "memory, most", "value": memory, "unit": "MB", "note": "of the process that collects and pushes"},
    ]  # fmt: skip


def _limit(home: Path) -> float:
    """Files a second that the disk lets go, in directories of the same shape."""
    count = COUNT // 10
    paths = []
    for number in range(count):
        path = home / "limit" / hashlib.sha256(str(number).encode()).hexdigest()[:2] / str(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 16)
        paths.append(path)
    start = time.perf_counter()
    for path in paths:
        path.unlink()
    return count / (time.perf_counter() - start)


def _fill(database: Database, store: DirectoryBlobs) -> None:
    rows = []
    for number in range(COUNT):
        content = number.to_bytes(16, "big")
        digest = Digest.of(content)
        path = store.path(digest)
        if number < 100_000:
            path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        rows.append({"digest": str(digest), "size": 16, "stored": f"{LONG_AGO}{number:09}Z", "generation": "0"})
        if len(rows) == 50_000 or number == COUNT - 1:
            with database.write() as tx:
                tx.execute(sa.insert(blobs), rows)
            rows = []


def _pushes(registry: Registry, stop: threading.Event, *, most: int = 1_000_000) -> list[float]:
    """Push small new blobs until told to stop; the seconds that each took."""
    taken = []
    while not stop.is_set() and len(taken) < most:
        start = time.perf_counter()
        registry.put_blob("bench/image", os.urandom(64), ROBOT)
        taken.append(time.perf_counter() - start)
        time.sleep(0.005)
    return taken
