"""Images of upstreams at the pull endpoint: wait for a time for what others bring, all who want the same together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

from starlette.concurrency import run_in_threadpool

from lading.supply_chain.registry.mirroring.awaiting import Asked, Awaiting, Stale
from lading.supply_chain.registry.mirroring.errors import NotYet

_LOOK_SECONDS: Final = 0.1
# A wish that nobody noted is said again after so many looks.
_AGAIN: Final = 10
_MOST_WAITED_FOR: Final = 200

Send = Callable[[str, str], bool]


class MirroredPulls:
    """The pull endpoint's Upstreams.

    Args:
        send: says what is wanted to somebody who can write; quick, and may fail.
        patience: seconds to wait for what is not here.
        patience_here: seconds to wait when something older is here.
    """

    def __init__(self, awaiting: Awaiting, send: Send, *, patience: float, patience_here: float) -> None:
        self._awaiting = awaiting
        self._send = send
        self._patience = patience
        self._patience_here = patience_here
        self._waiting: dict[tuple[str, str], asyncio.Task[Stale]] = {}

    async def ensure(self, repository: str, reference: str) -> Stale:
        """Return when a manifest is here as it is at its upstream, or when what is here is served instead.

        Raises:
            ManifestUnknown, Denied, NotYet: it is not here, and why.
        """
        asked = await run_in_threadpool(self._awaiting.ask, repository, reference)
        if isinstance(asked, Stale):
            return asked
        key = (repository, reference)
        if key not in self._waiting:
            if len(self._waiting) >= _MOST_WAITED_FOR:
                raise NotYet("Very many images of upstreams are waited for.", seconds=10, remedy="Pull it again later.")
            self._waiting[key] = asyncio.ensure_future(self._wait(asked))
            self._waiting[key].add_done_callback(partial(self._over, key))
        # A client that goes away leaves the others waiting.
        return await asyncio.shield(self._waiting[key])

    async def _wait(self, asked: Asked) -> Stale:
        clock = asyncio.get_running_loop().time
        deadline = clock() + (self._patience_here if asked.here else self._patience)
        looks = 0
        while clock() < deadline:
            if looks % _AGAIN == 0 and not await run_in_threadpool(self._awaiting.is_noted, asked):
                await run_in_threadpool(self._send, asked.repository, asked.reference)
            looks += 1
            await asyncio.sleep(_LOOK_SECONDS)
            found = await run_in_threadpool(self._awaiting.look, asked)
            if found is not None:
                return found
        return await run_in_threadpool(self._awaiting.give_up, asked)

    def _over(self, key: tuple[str, str], task: asyncio.Task[Stale]) -> None:
        self._waiting.pop(key, None)
        if not task.cancelled():
            # It was told to everybody who waited; when nobody did, nobody misses it.
            task.exception()
