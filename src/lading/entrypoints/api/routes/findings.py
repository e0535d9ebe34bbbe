"""Findings: what matters first, one flaw, one package, and how they came and went."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import chain
from typing import Annotated, Any, Final, Literal

import msgspec
from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse

from lading.entrypoints.api.access import Caller, Parts
from lading.kernel.errors import InvalidInput
from lading.lifecycle.findings import Asked, Row, Status, cells, columns
from lading.supply_chain.match.standing.wanted import Sort
from lading.wiring import Wiring
from lading.wiring.access import viewer_of

router: Final = APIRouter(tags=["findings"])
Form = Literal["csv", "jsonl"]
_TYPES: Final[dict[Form, str]] = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}
# A spreadsheet takes a cell that begins so for a formula.
_FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r")
_Text = Annotated[str, Query(max_length=300)]


def asked(
    severity: Annotated[str, Query(max_length=20, description="at least: low, medium, high, critical")] = "",
    epss: Annotated[float, Query(ge=0, le=1, description="at least")] = 0.0,
    running: bool | None = None,
    exploited: bool | None = None,
    fixable: bool | None = None,
    ecosystem: _Text = "",
    team: Annotated[str, Query(max_length=300, description="whose images or containers have it")] = "",
    owner: Annotated[str, Query(max_length=300, description="whose the flawed layer is")] = "",
    package: Annotated[str, Query(max_length=300, description="a name, name@version or package URL")] = "",
    flaw: Annotated[str, Query(max_length=300, description="an id or alias")] = "",
    repository: _Text = "",
    image: Annotated[str, Query(max_length=300, description="a digest")] = "",
    status: Status = "open",
    sort: Sort = "urgency",
) -> Asked:
    """The filters of a list."""
    return Asked(
        severity=severity, epss=epss, running=running, exploited=exploited, fixable=fixable, ecosystem=ecosystem,
        team=team, owner=owner, package=package, flaw=flaw, repository=repository, image=image, status=status,
        sort=sort,
    )  # fmt: skip


AskedFor = Annotated[Asked, Depends(asked)]


@router.get("/findings")
def findings(
    parts: Parts,
    caller: Caller,
    wanted: AskedFor,
    after: Annotated[str, Query(max_length=500)] = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> dict[str, Any]:
    """Flaws in images that the caller may read, what matters first; the next page comes `after` the `next` of this."""
    made: dict[str, Any] = msgspec.to_builtins(
        parts.finding_lists.page(wanted, viewer_of(caller), after=after, limit=limit)
    )
    return made


@router.get("/findings/export")
def export(parts: Parts, caller: Caller, wanted: AskedFor, form: Form = "csv") -> StreamingResponse:
    """The whole list (100,000 flaws at most) as CSV or JSON Lines, written while it is read."""
    return exported(form, parts.finding_lists.every(wanted, viewer_of(caller)))


@router.get("/findings/history")
def history(
    parts: Parts,
    caller: Caller,
    running: bool = True,
    days: Annotated[int, Query(ge=1, le=366)] = 30,
    team: Annotated[str, Query(max_length=100)] = "",
) -> dict[str, Any]:
    """Flaws that began and ended on each day, by severity, and how long they had stood: in what runs, or in all that is
    kept."""
    return history_of(parts, caller, running=running, days=days, team=team)


@router.get("/flaws/{name}")
def flaw(parts: Parts, caller: Caller, name: str) -> dict[str, Any]:
    """One flaw by any of its names: severity, where it is, what mends it, what was said of it, its history."""
    return parts.flaw_pages.flaw(name[:300], viewer_of(caller))


@router.get("/packages/{name:path}")
def package(parts: Parts, caller: Caller, name: str) -> dict[str, Any]:
    """One package by name, name@version or package URL: versions, flaws of each, licences, where it is."""
    return parts.flaw_pages.package(name[:300], viewer_of(caller))


def history_of(parts: Wiring, caller: Caller, *, running: bool, days: int, team: str) -> dict[str, Any]:
    """The history for those teams of which the caller may read everything."""
    viewer = viewer_of(caller)
    teams = viewer.scope
    if team:
        if teams is not None and team not in teams:
            raise InvalidInput(f"There is nothing of team {team!r} that you may see.", remedy="Name a team of yours.")
        teams = frozenset({team})
    moved, mended = parts.asking.history(teams, running=running, days=days)
    return {"days": msgspec.to_builtins(moved), "mended": msgspec.to_builtins(mended), "running": running}


def exported(form: Form, rows: Iterator[Row]) -> StreamingResponse:
    """A list as a file."""
    # The first row is read now, so that a wrong filter is an answer and not a broken file.
    first = next(rows, None)
    name = f'attachment; filename="findings.{form}"'
    headers = {"Content-Disposition": name, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
    return StreamingResponse(_written_as(form, first, rows), media_type=_TYPES[form], headers=headers)


def _written_as(form: Form, first: Row | None, rest: Iterator[Row]) -> Iterator[bytes]:
    """The rows of an export, a piece of the file for each."""
    if form == "csv":
        yield _line(list(columns()))
    for row in chain(() if first is None else (first,), rest):
        yield _written(form, row)


def _written(form: Form, row: Row) -> bytes:
    if form == "csv":
        return _line(cells(row))
    return msgspec.json.encode(row) + b"\n"


def _line(some: list[Any]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow([_harmless(one) for one in some])
    return text.getvalue().encode()


def _harmless(cell: Any) -> Any:
    """A text that no spreadsheet calculates (OWASP: CSV injection)."""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULAS) else cell
