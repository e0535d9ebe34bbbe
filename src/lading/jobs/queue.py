"""The queue: submit, claim, report, finish. Every move is one short transaction."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import sqlalchemy as sa

from lading.jobs.job import Event, Job, JobState
from lading.jobs.sql import events, jobs
from lading.kernel.clock import Clock, SystemClock, timestamp
from lading.kernel.errors import LadingError, NotFound
from lading.kernel.ids import new_id
from lading.state import Database, Transaction

MOST_EVENTS: Final = 20_000
_encode = msgspec.json.encode
_decode_event = msgspec.json.Decoder(Event).decode
_decode_dict = msgspec.json.Decoder(dict[str, Any]).decode


class Jobs:
    """Durable long work, in the order it was asked for."""

    def __init__(self, database: Database, clock: Clock | None = None) -> None:
        self._database = database
        self._clock = clock or SystemClock()

    def submit(self, kind: str, request: dict[str, Any], *, actor: str, team: str = "") -> Job:
        """Take a job in; it will be done even if the process dies right after this returns."""
        job = Job(
            id=new_id(),
            kind=kind,
            actor=actor,
            team=team,
            request=request,
            state=JobState.QUEUED,
            created=timestamp(self._clock.now()),
        )
        with self._database.write() as tx:
            tx.execute(
                sa.insert(jobs).values(
                    id=job.id,
                    kind=kind,
                    actor=actor,
                    team=team,
                    request=_encode(request),
                    state=job.state,
                    created=job.created,
                )
            )
        return job

    def claim(self, worker: str) -> Job | None:
        """The oldest queued job, now this worker's; None when nothing waits. No two workers get the same one."""
        with self._database.read() as tx:
            if tx.execute(sa.select(jobs.c.id).where(jobs.c.state == JobState.QUEUED).limit(1)).first() is None:
                return None
        with self._database.write() as tx:
            query = sa.select(jobs).where(jobs.c.state == JobState.QUEUED).order_by(jobs.c.id).limit(1)
            row = tx.execute(query.with_for_update(skip_locked=True)).first()
            if row is None:
                return None
            tx.execute(sa.update(jobs).where(jobs.c.id == row.id).values(state=JobState.RUNNING, worker=worker))
        return msgspec.structs.replace(_job(row), state=JobState.RUNNING)

    def report(self, job: str, event: Event) -> None:
        """Keep an event; its number is given here. Beyond 20,000 events a job falls silent but goes on."""
        with self._database.write() as tx:
            last = tx.execute(sa.select(sa.func.max(events.c.n)).where(events.c.job == job)).scalar() or 0
            if last < MOST_EVENTS:
                body = _encode(msgspec.structs.replace(event, n=last + 1))
                tx.execute(sa.insert(events).values(job=job, n=last + 1, body=body))

    def succeed(self, job: str, result: dict[str, Any]) -> None:
        """The job did what it was asked."""
        self._finish(job, JobState.SUCCEEDED, result=_encode(result))

    def fail(self, job: str, error: LadingError, result: dict[str, Any] | None = None) -> None:
        """The job ended with an error, kept with its remedy and exit code."""
        kept = {"code": error.code, "what": error.what, "remedy": error.remedy, "details": list(error.details)}
        body = _encode(kept | {"exit_code": int(error.exit_code)})
        self._finish(job, JobState.FAILED, error=body, result=None if result is None else _encode(result))

    def interrupt(self, still_alive: frozenset[str] = frozenset()) -> list[Job]:
        """Mark every running job whose worker is not in `still_alive` as interrupted; returns them."""
        with self._database.write() as tx:
            query = sa.select(jobs).where(jobs.c.state == JobState.RUNNING, jobs.c.worker.not_in(still_alive))
            orphans = [_job(row) for row in tx.execute(query)]
            error = _encode(
                {
                    "code": "interrupted",
                    "what": "The server stopped while this job ran.",
                    "remedy": "Nothing acknowledged was lost. Run the same command again.",
                    "details": [],
                    "exit_code": 1,
                }
            )
            for job in orphans:
                tx.execute(sa.update(jobs).where(jobs.c.id == job.id).values(state=JobState.INTERRUPTED, error=error))
        return orphans

    def get(self, job: str) -> Job:
        """The job; raises NotFound."""
        with self._database.read() as tx:
            row = tx.execute(sa.select(jobs).where(jobs.c.id == job)).first()
        if row is None:
            raise NotFound(f"There is no job {job}.", remedy="See `lading jobs` for those there are.")
        return _job(row)

    def recent(self, limit: int = 50) -> list[Job]:
        """The youngest jobs, youngest first."""
        with self._database.read() as tx:
            return [_job(row) for row in tx.execute(sa.select(jobs).order_by(jobs.c.id.desc()).limit(limit))]

    def events(self, job: str, *, after: int = 0, limit: int = 1_000) -> list[Event]:
        """What the job said beyond event `after`, in order."""
        with self._database.read() as tx:
            return _events(tx, job, after, limit)

    def _finish(self, job: str, state: JobState, **columns: bytes | None) -> None:
        with self._database.write() as tx:
            query = sa.update(jobs).where(jobs.c.id == job, jobs.c.state == JobState.RUNNING)
            tx.execute(query.values(state=state, **columns))


def _events(tx: Transaction, job: str, after: int, limit: int) -> list[Event]:
    query = sa.select(events.c.body).where(events.c.job == job, events.c.n > after).order_by(events.c.n).limit(limit)
    return [_decode_event(row.body) for row in tx.execute(query)]


def _job(row: sa.Row[Any]) -> Job:
    return Job(
        id=row.id,
        kind=row.kind,
        actor=row.actor,
        team=row.team,
        request=_decode_dict(row.request),
        state=JobState(row.state),
        created=row.created,
        result=None if row.result is None else _decode_dict(row.result),
        error=None if row.error is None else _decode_dict(row.error),
    )
