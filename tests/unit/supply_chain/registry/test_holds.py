"""What holds protect, how they end, and that a decision in progress and a new hold wait for each other."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from lading.facts import Ledger
from lading.kernel.clock import ManualClock, timestamp
from lading.kernel.digest import Digest
from lading.kernel.errors import Conflict, InvalidInput, NotFound
from lading.state import Database, metadata
from lading.supply_chain.registry.holding import BACKUP, LEGAL, Holds, Protection

IMAGE = Digest.of(b"an image")


@pytest.fixture
def holds(each_database: Database, ledger: Ledger, clock: ManualClock) -> Holds:
    return Holds(each_database, ledger, clock)


def protection(holds: Holds, database: Database) -> Protection:
    with database.write() as tx:
        return holds.protection(tx)


def test_without_holds_nothing_is_protected(holds: Holds, each_database: Database, clock: ManualClock) -> None:
    found = protection(holds, each_database)
    assert found == Protection("", frozenset())
    assert not found.covers_blob(timestamp(clock.now()))


def test_a_backup_protects_what_was_stored_before_it(holds: Holds, each_database: Database, clock: ManualClock) -> None:
    before = timestamp(clock.now() - timedelta(days=1))
    holds.begin_backup("b1", why="nightly", actor="system:backup")
    clock.advance(timedelta(minutes=20))
    found = protection(holds, each_database)
    assert found.covers_blob(before)
    assert not found.covers_blob(timestamp(clock.now()))


def test_the_hold_of_a_killed_backup_runs_out(holds: Holds, each_database: Database, clock: ManualClock) -> None:
    holds.begin_backup("b1", why="nightly", actor="system:backup", lasting=timedelta(hours=1))
    clock.advance(timedelta(minutes=59))
    assert protection(holds, each_database).stored_before
    clock.advance(timedelta(minutes=2))
    assert not protection(holds, each_database).stored_before
    with pytest.raises(Conflict, match="had run out"):
        holds.extend_backup("b1")
    holds.begin_backup("b2", why="nightly", actor="system:backup")
    holds.end_backup("b2", actor="system:backup")
    assert holds.all() == []


def test_a_long_backup_extends_its_hold(holds: Holds, each_database: Database, clock: ManualClock) -> None:
    holds.begin_backup("b1", why="nightly", actor="system:backup")
    for _ in range(5):
        clock.advance(timedelta(minutes=50))
        holds.extend_backup("b1")
    assert protection(holds, each_database).stored_before
    assert [hold.kind for hold in holds.all()] == [BACKUP]


def test_an_image_is_held_until_it_is_released(holds: Holds, each_database: Database, ledger: Ledger) -> None:
    holds.hold(IMAGE, why="case 17", actor="person:counsel")
    assert protection(holds, each_database).images == {str(IMAGE)}
    assert [(hold.why, hold.kind, hold.until) for hold in holds.all(LEGAL)] == [("case 17", LEGAL, "")]
    holds.release(IMAGE, actor="person:counsel")
    assert not protection(holds, each_database).images
    with pytest.raises(NotFound):
        holds.release(IMAGE, actor="person:counsel")
    with each_database.read() as tx:
        assert [entry.fact.kind() for entry in ledger.read(tx)] == ["hold.placed", "hold.released"]


def test_a_hold_with_an_end_runs_out(holds: Holds, each_database: Database, clock: ManualClock) -> None:
    holds.hold(IMAGE, why="case 17", actor="person:counsel", until=clock.now() + timedelta(days=30))
    clock.advance(timedelta(days=31))
    assert not protection(holds, each_database).images
    assert holds.all() == []


@pytest.mark.parametrize("why", ["", "  "])
def test_a_hold_without_a_reason_is_refused(holds: Holds, why: str) -> None:
    with pytest.raises(InvalidInput):
        holds.hold(IMAGE, why=why, actor="person:counsel")


def test_a_hold_that_is_over_already_is_refused(holds: Holds, clock: ManualClock) -> None:
    with pytest.raises(InvalidInput):
        holds.hold(IMAGE, why="case 17", actor="person:counsel", until=clock.now())


@pytest.mark.postgres
def test_a_new_hold_waits_for_a_decision_in_progress(postgres_url: str, ledger: Ledger, clock: ManualClock) -> None:
    database = Database(postgres_url)
    metadata.create_all(database.engine)
    holds = Holds(database, ledger, clock)
    order: list[str] = []
    started = threading.Event()

    def place() -> None:
        started.set()
        holds.begin_backup("b1", why="nightly", actor="system:backup")
        order.append("held")

    with database.write() as tx:
        holds.protection(tx)
        thread = threading.Thread(target=place)
        thread.start()
        started.wait(5)
        thread.join(0.3)
        order.append("decided")
    thread.join(10)
    database.close()
    assert order == ["decided", "held"]
