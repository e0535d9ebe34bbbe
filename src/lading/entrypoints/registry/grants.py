"""What a static server in front asks before it answers from its tree: may this visitor pull from this repository, and
does the tree count?

    GET /grants/NAME, with the credentials of the request -> `Lading-Tree: granted`, or an answer without it

Without a grant the static server hands the request to the pull endpoint, which knows what to say. So no answer here is
an error, and whoever asks learns nothing that asking the pull endpoint would not tell.
"""

from __future__ import annotations

from typing import Final, Protocol

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from lading.entrypoints.registry import gate
from lading.kernel.errors import Forbidden, InvalidInput, NotFound, Unauthenticated
from lading.supply_chain.registry.access import Access, Authenticator
from lading.supply_chain.registry.scopes import Places

GRANT_HEADER: Final = "Lading-Tree"
# How long the server may believe it, in whole seconds: nginx knows no smaller unit.
_GRANTED: Final = {GRANT_HEADER: "granted", "X-Accel-Expires": "1"}
_NOT_GRANTED: Final = {"X-Accel-Expires": "0", "Cache-Control": "no-store"}


class Tree(Protocol):
    """How far the tree of this host is."""

    def is_fresh(self) -> bool:
        """Whether it shows what counts now, as far as a second ago. Quick, and never fails."""
        ...


class Grants:
    """Answers whether the tree may be served from.

    Args:
        tree: None when there is none; nothing is granted then.
    """

    def __init__(self, authenticator: Authenticator, places: Places, tree: Tree | None) -> None:
        self._authenticator = authenticator
        self._places = places
        self._tree = tree

    async def answer(self, request: Request) -> Response:
        """Grant, or not."""
        if self._tree is None or not await run_in_threadpool(self._tree.is_fresh):
            return Response(headers=_NOT_GRANTED)
        try:
            visitor, _place = await gate.enter(request, self._authenticator, Access.PULL, self._places)
        except (Unauthenticated, Forbidden, NotFound, InvalidInput):
            return Response(headers=_NOT_GRANTED)
        return Response(headers=_GRANTED | {"Lading-Visitor": visitor.principal})
