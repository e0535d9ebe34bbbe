"""What the pages of findings show: the list with its filters, one flaw, one package, history, exceptions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request

from lading.entrypoints.web.pictures import came_and_went
from lading.identity import Operation, Principal
from lading.kernel.errors import InvalidInput
from lading.lifecycle.findings import Asked, Row
from lading.wiring import Wiring
from lading.wiring.access import viewer_of

_PAGE: Final = 50
_MOST_TEXT: Final = 300
_HISTORY_DAYS: Final = 30
_TEXTS: Final = ("severity", "ecosystem", "team", "owner", "package", "flaw", "repository", "image", "status", "sort")
_SIGNS: Final = ("running", "exploited", "fixable")
_DAY: Final = 86_400


class FindingPages:
    """Reads for one viewer."""

    def __init__(self, parts: Wiring, viewer: Principal) -> None:
        self._parts = parts
        self._viewer = viewer

    def findings(self, request: Request) -> dict[str, Any]:
        """A page of flaws; the filters are those of the address."""
        query = request.query_params
        asked = _asked(request)
        after = query.get("after", "")[:500]
        page = self._parts.finding_lists.page(asked, viewer_of(self._viewer), after=after, limit=_PAGE)
        kept = {name: query[name][:_MOST_TEXT] for name in (*_TEXTS, *_SIGNS, "epss") if query.get(name)}
        return {"page_of": page, "asked": asked, "after": after, "query": "?" + urlencode(kept)}

    def every(self, request: Request) -> Iterator[Row]:
        """All flaws that fit the filters of the address."""
        return self._parts.finding_lists.every(_asked(request), viewer_of(self._viewer))

    def flaw(self, request: Request) -> dict[str, Any]:
        """One flaw, with what somebody answers for about it; raises NotFound."""
        found = self._parts.flaw_pages.flaw(request.path_params["name"][:_MOST_TEXT], viewer_of(self._viewer))
        grants = self._parts.identity.may(self._viewer, Operation.EXCEPT, "*")
        reads = self._parts.identity.may(self._viewer, Operation.READ, "*")
        rules = [one.rule.id for one in self._parts.pack.rules if one.rule.each == "findings"]
        return {
            "flaw": found,
            "exceptions": self._parts.exception_list.all(flaw=found["id"]) if reads else [],
            "rules": rules if grants else [],
        }

    def package(self, request: Request) -> dict[str, Any]:
        """One package; raises NotFound."""
        name = request.path_params["name"][:_MOST_TEXT]
        return {"package": self._parts.flaw_pages.package(name, viewer_of(self._viewer))}

    def history(self, request: Request) -> dict[str, Any]:
        """What came and went in the last thirty days."""
        running = request.query_params.get("of", "running") != "kept"
        moved, mended = self._parts.asking.history(viewer_of(self._viewer).scope, running=running, days=_HISTORY_DAYS)
        rows = [{"team": one.team, "times": one.times, "median": one.median / _DAY, "p90": one.p90 / _DAY}
                for one in mended]  # fmt: skip
        return {"moved": moved, "mended": rows, "running": running, "chart": came_and_went(moved)}

    def exceptions(self, request: Request) -> dict[str, Any]:
        """What somebody answers for; only for those who may read everything."""
        self._parts.identity.require(self._viewer, Operation.READ, "*", target="exceptions")
        ending = request.query_params.get("ending", "") == "1"
        every = self._parts.exception_list.all()
        return {
            "rows": [msgspec.to_builtins(one) for one in every if one.ending or not ending],
            "ending": ending,
            "ending_count": sum(one.ending for one in every),
            "may_end": self._parts.identity.may(self._viewer, Operation.EXCEPT, "*"),
        }

    def grant(self, flaw: str, form: dict[str, str]) -> None:
        """Except a flaw from a rule; raises AccessDenied, InvalidInput, PolicyInvalid."""
        self._parts.identity.require(self._viewer, Operation.EXCEPT, "*", target=flaw)
        reason, owner = form.get("reason", "").strip(), form.get("owner", "").strip()
        if len(reason) < 3 or not owner:
            raise InvalidInput("An exception needs a reason and an owner.", remedy="Say why, and who answers for it.")
        self._parts.exception_list.grant_for(
            form.get("rule", ""), flaw, subject=form.get("subject", "").strip()[:200], until=form.get("until", ""),
            reason=reason[:1_000], owner=owner[:100], actor=self._viewer.id,
        )  # fmt: skip

    def withdraw(self, exception: str) -> None:
        """End an exception that was granted; raises AccessDenied, NotFound."""
        self._parts.identity.require(self._viewer, Operation.EXCEPT, "*", target=exception)
        self._parts.exceptions.withdraw(exception, actor=self._viewer.id)


def _asked(request: Request) -> Asked:
    """The filters of an address; raises InvalidInput."""
    query = request.query_params
    said: dict[str, Any] = {name: query[name][:_MOST_TEXT].strip() for name in _TEXTS if query.get(name)}
    said |= {name: query[name] == "1" for name in _SIGNS if query.get(name) in ("0", "1")}
    try:
        return msgspec.convert(said | {"epss": float(query.get("epss") or 0.0)}, Asked)
    except (ValueError, msgspec.ValidationError) as error:
        raise InvalidInput(f"The filter cannot be read: {str(error)[:200]}.", remedy="Begin with no filter.") from error
