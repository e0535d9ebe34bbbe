"""The gate of both endpoints: who asks, for which repository, and whether they may.

    credentials -> visitor -> place -> within the token's scopes? -> may? -> the handler

What somebody may not pull does not exist for them: the answer is the one for a name that nobody ever pushed to.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from lading.kernel.errors import LadingError, Unauthenticated
from lading.kernel.reference import is_repository_name
from lading.supply_chain.registry.access import ANONYMOUS, Access, Authenticator, Place, Visitor
from lading.supply_chain.registry.errors import Denied, NameUnknown, ScopeMissing
from lading.supply_chain.registry.scopes import CATALOGUE, Places, write_scope

_MOST_SECRET: Final = 16_384
# What a client needs a token for: nobody pushes without looking first.
_ASKED: Final = {
    Access.PULL: (Access.PULL,),
    Access.PUSH: (Access.PULL, Access.PUSH),
    Access.DELETE: (Access.DELETE,),
}


async def identify(request: Request, authenticator: Authenticator, *, proven: bool = True) -> Visitor:
    """The visitor behind a request's Basic or Bearer credentials; there must be some to be `proven` who it is.

    Raises:
        Unauthenticated: there are none, or they don't hold.
        TooManyRequests: too many did not hold.
    """
    visitor = await run_in_threadpool(_visitor, request, authenticator, proven=proven)
    request.state.visitor = visitor
    return visitor


async def prove(request: Request, authenticator: Authenticator, user: str, secret: str) -> Visitor:
    """The visitor behind credentials that came in a request's body; raises as `identify`."""
    visitor = None
    request.state.user = user
    if secret and len(secret) <= _MOST_SECRET:
        visitor = await run_in_threadpool(authenticator.identify, user, secret, address(request))
    if visitor is None:
        raise _unknown()
    request.state.visitor = visitor
    return visitor


async def enter(
    request: Request, authenticator: Authenticator, access: Access, places: Places
) -> tuple[Visitor, Place]:
    """Who comes in, and to which repository: the one that the path names.

    Raises:
        NameInvalid: the path names none.
        Unauthenticated: credentials are missing or don't hold, or the token is for something else.
        NameUnknown: the visitor may not know whether there is such a repository.
        Denied: the visitor may not do this with it.
    """
    return await run_in_threadpool(_enter, request, authenticator, access, places)


async def enter_catalogue(request: Request, authenticator: Authenticator) -> Visitor:
    """Who wants to list all repositories; raises Unauthenticated."""
    request.state.scope = CATALOGUE
    request.state.asked = ("list", "catalogue")
    visitor = await identify(request, authenticator)
    if visitor.scopes is not None and not visitor.scopes.catalogue:
        raise scope_missing()
    return visitor


def check(request: Request, authenticator: Authenticator, visitor: Visitor, access: Access, place: Place) -> None:
    """Raises as `enter` unless the visitor may do this with a repository."""
    covered = visitor.scopes is None or access in visitor.scopes.repositories.get(place.name, ())
    asked_for = visitor.scopes is None or place.name in visitor.scopes.repositories
    if not asked_for:
        raise _refused(request, scope_missing())
    if authenticator.may(visitor, access, place):
        if not covered:
            raise _refused(request, scope_missing())
        return
    raise _refused(request, _refusal(visitor, access, place))


def _enter(request: Request, authenticator: Authenticator, access: Access, places: Places) -> tuple[Visitor, Place]:
    name = request.path_params["name"]
    place = places.place(name)
    request.state.asked = (str(access), name)
    request.state.scope = write_scope(name, _ASKED[access]) + _mount_scope(request)
    visitor = _visitor(request, authenticator, proven=access is not Access.PULL)
    request.state.visitor = visitor
    check(request, authenticator, visitor, access, place)
    return visitor, place


def _mount_scope(request: Request) -> str:
    """What a mount needs a token for besides: to pull from where the blob is."""
    source = request.query_params.get("from", "")
    if "mount" not in request.query_params or not is_repository_name(source):
        return ""
    return " " + write_scope(source, (Access.PULL,))


def scope_missing() -> ScopeMissing:
    """The error for a token that was given for something else; the answer names the scope that is missing."""
    return ScopeMissing("The token is for something else.", remedy="Ask for one with the scope that is named.")


def _visitor(request: Request, authenticator: Authenticator, *, proven: bool) -> Visitor:
    user, secret = credentials(request)
    if "authorization" not in request.headers and not proven:
        visitor = authenticator.anonymous()
    else:
        visitor = authenticator.identify(user, secret, address(request)) if secret else None
    if visitor is None:
        raise _unknown()
    return visitor


def credentials(request: Request) -> tuple[str, str]:
    """User name and secret off the wire; a bearer token has no user name. Both empty when there are none."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if len(value) > _MOST_SECRET:
        return "", ""
    if scheme.lower() == "bearer":
        return "", value.strip()
    if scheme.lower() != "basic":
        return "", ""
    try:
        user, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return "", ""
    return user, secret


def address(request: Request) -> str:
    """Where a request comes from."""
    found: str = getattr(request.state, "address", "")
    return found or (request.client.host if request.client else "")


def _refusal(visitor: Visitor, access: Access, place: Place) -> LadingError:
    if visitor.principal == ANONYMOUS.principal:
        return _unknown()
    if access is Access.PULL:
        return NameUnknown(f"There is no repository {place.name}.", remedy="See `lading image ls`.")
    # A repository belongs to the team of its namespace: saying so tells nobody whether it exists.
    whose = f"team {place.team}" if place.team else "nobody yet"
    return Denied(
        f"{visitor.principal} may not {access} {place.name}, which belongs to {whose}.",
        remedy="Ask an admin of that team for a role, or use a robot of it.",
    )


def _unknown() -> Unauthenticated:
    return Unauthenticated("Log in first.", remedy="docker login with a robot's name and its token.")


def _refused(request: Request, error: LadingError) -> LadingError:
    """Leave word, for those who write down what was refused, that this was about access."""
    request.state.refused = error.what
    return error
