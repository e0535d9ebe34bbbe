"""Answers that were given a moment ago, given again without asking the database: manifests and blobs that many pull.

    request -> kept for these very credentials and path, nothing changed since, younger than a second? -> answer
            -> otherwise the endpoint; what it serves is kept, and requests for the same that come meanwhile wait for it

Only content that was served is kept, for the one who asked: who may see what, and whether it is still approved, is
decided anew whenever anything changed, once a second in any case, and when the token that asked has ended.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lading.entrypoints.registry.content import Served
from lading.kernel.clock import Clock, SystemClock
from lading.kernel.errors import LadingError
from lading.state.freshness import Freshness, Mark
from lading.supply_chain.registry.access import Visitor

BELIEVED_SECONDS: Final = 1.0
_MOST_KEPT: Final = 1_024
_PARTS: Final = ("/manifests/", "/blobs/")
_Key = tuple[str, bytes]


@dataclass(slots=True)
class _Kept:
    mark: Mark
    until: float
    served: Served


class HotAnswers:
    """ASGI middleware around an endpoint. What the endpoint serves calls `scope["state"]["keep"]` with itself."""

    def __init__(self, app: ASGIApp, freshness: Freshness, clock: Clock | None = None) -> None:
        self._app = app
        self._freshness = freshness
        self._clock = clock or SystemClock()
        self._kept: OrderedDict[_Key, _Kept] = OrderedDict()
        self._asked: dict[_Key, asyncio.Event] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["method"] not in ("GET", "HEAD"):
            try:
                await self._app(scope, receive, send)
            finally:
                # What this process changed shows in its own answers at once.
                self._freshness.turn()
        elif any(part in scope["path"] for part in _PARTS):
            await self._read(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _read(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = scope["path"], next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        served = self._fresh(key)
        if served is None and key in self._asked:
            await self._asked[key].wait()
            served = self._fresh(key)
        if served is not None:
            begun = False

            async def noticed(message: Message) -> None:
                nonlocal begun
                begun = True
                await send(message)

            try:
                await served(scope, receive, noticed)
            except LadingError:
                if begun:
                    raise
                # Its content went since, and nothing was sent yet: the endpoint knows what to say.
                self._kept.pop(key, None)
            else:
                return
        await self._ask(key, scope, receive, send)

    def _fresh(self, key: _Key) -> Served | None:
        kept = self._kept.get(key)
        if kept is None or kept.mark != self._freshness.current or self._clock.monotonic() >= kept.until:
            return None
        return kept.served

    async def _ask(self, key: _Key, scope: Scope, receive: Receive, send: Send) -> None:
        """Have the endpoint answer, and keep what it serves; those who wait go on as soon as that is known."""
        mark, until = self._freshness.current, self._clock.monotonic() + BELIEVED_SECONDS
        event = self._asked.setdefault(key, asyncio.Event())
        if mark is not None:
            state = scope.setdefault("state", {})
            state["keep"] = partial(self._keep, key, mark, until, event, state)
        try:
            await self._app(scope, receive, send)
        finally:
            self._done(key, event)

    def _keep(
        self, key: _Key, mark: Mark, until: float, event: asyncio.Event, state: dict[str, Any], served: Served
    ) -> None:
        visitor: Visitor | None = state.get("visitor")
        if visitor is not None and visitor.until is not None:
            left = visitor.until - self._clock.now().timestamp()
            until = min(until, self._clock.monotonic() + left)
        self._kept[key] = _Kept(mark, until, served)
        self._kept.move_to_end(key)
        if len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)
        self._done(key, event)

    def _done(self, key: _Key, event: asyncio.Event) -> None:
        if self._asked.get(key) is event:
            del self._asked[key]
        event.set()
