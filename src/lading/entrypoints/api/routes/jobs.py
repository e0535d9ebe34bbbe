"""Long work: list, get, follow."""

from __future__ import annotations

import time
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Query

from lading.entrypoints.api.access import Caller, Parts, require
from lading.identity import Operation

router: Final = APIRouter(tags=["jobs"])
_POLL_SECONDS: Final = 0.1


@router.get("/jobs")
def list_jobs(parts: Parts, caller: Caller, limit: Annotated[int, Query(ge=1, le=1000)] = 50) -> list[dict[str, Any]]:
    """The youngest jobs of the teams that the caller may read."""
    jobs = parts.jobs.recent(limit)
    return [msgspec.to_builtins(job) for job in jobs if parts.identity.may(caller, Operation.READ, job.team)]


@router.get("/jobs/{job}")
def get_job(parts: Parts, caller: Caller, job: str) -> dict[str, Any]:
    """One job with its request, state, result or error."""
    found = parts.jobs.get(job)
    require(parts, caller, Operation.READ, found.team, f"job {job}")
    return dict(msgspec.to_builtins(found))


@router.get("/jobs/{job}/events")
def follow_job(
    parts: Parts,
    caller: Caller,
    job: str,
    after: Annotated[int, Query(ge=0)] = 0,
    wait: Annotated[float, Query(ge=0, le=30)] = 0,
) -> dict[str, Any]:
    """What a job said beyond event `after`; waits up to `wait` seconds for something new."""
    require(parts, caller, Operation.READ, parts.jobs.get(job).team, f"job {job}")
    deadline = time.monotonic() + wait
    while True:
        # State before events: a job that ended between the two reads has all its events read.
        final = parts.jobs.get(job).state.is_final
        events = parts.jobs.events(job, after=after)
        if events or final or time.monotonic() >= deadline:
            return {"events": msgspec.to_builtins(events), "final": final}
        time.sleep(_POLL_SECONDS)
