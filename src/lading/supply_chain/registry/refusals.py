"""Refused pulls on their way to the ledger: the worker's side. Each line becomes one fact, exactly once.

How far a file was read is kept in the transaction that writes the facts.
"""

from __future__ import annotations

import fcntl
import logging
from pathlib import Path
from typing import IO, Final

import msgspec

from lading.facts import Ledger
from lading.facts.kinds.supply_chain import PullRefused
from lading.kernel.digest import Digest
from lading.kernel.errors import InvalidInput
from lading.state import Database
from lading.supply_chain.registry.spool import PATTERN, Refusal
from lading.supply_chain.registry.sql import writing as sql

_BATCH: Final = 1 << 20
_ACTOR: Final = "system:pull"
_log: Final = logging.getLogger(__name__)
_decoder: Final = msgspec.json.Decoder(Refusal)


def take_in(directory: Path, database: Database, ledger: Ledger) -> int:
    """Make facts of the refusals that were spooled since the last call; returns how many.

    Files that nobody appends to any more are removed once all of their lines are facts.
    """
    taken = 0
    paths = {path.name: path for path in sorted(directory.glob(PATTERN))}
    with database.read() as tx:
        cursors = sql.cursors(tx)
    for name, path in paths.items():
        with path.open("rb") as handle:
            abandoned = _is_abandoned(handle)
            taken += _take_file(handle, name, cursors.get(name, 0), database, ledger)
            if abandoned:
                path.unlink()
    if gone := [name for name in cursors if name not in paths]:
        with database.write() as tx:
            sql.drop_cursors(tx, gone)
    return taken


def _take_file(handle: IO[bytes], name: str, offset: int, database: Database, ledger: Ledger) -> int:
    """Take the complete lines beyond `offset`; returns how many facts there were."""
    count = 0
    handle.seek(offset)
    while chunk := handle.read(_BATCH):
        complete = chunk[: chunk.rfind(b"\n") + 1]
        if not complete:
            break
        facts = [fact for line in complete.splitlines() if (fact := _fact(line)) is not None]
        with database.write() as tx:
            ledger.head(tx, for_update=True)
            if sql.cursors(tx).get(name, 0) != offset:
                break  # another worker takes the file in
            offset += len(complete)
            sql.save_cursor(tx, name, offset)
            ledger.append(tx, facts, actor=_ACTOR)
        count += len(facts)
        handle.seek(offset)
    return count


def _fact(line: bytes) -> PullRefused | None:
    """The fact of a line; a line that was torn by a full disk is noted in the log and passed over."""
    try:
        refusal = _decoder.decode(line)
        Digest.parse(refusal.digest)
    except (msgspec.MsgspecError, UnicodeDecodeError, InvalidInput):
        _log.warning("a spooled refusal is not readable", extra={"line": repr(line[:200])})
        return None
    return PullRefused(**msgspec.structs.asdict(refusal))


def _is_abandoned(handle: IO[bytes]) -> bool:
    """Whether the process that appended to the file has let go of it."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
