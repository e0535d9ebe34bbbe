"""Writes that threads make at once share a commit and nothing else: not their failures, not their order of results."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from lading.kernel.errors import Conflict, NotFound, Unavailable
from lading.state import Database, Transaction

things = sa.Table("things", sa.MetaData(), sa.Column("name", sa.String, primary_key=True))


@pytest.fixture
def kept(each_database: Database) -> Database:
    things.metadata.create_all(each_database.engine)
    return each_database


def names(database: Database) -> set[str]:
    with database.read() as tx:
        return set(tx.execute(sa.select(things.c.name)).scalars())


def insert(name: str) -> Callable[[Transaction], str]:
    def work(tx: Transaction) -> str:
        tx.execute(sa.insert(things).values(name=name))
        return name

    return work


def test_each_thread_gets_what_its_own_work_returned(kept: Database) -> None:
    expected = [f"thing-{number}" for number in range(200)]
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(lambda name: kept.write_together(insert(name)), expected)) == expected
    assert names(kept) == set(expected)


def test_a_work_that_fails_takes_nothing_of_the_others_with_it(kept: Database) -> None:
    def refused(tx: Transaction) -> None:
        tx.execute(sa.insert(things).values(name="half done"))
        raise NotFound("There is no such thing.")

    def one(number: int) -> str:
        try:
            if number % 3 == 0:
                kept.write_together(refused)
            return kept.write_together(insert("same" if number % 3 == 1 else f"thing-{number}"))
        except NotFound:
            return "refused"
        except Conflict:
            return "conflict"

    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(one, range(90)))
    assert outcomes.count("refused") == 30
    assert (outcomes.count("conflict"), outcomes.count("same")) == (29, 1)
    assert names(kept) == {"same", *(f"thing-{number}" for number in range(2, 90, 3))}


def test_what_waits_while_a_write_is_under_way_is_carried_out_after_it(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'state.db'}")
    things.metadata.create_all(database.engine)
    entered, leave = threading.Event(), threading.Event()

    def slow(tx: Transaction) -> None:
        entered.set()
        leave.wait()
        insert("slow")(tx)

    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(database.write_together, slow)
        entered.wait()
        others = [pool.submit(database.write_together, insert(f"waiting-{number}")) for number in range(7)]
        leave.set()
        first.result()
        assert [other.result() for other in others] == [f"waiting-{number}" for number in range(7)]
    assert len(names(database)) == 8
    database.close()


def test_a_database_that_fails_fails_everybody_and_the_next_write_works_again(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'state.db'}")
    things.metadata.create_all(database.engine)
    with pytest.raises(Unavailable):
        database.write_together(lambda tx: tx.execute(sa.text("SELECT * FROM nowhere")))
    assert database.write_together(insert("after")) == "after"
    database.close()
