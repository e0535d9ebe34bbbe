"""From wanted to served: bring an image from its upstream, judge it, and only then let its tag name it.

A wish that was noted anywhere is worked on once (`registry.mirroring.wishes`); bases for builds come the same way.
Nothing is served before somebody looked into it: an image is in quarantine from the moment that it is here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, Protocol

from lading.kernel.clock import Clock, timestamp
from lading.kernel.digest import Digest
from lading.kernel.errors import Forbidden, IntegrityFailure, InvalidInput, LadingError, NotFound, Unavailable
from lading.kernel.reference import Reference
from lading.lifecycle.telling import Telling, Untold
from lading.supply_chain.registry.errors import Denied, ManifestUnknown, RemoteFailed
from lading.supply_chain.registry.mirroring.bringing import Bringer, Brought
from lading.supply_chain.registry.mirroring.errors import NotMirrored, Stopping, Throttled
from lading.supply_chain.registry.mirroring.upstream import Upstream, covering
from lading.supply_chain.registry.mirroring.wishes import Outcome, Rank, Wish, Wishes
from lading.supply_chain.registry.states import ImageState, ImageStates, State

# How long what an upstream said counts for others who ask the same.
_UNKNOWN_FOR: Final = timedelta(seconds=60)
_FAILED_FOR: Final = timedelta(seconds=5)
_WRONG_FOR: Final = timedelta(seconds=60)
_LOOK_SECONDS: Final = 0.2
_PATIENCE: Final = 1_800.0
_log: Final = logging.getLogger(__name__)

Known = Callable[[], list[Upstream]]


class Judge(Protocol):
    """Judges images."""

    def admit(self, image: Digest, repository: str, telling: Telling) -> Any:
        """Judge an image and move it to the state that it deserves."""
        ...


class Mirroring:
    """Fulfils wishes.

    Args:
        known: the upstreams that are kept.
        unnamed: the one that LADING_UPSTREAM names, for builds only.
        demand_space: raises when there is no room for more images.
    """

    def __init__(
        self,
        *,
        known: Known,
        unnamed: Upstream | None,
        bringer: Bringer,
        judge: Judge,
        states: ImageStates,
        wishes: Wishes,
        clock: Clock,
        demand_space: Callable[[], None] = lambda: None,
    ) -> None:
        self._demand_space = demand_space
        self._known = known
        self._unnamed = unnamed
        self._bringer = bringer
        self._judge = judge
        self._states = states
        self._wishes = wishes
        self._clock = clock

    def fulfil(self, wish: Wish) -> None:
        """Work on a wish, unless somebody does. However it ends, those who wait are told."""
        if not self._wishes.claim(wish):
            return
        try:
            brought = self._fulfil(wish)
        except Stopping:
            return  # it stays with us until another process takes over
        except LadingError as error:
            outcome, wait = _ending(error)
            until = error.until if isinstance(error, Throttled) and error.until else self._clock.now() + wait
            self._wishes.end(wish, outcome, why=error.what, until=timestamp(until))
            _log.info("not mirrored", extra={"image": _shown(wish), "outcome": outcome, "why": error.what[:300]})
        except Exception:
            why = "Lading has a fault; its log says more."
            self._wishes.end(wish, Outcome.FAILED, why=why, until=timestamp(self._clock.now() + _WRONG_FOR))
            raise
        else:
            outcome = Outcome.BROUGHT if brought.fresh else Outcome.UNCHANGED
            self._wishes.end(wish, outcome, digest=str(brought.digest))

    def fetch(self, wanted: Reference) -> Digest | None:
        """The image that a build wants, brought now; None when nothing is mirrored under its name.

        Raises:
            ManifestUnknown: the upstream has no such image.
            NotMirrored, Denied: it may not come.
            RemoteFailed: the upstream does not answer, or wants to be asked later.
        """
        upstream = covering(self._known(), wanted.path) or self._unnamed
        if upstream is None:
            return None
        reference = str(wanted.digest) if wanted.digest else wanted.tag or "latest"
        wish = Wish(wanted.path, reference, upstream.name, Rank.AWAITED)
        self._wishes.note(wish)
        self.fulfil(wish)
        row = self._ended(wish)
        if row.outcome in (Outcome.BROUGHT, Outcome.UNCHANGED):
            return Digest.parse(row.digest)
        raise _error(row)

    def _fulfil(self, wish: Wish) -> Brought:
        upstream = self._upstream(wish)
        self._demand_space()
        tag = "" if ":" in wish.reference else wish.reference
        try:
            brought = self._bringer.bring(upstream, wish.repository, wish.reference)
        except ManifestUnknown:
            if tag:
                self._bringer.note_gone(upstream, wish.repository, tag)
            raise
        try:
            state = self._judged(brought)
        except LadingError as error:
            self._bringer.settle(brought, approved=False, why=f"it could not be judged: {error.what}")
            raise
        approved = state is None or state.state is State.APPROVED
        self._bringer.settle(brought, approved=approved, why="" if state is None else f"{state.state}: {state.why}")
        return brought

    def _judged(self, brought: Brought) -> ImageState | None:
        """Where an image stands once it was judged; None for what needs no approval of its own."""
        state = self._states.state(brought.digest)
        if state is not None and state.is_new and brought.runnable:
            self._judge.admit(brought.digest, brought.repository, Untold())
            state = self._states.state(brought.digest)
        return state

    def _upstream(self, wish: Wish) -> Upstream:
        for upstream in self._known():
            if upstream.name == wish.upstream and upstream.enabled:
                return upstream
        if self._unnamed is not None and wish.upstream == self._unnamed.name:
            return self._unnamed
        raise NotMirrored(f"{wish.upstream} is not mirrored any more.", remedy="See `lading registry mirror ls`.")

    def _ended(self, wish: Wish) -> Any:
        """The row of a wish that ended, here or elsewhere."""
        deadline = self._clock.monotonic() + _PATIENCE
        while True:
            row = self._wishes.row(wish.repository, wish.reference)
            if row is not None and row.state == "done":
                return row
            if self._clock.monotonic() > deadline:
                raise RemoteFailed(f"{_shown(wish)} did not come within {_PATIENCE / 60:.0f} minutes.")
            if row is None:
                self._wishes.note(wish)
            self.fulfil(wish)
            self._clock.sleep(_LOOK_SECONDS)


def _ending(error: LadingError) -> tuple[Outcome, timedelta]:
    """What an error means to those who wait, and for how long it does."""
    if isinstance(error, Throttled):
        return Outcome.THROTTLED, _FAILED_FOR
    if isinstance(error, ManifestUnknown):
        return Outcome.UNKNOWN, _UNKNOWN_FOR
    if isinstance(error, IntegrityFailure | InvalidInput):
        return Outcome.MISMATCH, _WRONG_FOR
    if isinstance(error, Forbidden):
        return Outcome.REFUSED, _UNKNOWN_FOR
    if isinstance(error, NotFound | Unavailable):
        return Outcome.FAILED, _FAILED_FOR
    return Outcome.FAILED, _WRONG_FOR


def _error(row: Any) -> LadingError:
    if row.outcome == Outcome.UNKNOWN:
        return ManifestUnknown(row.why)
    if row.outcome == Outcome.REFUSED:
        return Denied(row.why, remedy="See `lading registry mirror status`.")
    return RemoteFailed(row.why, remedy="See `lading registry mirror status`.")


def _shown(wish: Wish) -> str:
    return f"{wish.repository}{'@' if ':' in wish.reference else ':'}{wish.reference}"
