"""How often somebody may ask: a bucket of tokens for each principal and for each address, in this process.

    request -> its address and its principal have calls left? -> endpoint -> how many are left, in the answer
                                                          -> 429 with the seconds until there is one again

A bucket holds a minute's calls and fills evenly. Whose credentials are whose is learned from what the endpoint found
out, so that the way of many requests stays short: nothing is verified and nothing is read here. Calls that nobody
proved anything for count for their address alone. Failed logins are counted apart from this, where they are checked.
"""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lading.entrypoints.registry.audit import Calls
from lading.entrypoints.registry.http import VERSION_HEADER
from lading.kernel.clock import Clock, SystemClock
from lading.supply_chain.registry.access import ANONYMOUS, Visitor

WINDOW_SECONDS: Final = 60
_MOST_BUCKETS: Final = 10_000
_MOST_KNOWN: Final = 10_000


class Buckets:
    """A bucket for each key; those that were used longest ago are forgotten beyond 10,000, and are full again."""

    def __init__(self, per_minute: int, clock: Clock) -> None:
        self.size = per_minute
        self._rate = per_minute / WINDOW_SECONDS
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, key: str) -> float:
        """Seconds until a call may be taken; 0 when there is one."""
        return max(0.0, (1 - self.left(key)) / self._rate)

    def left(self, key: str) -> float:
        """How many calls may be taken now."""
        left, at = self._left.get(key, (self.size, 0.0))
        return min(self.size, left + (self._clock.monotonic() - at) * self._rate)

    def take(self, key: str) -> float:
        """Take a call; returns how many are left, below zero for one that was not there."""
        left = self.left(key) - 1
        self._left[key] = (left, self._clock.monotonic())
        self._left.move_to_end(key)
        if len(self._left) > _MOST_BUCKETS:
            self._left.popitem(last=False)
        return left


class Limits:
    """ASGI middleware around an endpoint.

    Args:
        per_principal, per_address: most calls a minute; 0 for no limit.
        calls: where refused calls are written down.
    """

    def __init__(
        self, app: ASGIApp, per_principal: int, per_address: int, calls: Calls, clock: Clock | None = None
    ) -> None:
        clock = clock or SystemClock()
        self._app = app
        self._calls = calls
        self._by_principal = Buckets(per_principal, clock) if per_principal else None
        self._by_address = Buckets(per_address, clock) if per_address else None
        self._known: OrderedDict[bytes, str] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        address = (scope.get("client") or ("",))[0]
        proof = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        key = hashlib.sha256(proof).digest() if proof else b""
        principal = self._known.get(key, "")
        used = [
            (buckets, who)
            for buckets, who in ((self._by_address, address), (self._by_principal, principal))
            if buckets is not None and who
        ]
        wait = max((buckets.wait(who) for buckets, who in used), default=0.0)
        if wait > 0:
            await self._refuse(scope, receive, send, principal or ANONYMOUS.principal, address, wait, used)
            return
        left = [(buckets.take(who), buckets.size) for buckets, who in used]

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start" and left:
                message = {**message, "headers": [*message["headers"], *_headers(*min(left))]}
            await send(message)

        await self._app(scope, receive, counted)
        if not principal and key and self._by_principal is not None:
            self._learn(key, scope.get("state", {}).get("visitor"))

    def _learn(self, key: bytes, visitor: Visitor | None) -> None:
        """Remember whose credentials these were, and count the call that showed it."""
        assert self._by_principal is not None
        if visitor is None or visitor.principal == ANONYMOUS.principal:
            return
        self._by_principal.take(visitor.principal)
        self._known[key] = visitor.principal
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)

    async def _refuse(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        principal: str,
        address: str,
        wait: float,
        used: list[tuple[Buckets, str]],
    ) -> None:
        await run_in_threadpool(self._calls.refused, principal, "call", "more often than it may", address, 429)
        seconds = math.ceil(wait)
        body = {
            "errors": [
                {
                    "code": "TOOMANYREQUESTS",
                    "message": f"Too many requests. Try again in {seconds} seconds.",
                    "detail": {"remedy": "Ask less often, or have the limit raised."},
                }
            ]
        }
        response = JSONResponse(body, 429, VERSION_HEADER | {"Retry-After": str(seconds)})
        response.raw_headers += _headers(*min((buckets.left(who), buckets.size) for buckets, who in used))
        await response(scope, receive, send)


def _headers(left: float, size: int) -> list[tuple[bytes, bytes]]:
    """What is left of the tighter limit, in the words that registries use."""
    return [
        (b"ratelimit-limit", b"%d;w=%d" % (size, WINDOW_SECONDS)),
        (b"ratelimit-remaining", b"%d;w=%d" % (max(0, int(left)), WINDOW_SECONDS)),
    ]
