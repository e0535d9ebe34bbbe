"""Reports of other tools about images: take in, list."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool

from lading.entrypoints.api.access import Caller, Parts, require
from lading.entrypoints.api.routes.images import find_image
from lading.identity import Operation, Principal
from lading.kernel.digest import Digest
from lading.kernel.errors import InvalidInput
from lading.supply_chain.foreign.reading import MOST_BYTES
from lading.supply_chain.foreign.report import Kind
from lading.wiring import Wiring
from lading.wiring.details import report_row

router: Final = APIRouter(tags=["reports"])


@router.get("/images/{image:path}/reports")
def reports(parts: Parts, caller: Caller, image: str) -> list[dict[str, Any]]:
    """The reports about an image, oldest first."""
    return parts.details.reports(find_image(parts, caller, image).digest)


@router.get("/images/{image:path}/reports/results")
def results(parts: Parts, caller: Caller, image: str) -> list[dict[str, Any]]:
    """What the reports in force found that is no flaw of a package: rule, level, file and line, worst first."""
    found: list[dict[str, Any]] = parts.reports.document(Digest.parse(find_image(parts, caller, image).digest))[
        "results"
    ]
    return sorted(found, key=lambda one: (-one["rank"], one["tool"], one["file"], one["line"]))


@router.post("/images/{image:path}/reports", status_code=201)
async def take(
    parts: Parts,
    caller: Caller,
    request: Request,
    image: str,
    name: Annotated[str, Query(max_length=200)] = "report",
    tool: Annotated[str, Query(max_length=80)] = "",
    kind: Kind | None = None,
    configuration: Annotated[str, Query(max_length=500)] = "",
) -> dict[str, Any]:
    """Take a report in (Trivy, Grype, CycloneDX, SPDX, SARIF or JUnit), and judge the image by it."""
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > MOST_BYTES:
            raise InvalidInput(f"The report is larger than {MOST_BYTES >> 20} MiB.", remedy="Split it.")
    return await run_in_threadpool(_take, parts, caller, image, bytes(content), name, tool, kind, configuration)


def _take(
    parts: Wiring, caller: Principal, image: str, body: bytes, name: str, tool: str, kind: Kind | None, setting: str
) -> dict[str, Any]:
    row = find_image(parts, caller, image)
    # Who may put the image there may say what was found out about it.
    require(parts, caller, Operation.PUSH, row.team, row.digest, row.repository)
    digest = Digest.parse(row.digest)
    kept = parts.testimony.take(
        digest, row.repository, body, name=name, actor=caller.id, tool=tool, kind=kind, configuration=setting
    )
    state = parts.states.state(digest)
    return report_row(kept) | {
        "image": row.digest,
        "known": not kept.fresh,
        "state": state.state if state else "unknown",
        "why": state.why if state else "",
    }
