"""How the server is."""

from __future__ import annotations

import shutil
from typing import Any, Final

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse

from lading.entrypoints.api.access import Caller, Parts, require
from lading.entrypoints.api.routes.backups import backup_metrics
from lading.identity import Operation
from lading.strategy.evidence.sql import everything

router: Final = APIRouter(tags=["status"])
metrics_router: Final = APIRouter(tags=["status"])


@router.get("/health")
def health(parts: Parts) -> dict[str, Any]:
    """Whether the server answers and its database too; needs no token and tells nothing else."""
    with parts.database.read() as tx:
        parts.ledger.head(tx)
    return {"status": "ok"}


@router.get("/status")
def status(parts: Parts, caller: Caller) -> dict[str, Any]:
    """Addresses, engine, and what there is."""
    require(parts, caller, Operation.READ)
    settings = parts.settings
    with parts.database.read() as tx:
        entries = parts.ledger.head(tx).seq
    return {
        "version": parts.version,
        "console": settings.api_url,
        "push": str(settings.push_addr),
        "pull": str(settings.pull_addr),
        "engine": settings.engine or "none",
        "database": parts.database.label,
        "data": str(settings.data),
        "free_mb": shutil.disk_usage(settings.data).free // 1_000_000,
        "ledger_entries": entries,
        "rules": len(parts.pack.rules),
        "signing_key": parts.key.key_id,
        "running": len(parts.deployments.containers()),
        "open_incidents": len(parts.incidents.list(limit=1_000)),
    }


@metrics_router.get("/metrics", response_class=PlainTextResponse)
def metrics(parts: Parts) -> str:
    """Prometheus metrics of this Lading (text exposition format): counts, names of targets and upstreams."""
    with parts.database.read() as tx:
        entries = parts.ledger.head(tx).seq
        kinds, _tools = everything(tx)
    lines = [
        "# HELP lading_ledger_entries Entries in the ledger.",
        "# TYPE lading_ledger_entries counter",
        f"lading_ledger_entries {entries}",
        "# HELP lading_facts_total Facts seen by the strategy, by kind.",
        "# TYPE lading_facts_total counter",
        *(f'lading_facts_total{{kind="{kind}"}} {item.times}' for kind, item in sorted(kinds.items())),
        "# HELP lading_containers_running Containers that run.",
        "# TYPE lading_containers_running gauge",
        f"lading_containers_running {len(parts.deployments.containers())}",
        "# HELP lading_incidents_open Incidents that are open.",
        "# TYPE lading_incidents_open gauge",
        f"lading_incidents_open {len(parts.incidents.list(limit=10_000))}",
    ]
    tree = parts.tree.metrics() if parts.tree is not None else []
    standings = (*parts.replication.standings.metrics(), *parts.mirrors.standings.metrics())
    return "\n".join([*lines, *backup_metrics(parts), *standings, *tree]) + "\n"
