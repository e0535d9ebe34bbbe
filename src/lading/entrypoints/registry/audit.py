"""What is written down about calls at both endpoints: every one that was refused, and every one that changed something.

A client that asks at `/v2/` without credentials how it should log in is not refused anything; everybody else is who is
not let in, may not, may not know, or asks too often.
"""

from __future__ import annotations

import re
from typing import Final, Protocol

from starlette.requests import Request
from starlette.responses import Response

from lading.entrypoints.registry import gate
from lading.entrypoints.registry.challenge import TOKEN_PATH
from lading.supply_chain.registry.access import ANONYMOUS, Access, Visitor

_REFUSED: Final = (401, 403, 429)
_CREATED, _ACCEPTED, _NOT_FOUND = 201, 202, 404
# A name as somebody may have; what else is typed into that field may be a secret.
_NAME: Final = re.compile(r"[a-z0-9._/-]{1,130}")


class Calls(Protocol):
    """Where calls are written down. Both are quick and never fail a request."""

    def refused(self, principal: str, operation: str, target: str, address: str, status: int) -> None:
        """Note that a call was refused; `status` is what HTTP said."""
        ...

    def used(self, principal: str, token: str, operation: str, target: str, address: str) -> None:
        """Note that a call changed something."""
        ...


class NoCalls:
    """Writes nothing down."""

    def refused(self, principal: str, operation: str, target: str, address: str, status: int) -> None:
        """Nothing."""

    def used(self, principal: str, token: str, operation: str, target: str, address: str) -> None:
        """Nothing."""


def note_refusal(calls: Calls, request: Request, status: int, *, stated: bool = False) -> None:
    """Write down an answer that refuses somebody something; `stated` says that a fact of its own says so already."""
    hidden = status == _NOT_FOUND and bool(getattr(request.state, "refused", ""))
    if stated or (status not in _REFUSED and not hidden):
        return
    proven = "authorization" in request.headers
    if status == 401 and not proven and request.url.path == "/v2/":
        return
    visitor: Visitor = getattr(request.state, "visitor", ANONYMOUS)
    operation, target = getattr(request.state, "asked", ("log in", ""))
    if visitor is ANONYMOUS and (proven or request.url.path == TOKEN_PATH):
        # Credentials came, and proved nobody.
        user = gate.credentials(request)[0] or getattr(request.state, "user", "")
        operation, target = "log in", user if _NAME.fullmatch(user) else target
    calls.refused(visitor.principal, operation, target, gate.address(request), status)


def is_change(access: Access, response: Response) -> bool:
    """Whether an answer says that something was changed; most requests of an upload only lead to that."""
    finished = {Access.PUSH: _CREATED, Access.DELETE: _ACCEPTED}.get(access)
    return response.status_code == finished


def note_change(calls: Calls, request: Request, visitor: Visitor, access: Access, response: Response) -> None:
    """Write down that a push or a deletion did what it was asked to. What another region brings is named by its signed
    changes."""
    if not is_change(access, response) or visitor.principal.startswith("region:"):
        return
    name, found = request.path_params["name"], request.path_params
    if "reference" in found:
        kind = "manifest" if access is Access.PUSH or ":" in found["reference"] else "tag"
        target = f"{name}{'@' if ':' in found['reference'] else ':'}{found['reference']}"
    else:
        kind = "blob"
        target = f"{name}@{found.get('digest') or response.headers.get('docker-content-digest', '')}"
    mounted = kind == "blob" and "from" in request.query_params and request.method == "POST"
    verb = "mount" if mounted else "push" if access is Access.PUSH else "delete"
    calls.used(visitor.principal, visitor.token, f"{verb} {kind}", target, gate.address(request))
