"""What is remembered of backups, what is due, and when all is well."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lading.continuity.records import CREATE, DRILL, VERIFY, Records
from lading.continuity.schedule import Schedule
from lading.facts import Ledger
from lading.kernel.clock import ManualClock, timestamp
from lading.kernel.errors import InvalidInput
from lading.state import Database

ACTOR = "system:test"


@pytest.fixture
def records(each_database: Database, ledger: Ledger, clock: ManualClock) -> Records:
    return Records(each_database, ledger, clock)


@pytest.fixture
def schedule(each_database: Database, ledger: Ledger, clock: ManualClock) -> Schedule:
    return Schedule(each_database, ledger, clock)


def states(records: Records) -> dict[str, str]:
    return {one.work: one.state for one in records.health()}


def good(records: Records, clock: ManualClock) -> None:
    records.succeeded(records.begin(CREATE), [], actor=ACTOR, at=timestamp(clock.now()), repository="r")


def test_what_was_never_done_says_so(records: Records) -> None:
    assert states(records) == {CREATE: "never", VERIFY: "never", DRILL: "never"}


def test_a_backup_becomes_late_after_twice_its_interval(
    records: Records, schedule: Schedule, clock: ManualClock
) -> None:
    schedule.set(CREATE, 3_600, actor=ACTOR)
    good(records, clock)
    clock.advance(timedelta(hours=2))
    assert states(records)[CREATE] == "ok"
    clock.advance(timedelta(minutes=16))
    assert states(records)[CREATE] == "late"


def test_a_failure_shows_until_the_next_success(records: Records, clock: ManualClock) -> None:
    good(records, clock)
    records.failed(records.begin(CREATE), CREATE, "the disk is full", actor=ACTOR)
    assert states(records)[CREATE] == "failed"
    good(records, clock)
    assert states(records)[CREATE] == "ok"


def test_what_a_killed_process_left_is_a_failure(
    records: Records, each_database: Database, ledger: Ledger, clock: ManualClock
) -> None:
    good(records, clock)
    records.begin(CREATE)
    assert records.abandon(actor=ACTOR) == 1
    assert states(records)[CREATE] == "failed"
    assert records.abandon(actor=ACTOR) == 0
    with each_database.read() as tx:
        assert [entry.fact.kind() for entry in ledger.read(tx)] == ["backup.failed"]


def test_a_failed_drill_is_a_fact_with_its_reason(records: Records, each_database: Database, ledger: Ledger) -> None:
    records.failed(records.begin(DRILL), DRILL, "a digest differs", actor=ACTOR)
    with each_database.read() as tx:
        kinds = {entry.fact.kind(): entry.fact for entry in ledger.read(tx)}
    assert set(kinds) == {"backup.failed", "backup.restore-drilled"}


def test_a_run_ends_once(records: Records, clock: ManualClock) -> None:
    run = records.begin(CREATE)
    records.succeeded(run, [], actor=ACTOR, at=timestamp(clock.now()))
    records.failed(run, CREATE, "too late", actor=ACTOR)
    assert [one.outcome for one in records.runs()] == ["succeeded"]


def test_work_is_due_at_once_and_then_after_each_interval(schedule: Schedule, clock: ManualClock) -> None:
    schedule.set(CREATE, 600, actor=ACTOR)
    schedule.set(DRILL, 86_400, actor=ACTOR)
    assert schedule.claim() == [CREATE, DRILL]
    assert schedule.claim() == []
    clock.advance(timedelta(minutes=10))
    assert schedule.claim() == [CREATE]


def test_what_was_missed_is_done_once(schedule: Schedule, clock: ManualClock) -> None:
    schedule.set(CREATE, 600, actor=ACTOR)
    schedule.claim()
    clock.advance(timedelta(days=3))
    assert schedule.claim() == [CREATE]
    assert schedule.claim() == []


def test_work_that_was_switched_off_is_not_due(schedule: Schedule, clock: ManualClock) -> None:
    schedule.set(CREATE, 600, actor=ACTOR)
    schedule.set(CREATE, 0, actor=ACTOR)
    schedule.set(CREATE, 0, actor=ACTOR)
    assert schedule.claim() == []
    assert schedule.plans() == []


@pytest.mark.parametrize(("work", "seconds"), [("reboot", 600), (CREATE, 59), (CREATE, 10**9)])
def test_a_plan_that_makes_no_sense_is_refused(schedule: Schedule, work: str, seconds: int) -> None:
    with pytest.raises(InvalidInput):
        schedule.set(work, seconds, actor=ACTOR)
