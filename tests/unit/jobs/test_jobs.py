import threading

from lading.jobs import Event, Job, Jobs, JobState
from lading.kernel.clock import ManualClock
from lading.kernel.errors import InvalidInput
from lading.state import Database


def test_jobs_are_done_in_the_order_they_were_asked_for(each_database: Database, clock: ManualClock) -> None:
    jobs = Jobs(each_database, clock)
    first = jobs.submit("ship", {"n": 1}, actor="person:a", team="shop")
    second = jobs.submit("ship", {"n": 2}, actor="person:a")

    claimed = [jobs.claim("w"), jobs.claim("w"), jobs.claim("w")]

    assert [job and job.id for job in claimed] == [first.id, second.id, None]


def test_two_workers_never_get_the_same_job(each_database: Database) -> None:
    jobs = Jobs(each_database)
    for number in range(20):
        jobs.submit("ship", {"n": number}, actor="person:a")
    taken: list[Job] = []

    def work(name: str) -> None:
        while (job := jobs.claim(name)) is not None:
            taken.append(job)

    threads = [threading.Thread(target=work, args=(f"w{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(job.request["n"] for job in taken) == list(range(20))


def test_events_are_numbered_and_followed_from_anywhere(database: Database) -> None:
    jobs = Jobs(database)
    job = jobs.submit("ship", {}, actor="person:a")
    for text in ("one", "two", "three"):
        jobs.report(job.id, Event(n=0, step="build", text=text))

    assert [(event.n, event.text) for event in jobs.events(job.id, after=1)] == [(2, "two"), (3, "three")]


def test_a_failed_job_keeps_what_happened_and_the_remedy(database: Database) -> None:
    jobs = Jobs(database)
    job = jobs.submit("ship", {}, actor="person:a")
    jobs.claim("w")
    jobs.fail(job.id, InvalidInput("The file is wrong.", remedy="Mend it."))

    kept = jobs.get(job.id)

    assert kept.state is JobState.FAILED
    assert kept.error is not None
    assert (kept.error["what"], kept.error["remedy"], kept.error["exit_code"]) == ("The file is wrong.", "Mend it.", 2)


def test_jobs_of_a_dead_worker_are_marked_and_cannot_succeed_afterwards(database: Database) -> None:
    jobs = Jobs(database)
    orphan = jobs.submit("ship", {}, actor="person:a")
    alive = jobs.submit("ship", {}, actor="person:a")
    jobs.claim("dead")
    jobs.claim("alive")

    assert [job.id for job in jobs.interrupt(frozenset({"alive"}))] == [orphan.id]
    jobs.succeed(orphan.id, {})

    assert jobs.get(orphan.id).state is JobState.INTERRUPTED
    assert jobs.get(alive.id).state is JobState.RUNNING
