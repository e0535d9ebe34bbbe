"""Who is asking, and whether they may: one dependency for every route."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from lading.identity import EVERY_TEAM, Operation, Principal
from lading.kernel.errors import Unauthenticated
from lading.supply_chain.registry.access import Place
from lading.wiring import Wiring

_bearer: Final = HTTPBearer(auto_error=False, description="A token that starts with lad_.")


def wiring_of(request: Request) -> Wiring:
    """The parts of this server."""
    wiring: Wiring = request.app.state.wiring
    return wiring


Parts = Annotated[Wiring, Depends(wiring_of)]


def caller_of(
    request: Request, parts: Parts, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Principal:
    """The principal whose token came with the request.

    Raises:
        Unauthenticated: there is no token, or it is unknown, expired or revoked.
    """
    if credentials is None:
        raise Unauthenticated("This request carries no token.", remedy="Run `lading login`, or set LADING_TOKEN.")
    caller = parts.identity.authenticate_token(credentials.credentials)
    request.state.caller = caller
    return caller


Caller = Annotated[Principal, Depends(caller_of)]


def hidden(parts: Wiring, caller: Principal, place: Place) -> None:
    """State that somebody asked for a repository that is there and must not be known to them."""
    if place.exists:
        parts.identity.refused(caller, Operation.PULL, place.name, 404)


def require(
    parts: Wiring, caller: Principal, operation: Operation, team: str = "", target: str = "", repository: str = ""
) -> None:
    """Raises AccessDenied, and states it, unless `caller` may do `operation` for `team` (empty: everywhere)."""
    parts.identity.require(caller, operation, team or EVERY_TEAM, target=target, repository=repository)
