"""Bring blobs to a target: what is there is skipped or mounted, what broke off goes on where it was, also after a kill.

One blob is sent once at a time, whoever needs it: images that share a layer wait for each other.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Final

from lading.kernel.clock import Clock, timestamp
from lading.kernel.digest import Digest
from lading.state import Database
from lading.state.sealing import SealBroken, Sealer
from lading.supply_chain.registry.errors import ContentMismatch, DigestInvalid, RemoteFailed
from lading.supply_chain.registry.reading import Reading
from lading.supply_chain.registry.replication.pace import Pace
from lading.supply_chain.registry.replication.remote import PushedTo
from lading.supply_chain.registry.replication.sql import targets as sql

CHUNK: Final = 8 << 20
_PIECE: Final = 1 << 20


class Transfer:
    """Sends blobs of our registry to one target. May be used from several threads."""

    def __init__(
        self,
        *,
        target: str,
        source: Reading,
        remote: PushedTo,
        database: Database,
        sealer: Sealer,
        pace: Pace,
        clock: Clock,
        stop: threading.Event,
    ) -> None:
        self._target = target
        self._source = source
        self._remote = remote
        self._database = database
        self._sealer = sealer
        self._pace = pace
        self._clock = clock
        self._stop = stop
        self._turns: dict[str, threading.Lock] = {}
        self._turns_lock = threading.Lock()

    def send(self, repository: str, digest: Digest, size: int, *, mount_from: str = "", look: bool = False) -> int:
        """See that a repository of the target has a blob; returns how many bytes went over.

        Args:
            mount_from: a repository of the target that may have it.
            look: ask first whether it is there.

        Raises:
            RemoteFailed, RemoteDenied: the target does not answer, or does not let us in.
            DigestInvalid: the target got something else, twice.
        """
        with self._turn(f"{repository}@{digest}"):
            if look and self._remote.has_blob(repository, digest):
                return 0
            try:
                return self._send(repository, digest, size, mount_from)
            except DigestInvalid:
                # What was there of it before was not ours: once more, from the start.
                return self._send(repository, digest, size, "")

    def _send(self, repository: str, digest: Digest, size: int, mount_from: str) -> int:
        location, at = self._resumed(repository, digest, size)
        if not location:
            location = self._remote.begin(repository, digest, mount_from)
            if not location:
                return 0
        sent = 0
        with self._source.open_blob(digest, at) as stream:
            while size - at > CHUNK:
                chunk = self._read(stream, CHUNK, digest)
                location = self._remote.put_chunk(repository, location, chunk, at)
                at, sent = at + len(chunk), sent + len(chunk)
                self._keep(repository, digest, location)
            rest = self._read(stream, size - at, digest)
        try:
            self._remote.finish(repository, location, digest, rest)
        except DigestInvalid:
            self._forget(repository, digest)
            raise
        self._forget(repository, digest)
        return sent + len(rest)

    def _read(self, stream: IO[bytes], size: int, digest: Digest) -> bytes:
        chunk = bytearray()
        while len(chunk) < size:
            if self._stop.is_set():
                raise RemoteFailed("This process is stopping.", remedy="The next one goes on here.")
            piece = stream.read(min(_PIECE, size - len(chunk)))
            if not piece:
                raise ContentMismatch(f"Our own {digest} is shorter than it should be.", remedy="Restore it.")
            self._pace.spend(len(piece))
            chunk += piece
        return bytes(chunk)

    # Where uploads go on

    def _resumed(self, repository: str, digest: Digest, size: int) -> tuple[str, int]:
        with self._database.read() as tx:
            sealed = sql.upload(tx, self._target, repository, str(digest))
        if sealed is None:
            return "", 0
        try:
            found = self._remote.progress(repository, self._sealer.unseal(sealed, self._purpose()))
        except SealBroken:
            found = None
        if found is None or found[1] > size:
            self._forget(repository, digest)
            return "", 0
        return found

    def _keep(self, repository: str, digest: Digest, location: str) -> None:
        sealed, now = self._sealer.seal(location, self._purpose()), timestamp(self._clock.now())
        with self._database.write() as tx:
            if sql.target(tx, self._target) is not None:
                sql.keep_upload(tx, self._target, repository, str(digest), sealed, now)

    def _forget(self, repository: str, digest: Digest) -> None:
        with self._database.write() as tx:
            sql.forget_upload(tx, self._target, repository, str(digest))

    def _purpose(self) -> str:
        return f"replication-upload:{self._target}"

    @contextmanager
    def _turn(self, key: str) -> Iterator[None]:
        with self._turns_lock:
            turn = self._turns.setdefault(key, threading.Lock())
        with turn:
            yield
        with self._turns_lock:
            if not turn.locked():
                self._turns.pop(key, None)
