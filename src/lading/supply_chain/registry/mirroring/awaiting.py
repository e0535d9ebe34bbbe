"""What the pull endpoint does about images of upstreams: serve what is here, or wait until it is known what comes.

Read-only: what is wanted is said to somebody else (`channel`), and how that went is read from the table of wishes.

    here and looked at lately        -> serve
    upstream rests (down, throttled) -> serve what is here, with a warning; else 429 or 503 and when to come again
    otherwise                        -> wait for the wish: brought or unchanged -> serve; unknown -> 404;
                                        refused -> 403; failed or too slow -> what is here, with a warning, else 503

Whether what is here may be served is decided after this, like for every image.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from lading.kernel.clock import Clock, SystemClock, parse_timestamp, timestamp
from lading.kernel.digest import Digest
from lading.kernel.errors import InvalidInput
from lading.kernel.reference import is_repository_name, is_tag
from lading.state import Database, Transaction
from lading.supply_chain.registry.errors import Denied, ManifestUnknown
from lading.supply_chain.registry.mirroring.errors import NotYet
from lading.supply_chain.registry.mirroring.sql import reading
from lading.supply_chain.registry.mirroring.upstream import Upstream, all_upstreams, covering
from lading.supply_chain.registry.sql import reading as registry_sql

# RFC 7234, section 5.5: the codes of warnings that clients and proxies know.
STALE: Final = 110
NOT_REVALIDATED: Final = 111
_SOON: Final = 5
_BELIEVED: Final = 1.0
_MOST_WHY: Final = 300


class Stale(NamedTuple):
    """What is here may be answered with. `warning` is a header that says why it may be old, `why` the same for the fact
    about it; both empty when it is not. `remarks` say what is otherwise at the upstream."""

    warning: str = ""
    why: str = ""
    remarks: tuple[str, ...] = ()


class Asked(NamedTuple):
    """It has to be waited for: how the wish stood (`mark`), and the digest that is here meanwhile."""

    upstream: Upstream
    repository: str
    reference: str
    mark: str
    here: str


class Awaiting:
    """Looks how things stand. All methods are quick and may be called from any thread."""

    def __init__(self, database: Database, clock: Clock | None = None) -> None:
        self._database = database
        self._clock = clock or SystemClock()
        self._known: tuple[float, list[Upstream]] = (float("-inf"), [])

    def ask(self, repository: str, reference: str) -> Stale | Asked:
        """How it stands with a tag or digest that somebody wants.

        Raises:
            ManifestUnknown, Denied, NotYet: it is not here, and an upstream said lately why.
        """
        if not is_repository_name(repository) or not (is_tag(reference) or _is_digest(reference)):
            return Stale()
        # One that was added within the last second is looked for once more: nobody is told that it is not there.
        upstream = covering(self._upstreams(_BELIEVED), repository) or covering(self._upstreams(0.0), repository)
        if upstream is None or not upstream.on_pull:
            return Stale()
        now = self._clock.now()
        with self._database.read() as tx:
            here = _here(tx, repository, reference)
            if here and ":" in reference:
                return Stale()
            seen = reading.seen_tag(tx, repository, reference)
            if here and (seen is None or _is_fresh(seen, upstream, now)):
                # What has no row was pushed here by hand.
                return _remark(seen, here)
            health = reading.health_row(tx, upstream.name)
            wish = reading.wish(tx, repository, reference)
        if health is not None and health.next_try > timestamp(now) and (wish is None or wish.state != "running"):
            throttled = health.standing == "throttled" or not health.failures
            return self._without(upstream, here, health.error, health.next_try, throttled=throttled)
        if wish is not None and wish.state == "done" and wish.until > timestamp(now):
            return self._answer(upstream, wish, here)
        mark = wish.ended if wish is not None and wish.state == "done" else ""
        return Asked(upstream, repository, reference, mark, here)

    def look(self, asked: Asked) -> Stale | None:
        """What became of a wish; None while it is open. Raises as `ask`."""
        with self._database.read() as tx:
            wish = reading.wish(tx, asked.repository, asked.reference)
            here = _here(tx, asked.repository, asked.reference)
        if wish is None or wish.state != "done" or wish.ended == asked.mark:
            return None
        return self._answer(asked.upstream, wish, here)

    def is_noted(self, asked: Asked) -> bool:
        """Whether somebody heard the wish."""
        with self._database.read() as tx:
            wish = reading.wish(tx, asked.repository, asked.reference)
        return wish is not None and (wish.state != "done" or wish.ended != asked.mark)

    def give_up(self, asked: Asked) -> Stale:
        """What is answered when it takes too long. Raises NotYet when nothing is here."""
        if asked.here:
            why = f"{asked.upstream.name} did not answer in time"
            return Stale(_warning(STALE, why), why)
        if not self.is_noted(asked):
            raise NotYet(
                f"{asked.repository} {asked.reference} is not here, and nothing of this Lading brings it.",
                seconds=_SOON,
                remedy="Look whether a worker runs, and an intake on this host.",
            )
        raise NotYet(
            f"{asked.repository} {asked.reference} is being brought from {asked.upstream.name} and looked into.",
            seconds=_SOON,
            remedy="Pull it again in a moment.",
        )

    def _answer(self, upstream: Upstream, wish: Any, here: str) -> Stale:
        if wish.outcome in ("brought", "unchanged"):
            with self._database.read() as tx:
                return _remark(reading.seen_tag(tx, wish.repository, wish.reference), here)
        if here:
            if wish.outcome == "unknown":
                return Stale(remarks=(f"{upstream.name} has it no longer",))
            why = f"{upstream.name} could not be asked: {wish.why}"
            return Stale(_warning(NOT_REVALIDATED, why), why[:_MOST_WHY])
        if wish.outcome == "unknown":
            raise ManifestUnknown(wish.why, remedy=f"{upstream.name} says so; see what it has.")
        if wish.outcome == "refused":
            raise Denied(wish.why, remedy="See `lading registry mirror status`.")
        return self._without(upstream, here, wish.why, wish.until, throttled=wish.outcome == "throttled")

    def _without(self, upstream: Upstream, here: str, why: str, until: str, *, throttled: bool) -> Stale:
        """The upstream cannot be asked now."""
        if here:
            why = f"{upstream.name} cannot be asked now: {why}"
            return Stale(_warning(NOT_REVALIDATED, why), why[:_MOST_WHY])
        left = (parse_timestamp(until) - self._clock.now()).total_seconds() if until else _SOON
        raise NotYet(
            f"Nothing is here, and {upstream.name} cannot be asked now: {why[:_MOST_WHY]}",
            seconds=max(1, int(left) + 1),
            throttled=throttled,
            remedy="Pull it again when the header Retry-After says.",
        )

    def _upstreams(self, believed: float) -> list[Upstream]:
        """The upstreams as they were at most so many seconds ago."""
        looked, known = self._known
        now = self._clock.monotonic()
        if now - looked >= believed:
            with self._database.read() as tx:
                known = all_upstreams(tx)
            self._known = (now, known)
        return known


def _is_digest(text: str) -> bool:
    try:
        Digest.parse(text)
    except InvalidInput:
        return False
    return True


def _here(tx: Transaction, repository: str, reference: str) -> str:
    if ":" in reference:
        return reference if registry_sql.manifest(tx, repository, reference) is not None else ""
    return registry_sql.tagged(tx, repository, reference) or ""


def _is_fresh(seen: Any, upstream: Upstream, now: datetime) -> bool:
    return str(seen.checked) > timestamp(now - timedelta(seconds=upstream.freshness))


def _remark(seen: Any, here: str) -> Stale:
    """Serve, and say what is known to be otherwise at the upstream."""
    if seen is None or not here:
        return Stale()
    if seen.gone:
        return Stale(remarks=(f"{seen.upstream} has this tag no longer",))
    if seen.held:
        return Stale(remarks=(f"at {seen.upstream} it is {seen.digest}, which is {seen.held}",))
    return Stale()


def _warning(code: int, text: str) -> str:
    """A value of the header `Warning`: a code, an agent and a text."""
    plain = "".join(char if " " <= char <= "~" and char not in '"\\' else " " for char in text)
    return f'{code} lading "{" ".join(plain.split())[:_MOST_WHY]}"'
