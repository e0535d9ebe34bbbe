"""Keep every follower of the ledger close behind its head, and do what has to be done now and then."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import Final

from lading.entrypoints.worker.collecting import order_daily
from lading.facts import Entry, Follower, follow
from lading.facts.kinds.policy import ExceptionGranted
from lading.facts.kinds.supply_chain import FindingsChanged, ImageMoved, ImagePushed
from lading.kernel.clock import Clock
from lading.kernel.digest import Digest
from lading.kernel.errors import Conflict, LadingError
from lading.lifecycle.telling import Untold
from lading.state import Transaction
from lading.supply_chain.match.follower import AdvisoryFollower
from lading.supply_chain.registry.mirroring.bringing import FROM_MIRROR
from lading.supply_chain.registry.replication.registers import FROM_REGION
from lading.wiring import Wiring

_log: Final = logging.getLogger(__name__)
_CHECKPOINT_SECONDS: Final = 300.0
_SWEEP_SECONDS: Final = 3_600.0
_RESIGNING_SECONDS: Final = 3.0
_EXPIRY_SECONDS: Final = 60.0
_SHIP_SECONDS: Final = 120.0
_UPLOAD_SECONDS: Final = 86_400
_STEPS_AT_ONCE: Final = 20


def is_image(fact: ImagePushed) -> bool:
    """Whether an image was pushed that somebody may want to run: no artifact, and no layer cache of a build."""
    return not fact.refers_to and not fact.artifact_type and not fact.repository.endswith("/build-cache")


class ToAdmit:
    """Notes which images have to be judged: those just pushed, approved ones of which something new is known, and held
    ones against which less is held now: a flaw is gone or set aside, or a rule has an exception.

    Judging reads layers and cannot happen in the follower's transaction. The images are noted in memory; after a kill
    the worker judges every image that is still in quarantine without a decision. What our own builder pushed is judged
    by its ship, what another region pushed by that region, and what came from an upstream before it is served; it is
    looked at here only when that did not happen.
    """

    name = "admission"
    kinds: Sequence[str] | None = (
        ImagePushed.kind(), FindingsChanged.kind(), ImageMoved.kind(), ExceptionGranted.kind(),
    )  # fmt: skip

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.pushed: dict[str, tuple[str, float]] = {}
        self.changed: set[str] = set()
        self.eased: set[str] = set()
        self.excepted: set[str] = set()
        self.moved: set[str] = set()

    def apply(self, tx: Transaction, entries: Sequence[Entry]) -> None:
        """Note what `entries` ask for."""
        del tx
        for entry in entries:
            fact = entry.fact
            if isinstance(fact, ImagePushed) and is_image(fact):
                principal = fact.principal
                judged_elsewhere = principal.endswith("/builder") or principal.startswith((FROM_REGION, FROM_MIRROR))
                due = self._clock.monotonic() + (_SHIP_SECONDS if judged_elsewhere else 0)
                self.pushed[fact.digest] = (fact.repository, due)
            elif isinstance(fact, FindingsChanged) and fact.cause != "image-matched":
                (self.changed if fact.opened else self.eased).add(fact.digest)
            elif isinstance(fact, ExceptionGranted):
                self.excepted.add(fact.rule)
            elif isinstance(fact, ImageMoved) and fact.before:
                self.moved.add(fact.digest)


class Followers:
    """Runs the followers in one thread."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._to_admit = ToAdmit(wiring.clock)
        self._advisories = AdvisoryFollower(wiring.findings)
        self._followers: list[Follower] = [
            self._advisories,
            self._to_admit,
            wiring.collecting.forgetting,
            *wiring.projections,
        ]
        self._due = {"checkpoint": 0.0, "sweep": 0.0, "expiry": 0.0, "resigning": 0.0}

    def run(self, stop: threading.Event) -> None:
        """Follow until told to stop."""
        self._note_unjudged()
        while not stop.wait(self._wiring.settings.poll_seconds):
            for follower in self._followers:
                follow(self._wiring.database, self._wiring.ledger, follower)
            self._advisories.work()
            self._wiring.standing.work(most=_STEPS_AT_ONCE)
            self._admit()
            self._now_and_then()
            self._wiring.collecting.forgetting.step()
            self._wiring.relating.step()
            if not self._to_admit.pushed:
                self._wiring.rereading.step()

    def _note_unjudged(self) -> None:
        for row in self._wiring.registry.images(limit=10_000):
            state = self._wiring.states.state(Digest.parse(row.digest))
            if state is not None and state.state == "quarantined" and not state.decision:
                self._to_admit.pushed[row.digest] = (row.repository, 0.0)

    def _admit(self) -> None:
        """Judge what ordinary clients pushed; judging twice is harmless."""
        now = self._wiring.clock.monotonic()
        for digest in [digest for digest, (_, due) in self._to_admit.pushed.items() if due <= now]:
            repository, _due = self._to_admit.pushed.pop(digest)
            state = self._wiring.states.state(Digest.parse(digest))
            try:
                if state is not None and state.who.startswith(FROM_REGION) and not state.is_new:
                    self._wiring.admission.learn(Digest.parse(digest))
                elif state is not None and not state.decision:
                    self._wiring.admission.admit(Digest.parse(digest), repository, Untold())
                elif state is not None and not self._wiring.findings.knows(Digest.parse(digest)):
                    # It was judged, deleted, forgotten and pushed again; where it stands outlived that.
                    self._wiring.admission.learn(Digest.parse(digest))
                    self._wiring.admission.reconsider(Digest.parse(digest), repository)
            except LadingError as error:
                _log.warning("an image could not be judged", extra={"image": digest, "error": str(error)})
        while self._to_admit.changed:
            digest = self._to_admit.changed.pop()
            decision = self._wiring.admission.reconsider(Digest.parse(digest), "")
            if decision is not None and not decision.allowed:
                _log.warning("an approval was withdrawn", extra={"image": digest, "decision": decision.id})

        self._release()
        while self._to_admit.moved:
            digest = self._to_admit.moved.pop()
            try:
                self._wiring.admission.settle_indexes(Digest.parse(digest))
            except LadingError as error:
                _log.warning("indexes could not follow their image", extra={"image": digest, "error": str(error)})

    def _release(self) -> None:
        """Judge held images again that may pass now."""
        if self._to_admit.excepted:
            rules, self._to_admit.excepted = self._to_admit.excepted, set()
            self._to_admit.eased.update(self._wiring.admission.held_by(rules))
        for _ in range(min(len(self._to_admit.eased), _STEPS_AT_ONCE)):
            digest = self._to_admit.eased.pop()
            try:
                if self._wiring.admission.release(Digest.parse(digest)):
                    _log.info("an image that was held is approved", extra={"image": digest})
            except LadingError as error:
                _log.warning("an image could not be judged again", extra={"image": digest, "error": str(error)})

    def _now_and_then(self) -> None:
        now = self._wiring.clock.monotonic()
        if now >= self._due["resigning"]:
            # At once again while there is something to do.
            busy = self._wiring.resigning.step()
            self._due["resigning"] = now if busy else now + _RESIGNING_SECONDS
        if now >= self._due["expiry"]:
            self._due["expiry"] = now + _EXPIRY_SECONDS
            self._wiring.expiry.run()
            self._wiring.vex.end()
        if now >= self._due["checkpoint"]:
            self._due["checkpoint"] = now + _CHECKPOINT_SECONDS
            try:
                self._wiring.checkpoints.sign()
            except Conflict:
                _log.debug("nothing to sign yet")
        if now >= self._due["sweep"]:
            self._due["sweep"] = now + _SWEEP_SECONDS
            self._wiring.identity.sweep()
            self._wiring.advisories.tell_stale()
            self._wiring.registry.expire_uploads(older_than=_UPLOAD_SECONDS)
            order_daily(self._wiring)
