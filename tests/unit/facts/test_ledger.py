import importlib
import pkgutil
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pytest
import sqlalchemy as sa

from lading.facts import Entry, Fact, Ledger, follow, kinds
from lading.facts.kinds import CATALOGUE
from lading.facts.kinds.identity import TeamCreated
from lading.facts.kinds.runtime_security import IncidentSeenAgain
from lading.facts.kinds.system import ClockRegressed
from lading.facts.sql import entries
from lading.kernel.clock import ManualClock
from lading.kernel.errors import IntegrityFailure
from lading.kernel.subject import Subject
from lading.state import Database, Transaction


def seen(number: int) -> IncidentSeenAgain:
    return IncidentSeenAgain(incident="i", container=f"c{number}", times=number)


def fill(database: Database, ledger: Ledger, count: int) -> None:
    with database.write() as tx:
        ledger.append(tx, [seen(number) for number in range(count)], actor="system:test")


def test_facts_come_back_in_order_and_equal(each_database: Database, ledger: Ledger) -> None:
    fill(each_database, ledger, 5)

    with each_database.read() as tx:
        read = ledger.read(tx)

    assert [entry.fact for entry in read] == [seen(number) for number in range(5)]
    assert [entry.seq for entry in read] == [1, 2, 3, 4, 5]


def test_a_rolled_back_transaction_leaves_no_fact(each_database: Database, ledger: Ledger) -> None:
    with pytest.raises(RuntimeError), each_database.write() as tx:
        ledger.append(tx, [seen(1)], actor="system:test")
        raise RuntimeError

    with each_database.read() as tx:
        assert ledger.head(tx).seq == 0


def test_reading_filters_by_subject_and_kind(database: Database, ledger: Ledger) -> None:
    fill(database, ledger, 3)
    with database.write() as tx:
        ledger.append(tx, [TeamCreated(team="shop")], actor="system:test")

    with database.read() as tx:
        assert [entry.seq for entry in ledger.read(tx, subject=Subject.parse("team:shop"))] == [4]
        assert [entry.seq for entry in ledger.read(tx, kinds=["team.created"])] == [4]
        assert [entry.seq for entry in ledger.read(tx, newest_first=True, limit=2)] == [4, 3]


def test_an_untouched_ledger_verifies(each_database: Database, ledger: Ledger) -> None:
    fill(each_database, ledger, 50)

    with each_database.read() as tx:
        assert ledger.verify(tx, batch=7).entries == 50


@pytest.mark.parametrize("column", ["at", "kind", "subject", "actor", "body", "hash"])
def test_one_changed_column_is_found_where_it_is(database: Database, ledger: Ledger, column: str) -> None:
    fill(database, ledger, 20)
    with database.write() as tx:
        old = tx.execute(sa.select(entries.c[column]).where(entries.c.seq == 13)).scalar_one()
        new = old + 1 if isinstance(old, int) else old[:-1] + (b"\0" if isinstance(old, bytes) else "\0")
        tx.execute(sa.update(entries).where(entries.c.seq == 13).values({column: new}))

    with database.read() as tx, pytest.raises(IntegrityFailure, match="entry 13"):
        ledger.verify(tx)


def test_a_missing_entry_is_found(database: Database, ledger: Ledger) -> None:
    fill(database, ledger, 20)
    with database.write() as tx:
        tx.execute(sa.delete(entries).where(entries.c.seq.in_([7, 8])))

    with database.read() as tx, pytest.raises(IntegrityFailure, match="from entry 6 to entry 9: 2 entries"):
        ledger.verify(tx)


def test_time_in_the_ledger_never_goes_back(database: Database, ledger: Ledger, clock: ManualClock) -> None:
    fill(database, ledger, 1)
    clock.set(datetime(2020, 1, 1, tzinfo=UTC))
    fill(database, ledger, 1)

    with database.read() as tx:
        first, regress, last = ledger.read(tx)

    assert isinstance(regress.fact, ClockRegressed)
    assert timedelta(microseconds=regress.fact.behind_us) == datetime(2026, 1, 1, tzinfo=UTC) - clock.now()
    assert first.at == last.at


def test_an_unknown_kind_from_a_newer_version_is_passed_over_and_still_verified(
    database: Database, ledger: Ledger
) -> None:
    class Novelty(Fact, frozen=True, kw_only=True, tag="novelty.seen"):
        def subject(self) -> Subject:
            return Subject.parse("system:lading")

    with database.write() as tx:
        ledger.append(tx, [Novelty(), seen(1)], actor="system:test")

    with database.read() as tx:
        assert [entry.seq for entry in ledger.read(tx)] == [2]
        assert ledger.verify(tx).entries == 2


class Counter:
    """Counts what it applied, per entry, in memory."""

    name = "counter"
    kinds: ClassVar[list[str]] = ["incident.seen-again"]

    def __init__(self) -> None:
        self.applied: list[int] = []

    def apply(self, tx: Transaction, entries: list[Entry]) -> None:
        self.applied += [entry.seq for entry in entries]


def test_a_follower_sees_each_entry_once_in_order(each_database: Database, ledger: Ledger) -> None:
    fill(each_database, ledger, 25)
    follower = Counter()

    assert follow(each_database, ledger, follower, batch=10) == 25
    assert follow(each_database, ledger, follower, batch=10) == 0
    fill(each_database, ledger, 2)
    follow(each_database, ledger, follower, batch=10)

    assert follower.applied == list(range(1, 28))


def test_a_follower_that_fails_keeps_its_cursor(database: Database, ledger: Ledger) -> None:
    class Failing(Counter):
        def apply(self, tx: Transaction, entries: list[Entry]) -> None:
            super().apply(tx, entries)
            if len(self.applied) == 3:
                raise RuntimeError

    fill(database, ledger, 5)
    follower = Failing()
    with pytest.raises(RuntimeError):
        follow(database, ledger, follower, batch=3)
    follow(database, ledger, follower, batch=3)

    assert follower.applied == [1, 2, 3, 1, 2, 3, 4, 5]


def test_entries_of_other_kinds_move_the_cursor(database: Database, ledger: Ledger) -> None:
    with database.write() as tx:
        ledger.append(tx, [TeamCreated(team="shop")] * 3, actor="system:test")
    follower = Counter()

    assert follow(database, ledger, follower) == 0
    assert follow(database, ledger, follower) == 0
    assert follower.applied == []


def test_every_kind_of_fact_is_in_the_catalogue_once() -> None:
    modules = [
        importlib.import_module(found.name) for found in pkgutil.iter_modules(kinds.__path__, "lading.facts.kinds.")
    ]
    declared = {
        value
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, Fact) and value is not Fact and not name.startswith("_")
    }

    assert declared == set(CATALOGUE)
    assert len({kind.kind() for kind in CATALOGUE}) == len(CATALOGUE)
