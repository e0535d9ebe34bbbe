from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

import pytest
import sqlalchemy as sa

from lading.facts import Ledger
from lading.facts.checkpoints import Checkpoints
from lading.facts.kinds.identity import TeamCreated
from lading.facts.sql import checkpoints, entries
from lading.kernel.errors import Conflict, IntegrityFailure, Unavailable
from lading.state import Database


class SharedKey:
    """A key for these tests: an authentication code is signature enough for one who knows the key."""

    def __init__(self, secret: bytes = b"secret") -> None:
        self._secret = secret
        self.key_id = hashlib.sha256(secret).hexdigest()

    def sign(self, message: bytes) -> bytes:
        return hmac.digest(self._secret, message, "sha256")

    def verify(self, message: bytes, signature: bytes) -> bool:
        return hmac.compare_digest(signature, self.sign(message))


def fill(database: Database, ledger: Ledger, count: int) -> None:
    with database.write() as tx:
        ledger.append(tx, [TeamCreated(team=f"t{n}") for n in range(count)], actor="system:test")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "outside" / "checkpoints.jsonl"


def checked(database: Database, ledger: Ledger, file: Path, key: SharedKey | None = None) -> Checkpoints:
    return Checkpoints(database, ledger, key or SharedKey(), file)


def test_checkpoints_are_signed_filed_and_stated(each_database: Database, ledger: Ledger, file: Path) -> None:
    made = checked(each_database, ledger, file)
    with pytest.raises(Conflict):
        made.sign()
    fill(each_database, ledger, 5)
    first = made.sign(actor="person:ada")
    assert first.seq == 5
    assert made.sign() == first, "only the fact about the checkpoint came after it"
    fill(each_database, ledger, 2)
    assert made.sign().seq == 8

    found = made.verify()
    assert (found.checkpoints, found.unfiled, found.last, found.ledger.entries) == (2, 0, 8, 9)
    assert len(file.read_text().splitlines()) == 2
    with each_database.read() as tx:
        assert len(ledger.read(tx, kinds=["ledger.checkpoint-signed"])) == 2


def test_a_tail_that_was_cut_off_is_found(database: Database, ledger: Ledger, file: Path) -> None:
    made = checked(database, ledger, file)
    fill(database, ledger, 10)
    made.sign()
    with database.write() as tx:
        tx.execute(sa.delete(entries).where(entries.c.seq > 7))
        ledger.verify(tx)

    with pytest.raises(IntegrityFailure, match="cut off: it ends at entry 7, but entry 10 was signed"):
        made.verify()


def test_a_tail_cut_off_together_with_its_checkpoint_is_found_by_the_file(
    database: Database, ledger: Ledger, file: Path
) -> None:
    made = checked(database, ledger, file)
    fill(database, ledger, 10)
    made.sign()
    with database.write() as tx:
        tx.execute(sa.delete(entries).where(entries.c.seq > 7))
        tx.execute(sa.delete(checkpoints))

    with pytest.raises(IntegrityFailure, match="cut off"):
        made.verify()


def test_a_ledger_that_was_rewritten_as_a_whole_is_found(database: Database, ledger: Ledger, file: Path) -> None:
    made = checked(database, ledger, file)
    fill(database, ledger, 10)
    made.sign()
    with database.write() as tx:
        tx.execute(sa.delete(entries))
    with database.write() as tx:
        ledger.append(tx, [TeamCreated(team="forged")] * 11, actor="system:test")
        ledger.verify(tx)

    with pytest.raises(IntegrityFailure, match="rewritten: entry 10"):
        made.verify()


def test_a_checkpoint_deleted_from_the_database_is_found(database: Database, ledger: Ledger, file: Path) -> None:
    made = checked(database, ledger, file)
    fill(database, ledger, 3)
    made.sign()
    with database.write() as tx:
        tx.execute(sa.delete(checkpoints))

    with pytest.raises(IntegrityFailure, match="lost the checkpoint of entry 3"):
        made.verify()


@pytest.mark.parametrize("column", ["hash", "at", "signature", "key_id"])
def test_a_changed_checkpoint_is_found(database: Database, ledger: Ledger, file: Path, column: str) -> None:
    made = checked(database, ledger, file)
    fill(database, ledger, 3)
    made.sign()
    with database.write() as tx:
        old = tx.execute(sa.select(checkpoints.c[column])).scalar_one()
        new = old + 1 if isinstance(old, int) else old[:-1] + (b"\0" if isinstance(old, bytes) else "?")
        tx.execute(sa.update(checkpoints).values({column: new}))

    with pytest.raises(IntegrityFailure, match="checkpoint of ledger entry 3"):
        made.verify()


def test_checkpoints_of_an_earlier_key_verify_when_it_is_given(database: Database, ledger: Ledger, file: Path) -> None:
    before, after = SharedKey(b"before"), SharedKey(b"after")
    fill(database, ledger, 3)
    checked(database, ledger, file, before).sign()
    fill(database, ledger, 3)
    made = checked(database, ledger, file, after)
    made.sign()

    assert made.verify([before]).checkpoints == 2
    with pytest.raises(IntegrityFailure, match="unknown key"):
        made.verify()


def test_a_file_that_a_crash_left_behind_is_completed(database: Database, ledger: Ledger, file: Path) -> None:
    made = checked(database, ledger, file)
    fill(database, ledger, 3)
    made.sign()
    whole = file.read_bytes()
    fill(database, ledger, 3)
    made.sign()
    file.write_bytes(whole + file.read_bytes()[len(whole) : len(whole) + 20])
    assert made.verify().unfiled == 1

    fill(database, ledger, 1)
    made.sign()
    assert made.verify().unfiled == 0
    assert len(file.read_text().splitlines()) == 3


def test_a_damaged_line_is_found(database: Database, ledger: Ledger, file: Path) -> None:
    made = checked(database, ledger, file)
    fill(database, ledger, 3)
    made.sign()
    file.write_bytes(b"{}\n" + file.read_bytes())

    with pytest.raises(IntegrityFailure, match="Line 1"):
        made.verify()


def test_a_file_that_cannot_be_written_is_a_clear_error_and_made_good_later(
    database: Database, ledger: Ledger, tmp_path: Path
) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where a directory should be")
    fill(database, ledger, 3)
    with pytest.raises(Unavailable):
        checked(database, ledger, blocked / "checkpoints.jsonl").sign()

    made = checked(database, ledger, tmp_path / "free.jsonl")
    assert made.sign().seq == 3
    assert made.verify().unfiled == 0
