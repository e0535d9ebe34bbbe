"""Which flaws somebody wants to see, and in which order: the same for rows that are kept and those worked out."""

from __future__ import annotations

from typing import Any, Final, Literal, get_args

import msgspec

from lading.kernel.errors import InvalidInput
from lading.kernel.severity import Severity
from lading.supply_chain.match.standing.bearing import Stands

Sort = Literal["urgency", "severity", "likelihood", "age"]
SORTS: Final[tuple[Sort, ...]] = get_args(Sort)
_NEVER: Final = "9"
_MOST_CURSOR: Final = 500


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A flaw must fit all of it. None, empty and zero stand for any; `severity` and `epss` are the least.

    `teams` are those whose images have it, `owner` the team of the flawed layer, `flaws` ids.
    """

    severity: Severity = Severity.NONE
    epss: float = 0.0
    running: bool | None = None
    exploited: bool | None = None
    fixable: bool | None = None
    ecosystem: str = ""
    teams: tuple[str, ...] | None = None
    owner: str = ""
    flaws: frozenset[str] | None = None

    def fits(self, one: Stands) -> bool:
        """Whether a flaw as it stands for these teams and this owner is wanted."""
        signs = (
            (self.running, one.running), (self.exploited, one.exploited), (self.fixable, one.fixable),
        )  # fmt: skip
        return (
            one.severity >= self.severity
            and one.epss >= self.epss
            and all(want is None or want == found for want, found in signs)
            and (not self.ecosystem or self.ecosystem in one.ecosystems)
            and (self.flaws is None or one.flaw in self.flaws)
        )


def key(one: Stands, sort: Sort) -> tuple[Any, str]:
    """Where a flaw is in a list; the smallest comes first."""
    first: Any = ""
    if sort == "severity":
        first = -int(one.severity)
    elif sort == "likelihood":
        first = -one.epss
    elif sort == "age":
        first = one.seen or _NEVER
    return first, one.urgency


def cursor(one: Stands, sort: Sort) -> str:
    """Where the page after this flaw begins, as text."""
    first, urgency = key(one, sort)
    return f"{first!r}|{urgency}" if isinstance(first, float) else f"{first}|{urgency}"


def begins(text: str, sort: Sort) -> tuple[Any, str]:
    """The place that a cursor names; raises InvalidInput."""
    first, bar, urgency = text.partition("|")
    try:
        if not bar or not urgency or len(text) > _MOST_CURSOR:
            raise ValueError
        return {"severity": int, "likelihood": float}.get(sort, str)(first), urgency
    except ValueError as error:
        raise InvalidInput(
            "This is not where a page of findings begins.", remedy="Begin with the first page, and keep its `sort`."
        ) from error
