"""The ledger of a restored database, by the keys of then."""

from __future__ import annotations

from pathlib import Path

import pytest

from lading.continuity.errors import BackupDamaged
from lading.facts import Ledger
from lading.facts.checkpoints import Checkpoints
from lading.facts.kinds.system import ServerStopped
from lading.kernel.clock import ManualClock
from lading.kernel.errors import IntegrityFailure
from lading.state import Database, migrate
from lading.supply_chain.attest.keyring.keyring import Keyring
from lading.supply_chain.attest.keys_local import PrivateKey, open_local_key
from lading.wiring.continuity import LedgerBooks


def restored(directory: Path, key: PrivateKey, revision: str) -> Database:
    """A database with an entry and a checkpoint, as a version of then left it."""
    database = Database(f"sqlite:///{directory / 'lading.db'}")
    migrate.upgrade(database, revision)
    ledger = Ledger(ManualClock())
    with database.write() as tx:
        ledger.append(tx, [ServerStopped(seconds=1.0)], actor="system:test")
    Checkpoints(database, ledger, key, directory / "checkpoints.jsonl").sign()
    return database


def test_a_backup_of_before_there_were_keys_in_the_database_is_verified(tmp_path: Path) -> None:
    database = restored(tmp_path, open_local_key(tmp_path / "keys"), "0020")

    assert LedgerBooks(ManualClock()).verify(database, tmp_path) == 2
    database.close()


def test_a_backup_whose_key_is_elsewhere_is_verified_by_the_keys_of_its_database(tmp_path: Path) -> None:
    key = PrivateKey.generate()
    database = restored(tmp_path, key, "head")
    books = LedgerBooks(ManualClock())
    with pytest.raises(BackupDamaged, match="no signing key"):
        books.verify(database, tmp_path)

    ring = Keyring(database, Ledger(ManualClock()), lambda: key.key_id)
    ring.trust(PrivateKey.generate().public_pem(), name="ci", actor="system:test")
    with pytest.raises(BackupDamaged, match="no signing key"):
        books.verify(database, tmp_path)
    ring.use(PrivateKey.generate())
    with pytest.raises(IntegrityFailure, match="unknown key"):
        books.verify(database, tmp_path)
    ring.use(key)
    assert books.verify(database, tmp_path) == 5
    database.close()
