"""Refused pulls on their way to the ledger.

The pull endpoint cannot write facts, so it appends lines to a file, and the worker takes them in, each exactly once.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import msgspec
import sqlalchemy as sa

from lading.facts import Ledger
from lading.facts.kinds.supply_chain import PullRefused
from lading.state import Database
from lading.supply_chain.registry.sql import spool_cursors

MOST_BYTES: Final = 16 << 20
_BATCH: Final = 1 << 20


class RefusalSpool:
    """The appending side. Beyond 16 MiB of refusals that nobody took in, further ones are dropped."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path = directory / "refused-pulls.jsonl"

    def add(self, digest: str, repository: str, principal: str, reason: str) -> None:
        """Append one refusal."""
        line = msgspec.json.encode(
            {"digest": digest, "repository": repository, "principal": principal, "reason": reason[:500]}
        )
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            if os.fstat(descriptor).st_size < MOST_BYTES:
                os.write(descriptor, line + b"\n")
        finally:
            os.close(descriptor)


def take_in(directory: Path, database: Database, ledger: Ledger) -> int:
    """Make facts of the refusals that were spooled since the last call; returns how many."""
    path = directory / "refused-pulls.jsonl"
    if not path.exists():
        return 0
    where = spool_cursors.c.file == path.name
    with database.read() as tx:
        offset = tx.execute(sa.select(spool_cursors.c.offset).where(where)).scalar() or 0
    with path.open("rb") as handle:
        handle.seek(offset)
        chunk = handle.read(_BATCH)
    complete = chunk[: chunk.rfind(b"\n") + 1]
    if not complete:
        return 0
    facts = [PullRefused(**msgspec.json.decode(line)) for line in complete.splitlines()]
    with database.write() as tx:
        if tx.execute(sa.update(spool_cursors).where(where).values(offset=offset + len(complete))).rowcount == 0:
            tx.execute(sa.insert(spool_cursors).values(file=path.name, offset=offset + len(complete)))
        ledger.append(tx, facts, actor="system:pull")
    return len(facts)
