"""What the pages of the registry show: images, repositories, tags, layers. One page at a time, begun by a key."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from starlette.requests import Request

from lading.entrypoints.api.access import hidden
from lading.identity import Operation, Principal
from lading.kernel.digest import Digest
from lading.kernel.errors import NotFound
from lading.supply_chain.registry.errors import NameUnknown
from lading.supply_chain.registry.listing import COUNTED, page_of
from lading.supply_chain.registry.states import State
from lading.wiring import Wiring
from lading.wiring.access import readable_teams, sight_of

_PAGE: Final = 50
_MOST_TEXT: Final = 300
_MOST_COUNTED: Final = 500
_MOST_KEY: Final = 1_000


class RegistryPages:
    """Reads for one viewer: only what their teams may read, or they may pull."""

    def __init__(self, parts: Wiring, viewer: Principal) -> None:
        self._parts = parts
        self._viewer = viewer

    def images(self, request: Request) -> dict[str, Any]:
        """A page of images, youngest first."""
        text, after = _asked(request)
        state = request.query_params.get("state", "")[:20]
        unattributed = request.query_params.get("unattributed", "") == "1"
        rows = self._parts.listings.images(
            teams=readable_teams(self._viewer), may=self._may, state=state, text=text, unattributed=unattributed,
            after=after, limit=_PAGE + 1,
        )  # fmt: skip
        shown, more = page_of(rows, _PAGE)
        counts = self._parts.findings.counts([row.digest for row in shown])
        return {
            "rows": [msgspec.to_builtins(row) | {"severities": counts[row.digest].by_severity} for row in shown],
            "q": text,
            "state": state,
            "unattributed": unattributed,
            "after": after,
            "next": shown[-1].key if more else "",
        }

    def held_back(self, limit: int) -> tuple[list[dict[str, Any]], str]:
        """The youngest images that nobody may pull, and how many there are in words."""
        teams, states = readable_teams(self._viewer), (State.QUARANTINED, State.REVOKED)
        # Everybody's are counted by an index; those of some teams are read as far as it matters.
        most = limit if teams is None else _MOST_COUNTED
        rows = [
            row
            for state in states
            for row in self._parts.listings.images(teams=teams, may=self._may, state=state, limit=most)
        ]
        count = sum(self._parts.listings.count(state) for state in states) if teams is None else len(rows)
        bound = COUNTED if teams is None else _MOST_COUNTED
        youngest = sorted(rows, key=lambda row: row.pushed, reverse=True)[:limit]
        return [msgspec.to_builtins(row) for row in youngest], f"{bound}+" if count >= bound else str(count)

    def repositories(self, request: Request) -> dict[str, Any]:
        """A page of repositories, by name."""
        text, after = _asked(request)
        rows = self._parts.listings.repositories(sight_of(self._viewer), text=text, after=after, limit=_PAGE + 1)
        shown, more = page_of(rows, _PAGE)
        return {"rows": shown, "q": text, "after": after, "next": shown[-1].repository if more else ""}

    def repository(self, request: Request) -> dict[str, Any]:
        """A page of the tags of a repository; raises NameUnknown."""
        name = request.path_params["repository"]
        text, after = _asked(request)
        place = self._parts.registry.place(name)
        if not place.exists or not sight_of(self._viewer).sees(place):
            hidden(self._parts, self._viewer, place)
            raise NameUnknown(f"There is no repository {name}.", remedy="See the list of repositories.")
        shown, more = page_of(self._parts.listings.tags(name, text=text, after=after, limit=_PAGE + 1), _PAGE)
        return {
            "repository": place,
            "rows": shown,
            "q": text,
            "after": after,
            "next": shown[-1].tag if more else "",
        }

    def layer(self, request: Request) -> dict[str, Any]:
        """A layer: whose it is, and the images that have it; raises NotFound."""
        digest = Digest.parse(request.path_params["digest"])
        users = self._parts.listings.users_of(digest, self._may)
        if not users:
            raise NotFound(f"No image that you may see has the layer {digest}.")
        return {"digest": str(digest), "origin": self._parts.registry.origin(digest), "users": users}

    def _may(self, team: str, repository: str) -> bool:
        return self._parts.identity.may(self._viewer, Operation.READ, team, repository)


def _asked(request: Request) -> tuple[str, str]:
    """What was searched for, and where the page begins."""
    query = request.query_params
    return query.get("q", "")[:_MOST_TEXT].strip(), query.get("after", "")[:_MOST_KEY]
