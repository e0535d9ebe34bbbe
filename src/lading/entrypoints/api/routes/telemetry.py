"""Logs and metrics."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query

from lading.entrypoints.api.access import Caller, Parts, require
from lading.identity import Operation
from lading.kernel.clock import parse_timestamp, timestamp
from lading.kernel.errors import InvalidInput
from lading.wiring import Wiring

router: Final = APIRouter(tags=["telemetry"])
_AGE: Final = re.compile(r"(\d+)([smhd])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@router.get("/logs")
def logs(
    parts: Parts,
    caller: Caller,
    subject: str = "",
    since: str = "",
    grep: str = "",
    limit: Annotated[int, Query(ge=1, le=10_000)] = 200,
) -> list[dict[str, Any]]:
    """The youngest log lines of an application, workload or container, oldest first."""
    require(parts, caller, Operation.READ, team_of(parts, subject), f"logs of {subject}")
    rows = parts.telemetry.logs(subject, since=moment(parts, since), grep=grep, limit=limit)
    return [row._asdict() | {"at": _text(row.at)} for row in rows]


@router.get("/metrics")
def metrics(
    parts: Parts,
    caller: Caller,
    subject: str = "",
    since: str = "15m",
    step: Annotated[int, Query(ge=1, le=86_400)] = 30,
) -> list[dict[str, Any]]:
    """CPU, memory, network and restarts over time, a row for each container and step."""
    require(parts, caller, Operation.READ, team_of(parts, subject), f"metrics of {subject}")
    rows = parts.telemetry.metrics(subject, since=moment(parts, since), step=timedelta(seconds=step))
    return [row._asdict() | {"at": _text(row.at)} for row in rows]


def moment(parts: Wiring, said: str) -> datetime | None:
    """A moment from `15m` or RFC 3339; None when nothing is said.

    Raises:
        InvalidInput: it is neither.
    """
    if not said:
        return None
    if age := _AGE.fullmatch(said):
        return parts.clock.now() - timedelta(**{_UNITS[age[2]]: int(age[1])})
    try:
        return parse_timestamp(said)
    except ValueError as error:
        raise InvalidInput(f"{said[:60]!r} is no moment.", remedy="Write 15m, 6h, 2d or an RFC 3339 time.") from error


def team_of(parts: Wiring, subject: str) -> str:
    """The team of an application, workload or container; empty, which only global roles may read, when unknown."""
    for row in parts.deployments.containers(running_only=False):
        if subject in (row.application, row.workload, row.name, row.id) or (
            len(subject) >= 8 and row.id.startswith(subject)
        ):
            return row.team
    return ""


def _text(at: datetime | str) -> str:
    return timestamp(at) if isinstance(at, datetime) else at
