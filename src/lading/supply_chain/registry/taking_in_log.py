"""What nginx served from the tree, on its way to the database: its log of pulls, taken in by the worker of the host.

Answered pulls are counted for retention, refused ones become facts, as those of the pull endpoint are. How far the
file was read is kept in the transaction that keeps what was read. The file is known by its first line, which no other
has: so it may be rotated by somebody else. When it has grown large and all of it was taken in, it is emptied here; what
nginx writes at that very moment is lost.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final

import msgspec

from lading.facts import Ledger
from lading.facts.kinds.supply_chain import PullRefused
from lading.kernel.clock import timestamp
from lading.kernel.digest import Digest
from lading.kernel.errors import InvalidInput
from lading.kernel.reference import is_repository_name
from lading.state import Database, Transaction
from lading.supply_chain.registry.sql import writing as sql

MOST_BYTES: Final = 16 << 20
_BATCH: Final = 1 << 20
_ACTOR: Final = "system:pull"
_PREFIX: Final = "nginx-"
_log: Final = logging.getLogger(__name__)

Why = Callable[[str, Digest], str]


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One answered request, as it stands in the file. `at` is in seconds since 1970."""

    id: str
    at: str
    status: str
    repository: str
    digest: str
    visitor: str = ""


_decoder: Final = msgspec.json.Decoder(Line)


class PullLog:
    """Takes in one file.

    Args:
        why: the reason for which a manifest of a repository is refused; empty when it is not any more.
    """

    def __init__(self, path: Path, database: Database, ledger: Ledger, why: Why) -> None:
        self._path = path
        self._database = database
        self._ledger = ledger
        self._why = why
        self._known = ""

    def take_in(self) -> int:
        """Keep what was logged since the last call; returns how many pulls were counted. A missing file has nothing."""
        try:
            with self._path.open("rb") as handle:
                return self._take(handle)
        except FileNotFoundError:
            return 0
        except OSError as error:
            _log.error("the log of pulls cannot be read", extra={"path": str(self._path), "error": str(error)})
            return 0

    def _take(self, handle: IO[bytes]) -> int:
        first = handle.readline(_BATCH)
        if not first.endswith(b"\n"):
            return 0
        name = _PREFIX + hashlib.sha256(first).hexdigest()[:32]
        with self._database.read() as tx:
            offset = sql.cursors(tx).get(name, 0)
        handle.seek(offset)
        counted = 0
        while lines := _complete(handle.read(_BATCH)):
            counted += self._keep(name, offset, lines)
            offset += len(lines)
            handle.seek(offset)
        self._forget(name)
        if offset >= MOST_BYTES:
            os.truncate(self._path, 0)
        return counted

    def _keep(self, name: str, offset: int, lines: bytes) -> int:
        read = [line for line in map(_read, lines.splitlines()) if line is not None]
        refused = self._refusals([line for line in read if line.status == "403"])
        pulled = [line for line in read if line.status == "200"]
        times = Counter((line.repository, line.digest) for line in pulled)
        last = {(line.repository, line.digest): _moment(line) for line in pulled}
        with self._database.write() as tx:
            if sql.cursors(tx).get(name, 0) != offset:
                return 0  # another worker takes the file in
            sql.save_cursor(tx, name, offset + len(lines))
            for (repository, digest), count in times.items():
                sql.add_pulls(tx, repository, digest, count, last[repository, digest])
            self._state(tx, refused)
        return len(pulled)

    def _refusals(self, lines: Sequence[Line]) -> list[PullRefused]:
        reasons: dict[tuple[str, str], str] = {}
        for line in lines:
            here = line.repository, line.digest
            if here not in reasons:
                reasons[here] = self._why(line.repository, Digest.parse(line.digest))
        return [
            PullRefused(
                digest=line.digest,
                repository=line.repository,
                principal=line.visitor,
                reason=reasons[line.repository, line.digest] or "it was refused",
            )
            for line in lines
        ]

    def _state(self, tx: Transaction, refused: Sequence[PullRefused]) -> None:
        if refused:
            self._ledger.append(tx, refused, actor=_ACTOR)

    def _forget(self, name: str) -> None:
        """Forget how far the file before this one was read."""
        if self._known not in ("", name):
            with self._database.write() as tx:
                sql.drop_cursors(tx, [self._known])
        self._known = name


def _complete(chunk: bytes) -> bytes:
    """The complete lines of a chunk. A line of a mebibyte is none of ours, and passed over as it is."""
    end = chunk.rfind(b"\n") + 1
    return chunk if not end and len(chunk) == _BATCH else chunk[:end]


def _read(text: bytes) -> Line | None:
    try:
        line = _decoder.decode(text)
        Digest.parse(line.digest)
        _moment(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, InvalidInput, ValueError, OverflowError):
        _log.warning("a line of the log of pulls is not readable", extra={"line": repr(text[:200])})
        return None
    return line if is_repository_name(line.repository) else None


def _moment(line: Line) -> str:
    return timestamp(datetime.fromtimestamp(float(line.at), UTC))
