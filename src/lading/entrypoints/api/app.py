"""The API and the console as one ASGI application."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import FastAPI

from lading.entrypoints.api import errors
from lading.entrypoints.api.audit import AuditedCalls
from lading.entrypoints.api.routes import (
    backups,
    bills,
    decisions,
    findings,
    handling,
    identities,
    images,
    incidents,
    jobs,
    keys,
    knowledge,
    ledger,
    logins,
    mirrors,
    registry,
    replication,
    reports,
    repositories,
    scans,
    ships,
    status,
    strategy,
    telemetry,
    vex,
    workloads,
)
from lading.entrypoints.web.console import mount_console
from lading.wiring import Wiring

PREFIX = "/api/v1"


def api_app(wiring: Wiring) -> FastAPI:
    """The application that serves `LADING_API_ADDR`: /api/v1, its OpenAPI document, /metrics and the console at /."""
    app = FastAPI(
        title="Lading",
        version=version("lading"),
        description="Everything the command line and the console do.",
        docs_url="/api/docs",
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    app.state.wiring = wiring
    errors.install(app)
    for module in (
        status, jobs, ships, handling, reports, scans, images, findings, knowledge, vex, decisions, workloads,
        incidents, telemetry, bills, strategy, ledger, keys, identities, logins, repositories, backups, registry,
        replication, mirrors,
    ):  # fmt: skip
        app.include_router(module.router, prefix=PREFIX)
    app.include_router(status.metrics_router)
    mount_console(app, wiring)
    app.add_middleware(AuditedCalls, parts=wiring)
    return app
