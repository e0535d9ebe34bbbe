"""Coverage of capabilities."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from fastapi import APIRouter

from lading.entrypoints.api.access import Caller, Parts, require
from lading.identity import Operation
from lading.strategy.analyse.coverage import report

router: Final = APIRouter(tags=["strategy"])


@router.get("/strategy")
def strategy(parts: Parts, caller: Caller) -> dict[str, Any]:
    """Which capabilities are covered, with the evidence seen, and the gaps."""
    require(parts, caller, Operation.READ)
    return dict(msgspec.to_builtins(report(parts.database, parts.clock)))
