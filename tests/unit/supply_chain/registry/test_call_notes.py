"""What the registry's endpoints note down about calls becomes facts, a flood of them few."""

from __future__ import annotations

from pathlib import Path

from lading.facts import Ledger
from lading.facts.fact import Entry
from lading.facts.kinds.identity import AccessRefused, AccessUsed
from lading.kernel.clock import ManualClock, timestamp
from lading.state import Database
from lading.supply_chain.registry.calls import CallNotes
from lading.supply_chain.registry.taking_in import take_in


def taken(directory: Path, database: Database, ledger: Ledger) -> list[Entry]:
    take_in(directory, database, ledger)
    with database.read() as tx:
        return list(ledger.read(tx))


def test_a_change_is_a_fact_of_who_what_from_where_and_when(
    tmp_path: Path, each_database: Database, ledger: Ledger, clock: ManualClock
) -> None:
    notes = CallNotes(tmp_path, "push", clock)
    moment = timestamp(clock.now())
    notes.used("robot:shop/ci", "token-1", "push manifest", "shop/web:1", "192.0.2.7")
    clock.sleep(100)
    (entry,) = taken(tmp_path, each_database, ledger)
    assert entry.actor == "robot:shop/ci"
    assert entry.fact == AccessUsed(
        principal="robot:shop/ci",
        token_id="token-1",
        operation="push manifest",
        target="shop/web:1",
        door="push",
        address="192.0.2.7",
        moment=moment,
    )


def test_a_flood_of_refusals_is_a_fact_at_once_and_one_with_the_count(
    tmp_path: Path, database: Database, ledger: Ledger, clock: ManualClock
) -> None:
    notes = CallNotes(tmp_path, "pull", clock)
    for _ in range(5_000):
        notes.refused("robot:mail/ci", "pull", "shop/web", "192.0.2.7", 404)
    notes.close()
    facts = [entry.fact for entry in taken(tmp_path, database, ledger)]
    assert all(isinstance(fact, AccessRefused) for fact in facts)
    assert [(fact.target, fact.status, fact.times) for fact in facts if isinstance(fact, AccessRefused)] == [
        ("shop/web", 404, 1),
        ("shop/web", 404, 4_999),
    ]
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_printed_or_read_stays_out(
    tmp_path: Path, database: Database, ledger: Ledger, clock: ManualClock
) -> None:
    notes = CallNotes(tmp_path, "push", clock)
    notes.refused("anonymous", "pull", "a\n\x1b[31m" + "x" * 5_000, "192.0.2.7", 401)
    (tmp_path / "calls-torn.jsonl").write_text(
        '{"kind": "access.used", "principal"\n{"kind": "team.created", "team": "x"}\n'
    )
    (entry,) = taken(tmp_path, database, ledger)
    assert isinstance(entry.fact, AccessRefused)
    assert entry.fact.target == "a??[31m" + "x" * 293
