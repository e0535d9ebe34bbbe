"""Logging in at the identity provider from a device without a browser: begin, and ask whether it was done."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from lading.entrypoints.api.access import Parts
from lading.identity.oidc.login import OidcLogins
from lading.kernel.errors import NotFound

router: Final = APIRouter(tags=["identity"])
_COUNTED_AS: Final = "device-login"


class DeviceBody(BaseModel):
    """What the beginning of the login handed out."""

    kept: str = Field(max_length=16_384)


def _logins_of(parts: Parts) -> OidcLogins:
    if parts.logins is None:
        raise NotFound("This Lading has no identity provider.", remedy="Log in with a token.")
    return parts.logins


Logins = Annotated[OidcLogins, Depends(_logins_of)]


@router.post("/login/device", status_code=201)
def begin(parts: Parts, logins: Logins, request: Request) -> dict[str, Any]:
    """Begin: what to type in where. A few times a minute from one address."""
    parts.logins_begun.begin(_COUNTED_AS, request.client.host if request.client else "")
    found: dict[str, Any] = msgspec.to_builtins(logins.begin_device())
    return found


@router.post("/login/device/token")
def finish(parts: Parts, logins: Logins, body: DeviceBody, response: Response) -> dict[str, Any]:
    """The token of whoever typed it in; 202 while nobody did."""
    issued = logins.finish_device(body.kept)
    if issued is None:
        response.status_code = 202
        return {}
    caller = parts.identity.authenticate_token(issued.text)
    parts.identity.used(caller, "log in", "command line")
    return {"principal": issued.principal, "token": issued.text, "until": issued.until}
