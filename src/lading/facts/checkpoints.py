"""Signed checkpoints: what makes a rewritten or a cut off ledger show.

The chain alone proves that nothing in the middle was changed; whoever can write the database can compute a new one.
A checkpoint signs the head, and a copy of it stands in a file outside of the database:

    message = canonical JSON {"at": microseconds, "hash": hex, "seq": n}
    read head -> sign (no transaction open) -> row + `ledger.checkpoint-signed` in one transaction -> line in the file

The line is written last, so the file never knows more than the database did; what a crash kept from it is added at the
next checkpoint.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import msgspec
import sqlalchemy as sa

from lading.facts.kinds.system import CheckpointSigned
from lading.facts.ledger import Head, Ledger, Verified
from lading.facts.sql import checkpoints
from lading.kernel.canonical import canonical_json
from lading.kernel.errors import Conflict, IntegrityFailure, Unavailable
from lading.state import Database, Transaction

_MOST_LINE: Final = 4_096


class HeadVerifier(Protocol):
    """A public key. `key_id` names it for ever."""

    @property
    def key_id(self) -> str:
        """The name of the key."""
        ...

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Whether the signature was made over the message by this key; never raises for any bytes."""
        ...


class HeadSigner(HeadVerifier, Protocol):
    """A private key with its public one."""

    def sign(self, message: bytes) -> bytes:
        """A signature that `verify` accepts; a LadingError when the key cannot be used."""
        ...


class Checkpoint(msgspec.Struct, frozen=True):
    """The ledger up to `seq` had this hash at `at` (microseconds since 1970), signed."""

    seq: int
    hash: bytes
    at: int
    key_id: str
    signature: bytes

    def message(self) -> bytes:
        """The bytes that are signed."""
        return canonical_json({"seq": self.seq, "hash": self.hash.hex(), "at": self.at})


@dataclass(frozen=True, slots=True)
class VerifiedCheckpoints:
    """What was checked. `unfiled` checkpoints are in the database only: a crash, or somebody shortened the file."""

    ledger: Verified
    checkpoints: int
    unfiled: int
    last: int


class Checkpoints:
    """Signs the head and checks what was signed."""

    def __init__(self, database: Database, ledger: Ledger, signer: HeadSigner | None, file: Path) -> None:
        """Without a signer checkpoints can be verified only."""
        self._database = database
        self._ledger = ledger
        self._signer = signer
        self._file = file

    def sign(self, *, actor: str = "system:lading") -> Checkpoint:
        """Sign the head as it is now; the last checkpoint when nothing was appended since.

        Raises:
            Conflict: the ledger is empty, or there is no signer.
            Unavailable: the database or the file cannot be written; a checkpoint in the database alone is filed by the
                next call.
            IntegrityFailure: the entry at the head changed while it was being signed.
        """
        with self._database.read() as tx:
            head = self._ledger.head(tx)
            last = _last(tx)
        if not head.seq:
            raise Conflict("The ledger is empty, so there is nothing to sign.")
        # The fact about a checkpoint is an entry too; it alone does not call for another one.
        if not last or head.seq > last + 1:
            if self._signer is None:
                raise Conflict("There is no key to sign the ledger with.", remedy="Start the server with its key.")
            self._add(_signed(head, self._signer), actor)
        self._file_missing()
        with self._database.read() as tx:
            return _all(tx)[-1]

    def verify(self, verifiers: Iterable[HeadVerifier] = ()) -> VerifiedCheckpoints:
        """Recompute the chain and hold every checkpoint, of the database and of the file, against it.

        Args:
            verifiers: keys of the past; the present one is always known.

        Raises:
            IntegrityFailure: says which entry or checkpoint, and what happened to it.
        """
        present = () if self._signer is None else (self._signer,)
        keys: dict[str, HeadVerifier] = {key.key_id: key for key in (*verifiers, *present)}
        # The file first: what is filed later than the snapshot would look as if the ledger had been cut off.
        filed = self._filed()
        with self._database.read() as tx:
            verified = self._ledger.verify(tx)
            kept = _all(tx)
            for one in kept:
                self._check(tx, one, keys, verified.head)
            for one in filed:
                self._check(tx, one, keys, verified.head)
        lost = sorted({one.seq for one in filed} - {one.seq for one in kept})
        if lost:
            raise IntegrityFailure(
                f"The database lost the checkpoint of entry {lost[0]}, which {self._file} still has.",
                remedy="Compare the database with a backup: rows were deleted from it.",
            )
        unfiled = len({one.seq for one in kept} - {one.seq for one in filed})
        return VerifiedCheckpoints(verified, len(kept), unfiled, kept[-1].seq if kept else 0)

    def _add(self, made: Checkpoint, actor: str) -> None:
        with self._database.write() as tx:
            self._ledger.head(tx, for_update=True)
            if _last(tx) >= made.seq:
                return
            if self._ledger.hash_at(tx, made.seq) != made.hash:
                raise IntegrityFailure(f"Ledger entry {made.seq} changed while it was being signed.")
            tx.execute(sa.insert(checkpoints).values(msgspec.structs.asdict(made)))
            fact = CheckpointSigned(seq=made.seq, hash=made.hash.hex(), key_id=made.key_id)
            self._ledger.append(tx, [fact], actor=actor)

    def _check(self, tx: Transaction, one: Checkpoint, keys: dict[str, HeadVerifier], head: Head) -> None:
        key = keys.get(one.key_id)
        if key is None or not key.verify(one.message(), one.signature):
            why = "is by an unknown key" if key is None else "does not hold"
            raise IntegrityFailure(
                f"The signature of the checkpoint of ledger entry {one.seq} {why}.",
                remedy="Verify with the key of then; when it was the right key, the checkpoint was forged.",
                details=(f"key {one.key_id}",),
            )
        if one.seq > head.seq:
            raise IntegrityFailure(
                f"The ledger was cut off: it ends at entry {head.seq}, but entry {one.seq} was signed.",
                remedy="Restore the database from a backup that has that entry.",
            )
        if self._ledger.hash_at(tx, one.seq) != one.hash:
            raise IntegrityFailure(
                f"The ledger was rewritten: entry {one.seq} is not the one that was signed.",
                remedy="Restore the database from a backup; an earlier checkpoint that holds tells how far back.",
            )

    def _filed(self) -> list[Checkpoint]:
        try:
            with self._file.open("rb") as file:
                lines = list(iter(lambda: file.readline(_MOST_LINE), b""))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise Unavailable(f"The checkpoint file {self._file} cannot be read: {error.strerror}.") from error
        # A last line without its end was being written when the process died.
        whole = lines[:-1] if lines and not lines[-1].endswith(b"\n") else lines
        return [self._read(number, line) for number, line in enumerate(whole, start=1) if line.strip()]

    def _read(self, number: int, line: bytes) -> Checkpoint:
        try:
            return msgspec.json.decode(line, type=Checkpoint)
        except (msgspec.MsgspecError, ValueError) as error:
            raise IntegrityFailure(
                f"Line {number} of the checkpoint file {self._file} is not a checkpoint.",
                remedy="Lines are only ever appended by Lading: somebody or the disk changed it.",
            ) from error

    def _file_missing(self) -> None:
        filed = {one.seq for one in self._filed()}
        with self._database.read() as tx:
            missing = [one for one in _all(tx) if one.seq not in filed]
        if not missing:
            return
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("r+b" if self._file.exists() else "xb") as file:
                _drop_torn_line(file.fileno(), self._file)
                file.seek(0, os.SEEK_END)
                for one in missing:
                    file.write(msgspec.json.encode(one) + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise Unavailable(
                f"The checkpoint file {self._file} cannot be written: {error.strerror}.",
                remedy="The checkpoint is in the database and is filed the next time.",
            ) from error


def _signed(head: Head, signer: HeadSigner) -> Checkpoint:
    draft = Checkpoint(head.seq, head.hash, head.at, signer.key_id, b"")
    return msgspec.structs.replace(draft, signature=signer.sign(draft.message()))


def _drop_torn_line(descriptor: int, path: Path) -> None:
    content = path.read_bytes()
    end = content.rfind(b"\n") + 1
    if end != len(content):
        os.ftruncate(descriptor, end)


def _last(tx: Transaction) -> int:
    return tx.execute(sa.select(sa.func.max(checkpoints.c.seq))).scalar() or 0


def _all(tx: Transaction) -> list[Checkpoint]:
    rows = tx.execute(sa.select(checkpoints).order_by(checkpoints.c.seq))
    return [Checkpoint(row.seq, bytes(row.hash), row.at, row.key_id, bytes(row.signature)) for row in rows]
