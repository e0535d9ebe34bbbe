"""The bill of one subject."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from fastapi import APIRouter

from lading.entrypoints.api.access import Caller, Parts, require
from lading.identity import Operation

router: Final = APIRouter(tags=["bill"])


@router.get("/bill/{subject:path}")
def bill(parts: Parts, caller: Caller, subject: str) -> dict[str, Any]:
    """Everything known about a workload, a container or an image."""
    made = parts.bills.of(subject)
    require(parts, caller, Operation.READ, made.team, made.subject)
    return dict(msgspec.to_builtins(made))
