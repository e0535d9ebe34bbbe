"""What the registry's endpoints have to say, on its way to the database: the worker's side.

Each refusal becomes one fact and each count is added once: how far a file was read is kept in the transaction that
keeps what was read.
"""

from __future__ import annotations

import fcntl
import itertools
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Final

import msgspec

from lading.facts import Fact, Ledger
from lading.facts.kinds.identity import AccessRefused, AccessUsed
from lading.facts.kinds.mirroring import StaleServed
from lading.facts.kinds.supply_chain import PullRefused
from lading.kernel.digest import Digest
from lading.kernel.errors import InvalidInput
from lading.state import Database, Transaction
from lading.supply_chain.registry.calls import CALLS
from lading.supply_chain.registry.spool import PULLS, REFUSALS, STALE, PullCount, Refusal, StaleNote, pattern
from lading.supply_chain.registry.sql import writing as sql

_BATCH: Final = 1 << 20
_ACTOR: Final = "system:pull"
_log: Final = logging.getLogger(__name__)
_refusal: Final = msgspec.json.Decoder(Refusal)
_stale: Final = msgspec.json.Decoder(StaleNote)
_count: Final = msgspec.json.Decoder(PullCount)
_call: Final[msgspec.json.Decoder[AccessRefused | AccessUsed]] = msgspec.json.Decoder(AccessRefused | AccessUsed)

Keep = Callable[[Transaction, Sequence[bytes]], int]


def take_in(directory: Path, database: Database, ledger: Ledger) -> int:
    """Keep what was spooled since the last call; returns how many refusals and changes became facts.

    Files that nobody appends to any more are removed once all of their lines are kept.
    """

    def stated(read: Callable[[bytes], Fact | None]) -> Keep:
        def state(tx: Transaction, lines: Sequence[bytes]) -> int:
            facts = [fact for line in lines if (fact := read(line)) is not None]
            ledger.append(tx, facts, actor=_ACTOR)
            return len(facts)

        return state

    def called(tx: Transaction, lines: Sequence[bytes]) -> int:
        facts = [fact for line in lines if (fact := _call_of(line)) is not None]
        for principal, made in itertools.groupby(facts, key=lambda fact: fact.principal):
            ledger.append(tx, list(made), actor=principal)
        return len(facts)

    _take(directory, PULLS, database, ledger, _pulled)
    _take(directory, STALE, database, ledger, stated(_stale_fact))
    taken = _take(directory, CALLS, database, ledger, called)
    return taken + _take(directory, REFUSALS, database, ledger, stated(_fact))


def _take(directory: Path, name: str, database: Database, ledger: Ledger, keep: Keep) -> int:
    taken = 0
    paths = {path.name: path for path in sorted(directory.glob(pattern(name)))}
    if not paths:
        return 0
    with database.read() as tx:
        cursors = {file: offset for file, offset in sql.cursors(tx).items() if file.startswith(name)}
    for file, path in paths.items():
        with path.open("rb") as handle:
            abandoned = _is_abandoned(handle)
            taken += _take_file(handle, file, cursors.get(file, 0), database, ledger, keep)
            if abandoned:
                path.unlink()
                # Only cursors of files that were here: those of other hosts' files are in the same table.
                with database.write() as tx:
                    sql.drop_cursors(tx, [file])
    return taken


def _take_file(handle: IO[bytes], file: str, offset: int, database: Database, ledger: Ledger, keep: Keep) -> int:
    """Take the complete lines beyond `offset`; returns how many were kept."""
    count = 0
    handle.seek(offset)
    while chunk := handle.read(_BATCH):
        complete = chunk[: chunk.rfind(b"\n") + 1]
        if not complete:
            break
        with database.write() as tx:
            ledger.head(tx, for_update=True)
            if sql.cursors(tx).get(file, 0) != offset:
                break  # another worker takes the file in
            offset += len(complete)
            sql.save_cursor(tx, file, offset)
            count += keep(tx, complete.splitlines())
        handle.seek(offset)
    return count


def _pulled(tx: Transaction, lines: Sequence[bytes]) -> int:
    counted = 0
    for line in lines:
        try:
            count = _count.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            _log.warning("a spooled count is not readable", extra={"line": repr(line[:200])})
            continue
        sql.add_pulls(tx, count.repository, count.digest, count.times, count.last)
        counted += 1
    return counted


def _fact(line: bytes) -> PullRefused | None:
    """The fact of a line; a line that was torn by a full disk is noted in the log and passed over."""
    try:
        refusal = _refusal.decode(line)
        Digest.parse(refusal.digest)
    except (msgspec.MsgspecError, UnicodeDecodeError, InvalidInput):
        _log.warning("a spooled refusal is not readable", extra={"line": repr(line[:200])})
        return None
    return PullRefused(**msgspec.structs.asdict(refusal))


def _stale_fact(line: bytes) -> StaleServed | None:
    try:
        note = _stale.decode(line)
        Digest.parse(note.digest)
    except (msgspec.MsgspecError, UnicodeDecodeError, InvalidInput):
        _log.warning("a spooled note is not readable", extra={"line": repr(line[:200])})
        return None
    return StaleServed(**msgspec.structs.asdict(note))


def _call_of(line: bytes) -> AccessRefused | AccessUsed | None:
    try:
        return _call.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        _log.warning("a spooled call is not readable", extra={"line": repr(line[:200])})
        return None


def _is_abandoned(handle: IO[bytes]) -> bool:
    """Whether the process that appended to the file has let go of it."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
