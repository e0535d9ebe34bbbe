"""Uploads into an object store, which any process on the same database goes on with.

An upload is a row and a list of pieces, each an object of its own under `uploads/`. A piece is written while a request
brings it and belongs to the upload from the transaction on that says so: two processes that write at the same place
cannot both succeed, and a process that dies leaves at most objects that are known and swept. The blob's own object
appears after its digest was checked: copied within the store from a single piece, or written again from several.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import IO, Any, Final

import obstore
from obstore.store import S3Store

from lading.kernel.clock import Clock, SystemClock, timestamp
from lading.kernel.digest import Digest
from lading.kernel.ids import new_id
from lading.state import Database
from lading.supply_chain.registry.blobs import check_digest, check_offset, unknown_upload
from lading.supply_chain.registry.content_object_store import read_object, translated
from lading.supply_chain.registry.errors import RegistryError, StorageFailed, UploadBusy
from lading.supply_chain.registry.reading_ahead import reading_ahead
from lading.supply_chain.registry.sql import uploads as sql
from lading.supply_chain.registry.sql.uploads import Piece

# The store's smallest part; two on their way at once, so that sixteen pushes fit into 240 MiB.
_PART: Final = 5 << 20
_AT_ONCE: Final = 2
_MOST_PIECE: Final = 4 << 30  # an object of more than 5 GiB cannot be copied in one request
_CHUNK: Final = 8 << 20
_TINY: Final = 1 << 20
_MOST_TINY: Final = 256
_MOST_HASHES: Final = 1_024
_WAIT_SECONDS: Final = 10.0
_SWEEP: Final = 1_000
_log: Final = logging.getLogger(__name__)


class _PieceMissing(StorageFailed):
    """An object of an upload is gone."""


@dataclass
class _Open:
    """A piece that is being written by this process."""

    key: str
    at: int
    end: int
    writer: Any
    touched: float


class ObjectStoreUploads:
    """Uploads in a bucket and a database."""

    def __init__(self, store: S3Store, url: str, database: Database, clock: Clock | None = None) -> None:
        self._store = store
        self._url = url
        self._database = database
        self._clock = clock or SystemClock()
        self._open: dict[str, _Open] = {}
        # Running sha256 states of uploads that this process took in: a cache, a lost one is computed again.
        self._hashes: OrderedDict[str, tuple[int, Any]] = OrderedDict()
        self._busy: set[str] = set()
        self._free = threading.Condition()

    def start(self, upload: str) -> None:
        with self._database.write() as tx:
            sql.start(tx, upload, self._now())

    def offset(self, upload: str) -> int:
        with self._database.read() as tx:
            size = sql.size(tx, upload)
        if size is None:
            raise unknown_upload(upload)
        return size

    def append(self, upload: str, chunk: bytes, *, at: int, more: bool = False) -> int:
        with self._turn(upload):
            piece = self._open.get(upload)
            if piece is None or piece.end != at:
                self._drop_open(upload)  # left by a request that failed: the client goes on from what is kept
                check_offset(at, self.offset(upload))
                if not chunk:
                    return at
                piece = self._begin(upload, at)
            try:
                self._write(upload, piece, chunk)
                if not more or piece.end - piece.at >= _MOST_PIECE:
                    self._seal(upload, piece)
            except BaseException:
                self._drop(upload)
                raise
            return piece.end

    def finish(self, upload: str, digest: Digest, target: str) -> int:
        """Make the object `target` of the upload; returns its size. Raises what `UploadStore.finish` raises."""
        with self._turn(upload):
            self._drop_open(upload)
            with self._database.read() as tx:
                size, pieces = sql.size(tx, upload), sql.pieces(tx, upload)
            if size is None:
                raise unknown_upload(upload)
            try:
                self._assemble(pieces, size, digest, target, self._known_hash(upload, size, digest.algorithm))
            except _PieceMissing:
                self.offset(upload)  # unknown when another request finished the same upload meanwhile
                raise
            except RegistryError as error:
                if not isinstance(error, StorageFailed):
                    self._forget(upload)
                raise
            self._forget(upload)
        return size

    def cancel(self, upload: str) -> None:
        with self._turn(upload):
            self._drop(upload)
            if not self._forget(upload):
                raise unknown_upload(upload)

    def expire(self, *, older_than: float) -> int:
        before = timestamp(self._clock.now() - timedelta(seconds=older_than))
        for upload, piece in list(self._open.items()):
            if self._clock.monotonic() - piece.touched > older_than:
                self._open.pop(upload, None)
        with self._database.write() as tx:
            closed = sql.close_idle(tx, before)
        while True:
            with self._database.read() as tx:
                keys = sql.leftovers(tx, before, _SWEEP)
            if not keys:
                return closed
            self._delete(keys)

    # Writing pieces

    def _begin(self, upload: str, at: int) -> _Open:
        key = self._intend(upload, at)
        with translated(self._url):
            writer = obstore.open_writer(self._store, key, buffer_size=_PART, max_concurrency=_AT_ONCE)
        self._open[upload] = _Open(key, at, at, writer, self._clock.monotonic())
        if at == 0:
            self._remember(upload, 0, hashlib.sha256())
        return self._open[upload]

    def _write(self, upload: str, piece: _Open, chunk: bytes) -> None:
        with translated(self._url):
            piece.writer.write(chunk)
        with self._free:
            known, state = self._hashes.get(upload, (0, None))
        if state is not None and known == piece.end:
            state.update(chunk)
            self._remember(upload, known + len(chunk), state)
        piece.end += len(chunk)
        piece.touched = self._clock.monotonic()

    def _seal(self, upload: str, piece: _Open) -> None:
        """Make what was written a part of the upload; raises RangeInvalid and UploadUnknown when it no longer fits."""
        with self._written(piece.key, piece.end - piece.at):
            piece.writer.close()
        del self._open[upload]
        with self._database.write() as tx:
            made = Piece(piece.key, piece.at, piece.end - piece.at)
            if not sql.accept(tx, upload, made, self._now()):
                size = sql.size(tx, upload)
                if size is None:
                    raise unknown_upload(upload)
                check_offset(piece.at, size)
                raise StorageFailed("The upload took too long.", remedy="Send the chunk again.")
            last = sql.last_pieces(tx, upload, _MOST_TINY)
        if len(last) == _MOST_TINY and all(one.size < _TINY for one in last):
            self._merge(upload, last)

    def _merge(self, upload: str, tiny: list[Piece]) -> None:
        """Put one piece in the place of many tiny ones, so that a client of tiny chunks costs little."""
        keys = [piece.key for piece in tiny]
        merged = Piece(self._intend(upload, tiny[0].at), tiny[0].at, sum(piece.size for piece in tiny))
        self._put(merged.key, merged.size, self._chunks(tiny))
        with self._database.write() as tx:
            done = sql.merge(tx, upload, merged, keys)
        self._delete(keys if done else [merged.key])

    def _intend(self, upload: str, at: int) -> str:
        key = f"uploads/{upload[:2]}/{upload}/{new_id()}"
        with self._database.write() as tx:
            sql.intend(tx, key, upload, at, self._now())
        return key

    # Making the blob

    def _assemble(self, pieces: list[Piece], size: int, digest: Digest, target: str, known: Digest | None) -> None:
        if known is None and len(pieces) == 1:
            for _ in self._checked(pieces, digest):
                pass
        elif known is not None:
            check_digest(digest, known)
        if len(pieces) == 1:
            try:
                with translated(self._url):
                    obstore.copy(self._store, pieces[0].key, target)
            except FileNotFoundError:
                raise _missing(pieces[0].key) from None
        else:
            self._put(target, size, self._checked(pieces, digest))
        if not self._holds(target, size):
            raise StorageFailed(f"The object store did not keep the {size} bytes of {digest}.", remedy="Push it again.")

    def _put(self, key: str, size: int, chunks: Iterator[bytes]) -> None:
        """Write an object. The store shows it when the last part is there; chunks that raise leave nothing."""
        with reading_ahead(chunks) as ready, self._written(key, size):
            obstore.put(self._store, key, ready, chunk_size=_CHUNK, max_concurrency=_AT_ONCE)

    @contextmanager
    def _written(self, key: str, size: int) -> Iterator[None]:
        """Raises StorageFailed when the object was not written.

        The answer to the request that completes an object may be lost; asked again, the store knows no such upload.
        Then the object itself says whether it is there.
        """
        try:
            with translated(self._url):
                yield
        except _PieceMissing:
            raise
        except (FileNotFoundError, StorageFailed) as error:
            if self._holds(key, size):
                return
            if isinstance(error, StorageFailed):
                raise
            raise StorageFailed("The object store lost what was written to it.", remedy="Push it again.") from error

    def _holds(self, key: str, size: int) -> bool:
        """Whether an object is there in this size."""
        try:
            with translated(self._url):
                return int(obstore.head(self._store, key)["size"]) == size
        except FileNotFoundError:
            return False

    def _checked(self, pieces: list[Piece], digest: Digest) -> Iterator[bytes]:
        """The bytes of the pieces; raises DigestInvalid after the last one when they are not what `digest` says."""
        state = hashlib.new(digest.algorithm)
        for chunk in self._chunks(pieces):
            state.update(chunk)
            yield chunk
        check_digest(digest, Digest(digest.algorithm, state.hexdigest()))

    def _chunks(self, pieces: list[Piece]) -> Iterator[bytes]:
        for piece in pieces:
            with self._read(piece.key) as stream:
                left = piece.size
                while chunk := stream.read(min(_CHUNK, left)):
                    left -= len(chunk)
                    yield chunk
            if left:
                raise StorageFailed(f"The object {piece.key} lacks {left} bytes.", remedy="Push the blob again.")

    def _read(self, key: str) -> IO[bytes]:
        try:
            return read_object(self._store, key, self._url)
        except FileNotFoundError:
            raise _missing(key) from None

    def _known_hash(self, upload: str, size: int, algorithm: str) -> Digest | None:
        with self._free:
            known, state = self._hashes.get(upload, (0, None))
        if algorithm != "sha256" or state is None or known != size:
            return None
        return Digest("sha256", state.hexdigest())

    # Forgetting

    def _forget(self, upload: str) -> bool:
        with self._free:
            self._hashes.pop(upload, None)
        with self._database.write() as tx:
            keys = [piece.key for piece in sql.pieces(tx, upload)]
            there = sql.close(tx, upload)
        try:
            self._delete(keys)
        except RegistryError as error:
            _log.warning("pieces of an upload are left to be swept", extra={"upload": upload, "error": str(error)})
        return there

    def _delete(self, keys: list[str]) -> None:
        if not keys:
            return
        for key in keys:
            with translated(self._url):
                try:
                    obstore.delete(self._store, key)
                except FileNotFoundError:
                    continue
        with self._database.write() as tx:
            sql.forget_pieces(tx, keys)

    def _drop(self, upload: str) -> None:
        self._drop_open(upload)
        with self._free:
            self._hashes.pop(upload, None)

    def _drop_open(self, upload: str) -> None:
        if self._open.pop(upload, None) is not None:
            with self._free:
                self._hashes.pop(upload, None)

    # Turns and time

    @contextmanager
    def _turn(self, upload: str) -> Iterator[None]:
        """One request at a time for one upload in this process; raises UploadBusy after ten seconds."""
        with self._free:
            if not self._free.wait_for(lambda: upload not in self._busy, _WAIT_SECONDS):
                raise UploadBusy(
                    f"Somebody else writes to upload {upload[:64]}.", remedy="Send the chunks of an upload in turn."
                )
            self._busy.add(upload)
        try:
            yield
        finally:
            with self._free:
                self._busy.discard(upload)
                self._free.notify_all()

    def _remember(self, upload: str, size: int, state: Any) -> None:
        with self._free:
            self._hashes[upload] = (size, state)
            self._hashes.move_to_end(upload)
            if len(self._hashes) > _MOST_HASHES:
                self._hashes.popitem(last=False)

    def _now(self) -> str:
        return timestamp(self._clock.now())


def _missing(key: str) -> _PieceMissing:
    return _PieceMissing(f"The object {key} of an upload is missing.", remedy="Push the blob again.")
