"""Backups: list, take, verify, drill, schedule, and how all that stands."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from lading.continuity.records import WORKS
from lading.entrypoints.api.access import Caller, Parts, require
from lading.identity import Operation
from lading.jobs import Job
from lading.wiring import Wiring

router: Final = APIRouter(tags=["backups"])
_ID: Final = r"^[0-9a-f-]{0,64}$"


class CreateBody(BaseModel):
    """How a backup is taken."""

    telemetry: bool = Field(False, description="Logs and samples too.")
    full: bool = Field(False, description="Read everything again.")
    new_repository: bool = Field(False, description="Begin a new repository although backups went elsewhere before.")


class VerifyBody(BaseModel):
    """How a repository is verified."""

    backup: str = Field("", pattern=_ID)
    read_data: bool = Field(False, description="Read every byte.")


class DrillBody(BaseModel):
    """Which backup a drill restores; the last one when empty."""

    backup: str = Field("", pattern=_ID)


class PlanBody(BaseModel):
    """How often work is done; 0 seconds: not any more."""

    every_seconds: int = Field(ge=0, le=366 * 86_400)


@router.get("/backups")
def list_backups(parts: Parts, caller: Caller) -> list[dict[str, Any]]:
    """The backups in the repository, youngest first."""
    require(parts, caller, Operation.ADMIN)
    return [msgspec.to_builtins(point) for point in reversed(parts.backups.list())]


@router.get("/backups/status")
def status(parts: Parts, caller: Caller) -> dict[str, Any]:
    """How backups, verifications and drills stand, and what was done last."""
    require(parts, caller, Operation.READ)
    settings = parts.settings
    return {
        "repository": settings.backup_repository,
        "password": bool(settings.backup_password_file or settings.backup_password),
        "keep": settings.backup_keep,
        "health": [msgspec.to_builtins(one) for one in parts.backup_records.health()],
    }


@router.get("/backups/runs")
def runs(
    parts: Parts, caller: Caller, work: str = "", limit: Annotated[int, Query(ge=1, le=1_000)] = 20
) -> list[dict[str, Any]]:
    """What was done, youngest first."""
    require(parts, caller, Operation.READ)
    return [msgspec.to_builtins(run) for run in parts.backup_records.runs(work, limit)]


@router.post("/backups")
def create(parts: Parts, caller: Caller, body: CreateBody) -> dict[str, Any]:
    """Take a backup; returns the job."""
    return _submit(parts, caller, {"work": "create", **body.model_dump()})


@router.post("/backups/verify")
def verify(parts: Parts, caller: Caller, body: VerifyBody) -> dict[str, Any]:
    """Check the repository and a backup; returns the job."""
    return _submit(parts, caller, {"work": "verify", **body.model_dump()})


@router.post("/backups/drill")
def drill(parts: Parts, caller: Caller, body: DrillBody) -> dict[str, Any]:
    """Restore into a scratch place, compare every digest, measure; returns the job."""
    return _submit(parts, caller, {"work": "drill", **body.model_dump()})


@router.get("/backups/schedule")
def schedule(parts: Parts, caller: Caller) -> list[dict[str, Any]]:
    """What is done how often, and when next."""
    require(parts, caller, Operation.READ)
    return [msgspec.to_builtins(plan) for plan in parts.backup_schedule.plans()]


@router.post("/backups/schedule/{work}")
def set_schedule(parts: Parts, caller: Caller, work: str, body: PlanBody) -> list[dict[str, Any]]:
    """Do `create`, `verify` or `drill` every so many seconds, the first time at once."""
    require(parts, caller, Operation.ADMIN, target=f"backup {work}")
    parts.backup_schedule.set(work, body.every_seconds, actor=caller.id)
    return schedule(parts, caller)


def backup_metrics(parts: Wiring) -> list[str]:
    """Lines of /metrics: how old the last good work is, whether all is well, and what the last drill measured."""
    health = {one.work: one for one in parts.backup_records.health()}
    ages = [
        f'lading_backup_age_seconds{{work="{work}"}} {health[work].age_seconds:.0f}'
        for work in WORKS
        if health[work].age_seconds is not None
    ]
    states = [f'lading_backup_ok{{work="{work}"}} {int(health[work].state == "ok")}' for work in WORKS]
    drilled = next((run for run in parts.backup_records.runs("drill", 20) if run.outcome == "succeeded"), None)
    measured = [
        f"lading_restore_drill_{name} {drilled.figures.get(name, 0)}" for name in ("rto_seconds", "rpo_seconds")
    ] if drilled else []  # fmt: skip
    return [
        "# HELP lading_backup_age_seconds Age of the last good backup, verification and drill.",
        "# TYPE lading_backup_age_seconds gauge",
        *ages,
        "# HELP lading_backup_ok Whether the last one succeeded and none is late (1) or not (0).",
        "# TYPE lading_backup_ok gauge",
        *states,
        *measured,
    ]


def _submit(parts: Wiring, caller: Caller, request: dict[str, Any]) -> dict[str, Any]:
    require(parts, caller, Operation.ADMIN, target="backup")
    job: Job = parts.jobs.submit("backup", request, actor=caller.id)
    return dict(msgspec.to_builtins(job))
