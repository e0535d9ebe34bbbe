"""Refused pulls reach the ledger, and answered ones are counted, each once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import sqlalchemy as sa

from lading.facts import Ledger
from lading.facts.kinds.supply_chain import PullRefused
from lading.kernel.digest import Digest
from lading.state import Database
from lading.supply_chain.registry import spool as spool_module
from lading.supply_chain.registry.spool import REFUSALS, PullNotes, pattern
from lading.supply_chain.registry.sql.tables import pulls
from lading.supply_chain.registry.taking_in import take_in

DIGEST = str(Digest.of(b"image"))


def reasons(database: Database, ledger: Ledger) -> list[str]:
    with database.read() as tx:
        facts = [entry.fact for entry in ledger.read(tx)]
    return [fact.reason for fact in facts if isinstance(fact, PullRefused)]


def test_each_refusal_becomes_one_fact(tmp_path: Path, each_database: Database, ledger: Ledger) -> None:
    spool = PullNotes(tmp_path)
    spool.refused(DIGEST, "shop/web", "robot:a", "one")
    assert take_in(tmp_path, each_database, ledger) == 1
    assert take_in(tmp_path, each_database, ledger) == 0
    spool.refused(DIGEST, "shop/web", "robot:a", "two")
    PullNotes(tmp_path).refused(DIGEST, "shop/web", "robot:b", "three")
    assert take_in(tmp_path, each_database, ledger) == 2
    assert sorted(reasons(each_database, ledger)) == ["one", "three", "two"]


def test_a_file_goes_when_its_process_is_done_and_all_was_taken(
    tmp_path: Path, database: Database, ledger: Ledger
) -> None:
    spool = PullNotes(tmp_path)
    spool.refused(DIGEST, "shop/web", "robot:a", "one")
    take_in(tmp_path, database, ledger)
    assert len(list(tmp_path.glob(pattern(REFUSALS)))) == 1
    spool.refused(DIGEST, "shop/web", "robot:a", "two")
    spool.close()
    assert take_in(tmp_path, database, ledger) == 1
    assert list(tmp_path.iterdir()) == []
    assert take_in(tmp_path, database, ledger) == 0
    assert reasons(database, ledger) == ["one", "two"]


def test_a_torn_line_is_passed_over(tmp_path: Path, database: Database, ledger: Ledger) -> None:
    good = json.dumps({"digest": DIGEST, "repository": "shop/web", "principal": "robot:a", "reason": "good"})
    lines = ['{"digest": "sha2', good, '{"digest": "x", "repository": "", "principal": "", "reason": ""}', good[:20]]
    (tmp_path / "refused-pulls-1.jsonl").write_text("\n".join(lines))
    assert take_in(tmp_path, database, ledger) == 1
    assert reasons(database, ledger) == ["good"]


def test_the_spool_is_bounded_and_goes_on_when_it_was_taken_in(
    tmp_path: Path, database: Database, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_module, "MOST_BYTES", 4_000)
    monkeypatch.setattr(spool_module, "MOST_FILE_BYTES", 1_000)
    spool = PullNotes(tmp_path)
    for number in range(100):
        spool.refused(DIGEST, "shop/web", "robot:a", str(number))
    assert 0 < sum(path.stat().st_size for path in tmp_path.iterdir()) < 6_000
    taken = take_in(tmp_path, database, ledger)
    assert 0 < taken < 100
    spool.refused(DIGEST, "shop/web", "robot:a", "afterwards")
    take_in(tmp_path, database, ledger)
    assert reasons(database, ledger)[-1] == "afterwards"


def test_a_spool_that_cannot_be_written_fails_no_pull(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    spool = PullNotes(tmp_path / "spool")
    (tmp_path / "spool").rmdir()
    spool.refused(DIGEST, "shop/web", "robot:a", "one")
    assert "could not be noted" in caplog.text


def test_answered_pulls_are_added_up(tmp_path: Path, each_database: Database, ledger: Ledger) -> None:
    spooled = tmp_path / "spool"
    notes = PullNotes(spooled)
    for _ in range(3):
        notes.pulled("shop/web", DIGEST)
    notes.flush()
    take_in(spooled, each_database, ledger)
    notes.pulled("shop/web", DIGEST)
    notes.pulled("shop/mail", DIGEST)
    notes.close()
    take_in(spooled, each_database, ledger)
    take_in(spooled, each_database, ledger)
    with each_database.read() as tx:
        rows = {row.repository: row.times for row in tx.execute(sa.select(pulls))}
    assert rows == {"shop/web": 4, "shop/mail": 1}
    assert list(spooled.iterdir()) == []
