"""Images and decisions in the forms that pipelines and other tools read."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Response

from lading.entrypoints.api.access import Caller, Parts, require
from lading.entrypoints.api.routes.images import find_image
from lading.identity import Operation
from lading.kernel.digest import Digest
from lading.supply_chain.report.forms import Form, write

router: Final = APIRouter(tags=["scans"])
_TYPES: Final = {"junit": "application/xml"}


@router.get("/images/{image:path}/scan")
def scan(parts: Parts, caller: Caller, image: str, form: Form = "json") -> Response:
    """What is in an image and wrong with it, and what was decided last, as JSON, SARIF, CycloneDX, SPDX or JUnit."""
    row = find_image(parts, caller, image)
    name = f"{row.repository}:{row.tags[0]}" if row.tags else f"{row.repository}@{row.digest}"
    result = parts.known_images.of(Digest.parse(row.digest), name)
    return Response(write(result, form), media_type=_TYPES.get(form, "application/json"))


@router.get("/decisions/{decision}/report")
def report(parts: Parts, caller: Caller, decision: str, form: Form = "sarif") -> Response:
    """A decision about an image in the same forms."""
    require(parts, caller, Operation.READ)
    return Response(
        write(parts.known_images.of_decision(decision), form), media_type=_TYPES.get(form, "application/json")
    )
