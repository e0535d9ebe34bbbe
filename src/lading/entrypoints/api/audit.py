"""What is written down about calls of the API and the console: every one that was refused or that changed something.

Around the whole application: it says where a call comes from, so that refusals stated further inside say so too, and
states what nobody inside did.
"""

from __future__ import annotations

from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lading.identity import ANONYMOUS, Principal, PrincipalKind
from lading.kernel.origin import coming_from
from lading.wiring import Wiring

_REFUSED: Final = (401, 403, 429)
_READS: Final = ("GET", "HEAD", "OPTIONS")
# Asked with POST because they carry a body; they change nothing.
_ONLY_ASKS: Final = ("/policy/simulate", "/replay", "/ledger/verify")


class AuditedCalls:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, parts: Wiring) -> None:
        self._app = app
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 0

        async def seen(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        with coming_from("api", (scope.get("client") or ("",))[0]) as here:
            await self._app(scope, receive, seen)
            caller: Principal = scope.get("state", {}).get("caller", ANONYMOUS)
            if status in _REFUSED and not here.stated:
                operation = "log in" if caller == ANONYMOUS else scope["method"]
                await run_in_threadpool(self._parts.identity.refused, caller, operation, scope["path"], status)
            elif (
                status < 400 and _changes(scope) and caller.kind not in (PrincipalKind.ANONYMOUS, PrincipalKind.REGION)
            ):
                await run_in_threadpool(self._parts.identity.used, caller, scope["method"], scope["path"])


def _changes(scope: Scope) -> bool:
    return scope["method"] not in _READS and not scope["path"].endswith(_ONLY_ASKS)
