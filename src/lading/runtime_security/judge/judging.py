"""The centre of judging: an event becomes a policy document, a violation an incident, an incident a response."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from typing import Any, Final, Protocol

from lading.kernel.clock import Clock, SystemClock, timestamp
from lading.kernel.errors import LadingError
from lading.kernel.severity import Severity
from lading.runtime_security.judge.incidents import Incident, Incidents, NewIncident
from lading.runtime_security.judge.verdict import Judge, Verdict, Violation
from lading.runtime_security.sense.events import SensedEvent, cut
from lading.runtime_security.sense.watch import Allowed

log = logging.getLogger(__name__)
UNJUDGED: Final = "not-judged"
_LASTING: Final = ("posture", "sensor", "file-written")
_REMEMBERED: Final = 20_000
_JUDGE_AGAIN_SECONDS: Final = 300.0


class Responder(Protocol):
    """Acts on incidents."""

    def respond(self, incident: Incident) -> None:
        """Do what is set for it; must not raise."""
        ...


class _Seen:
    """What came of one event, so that its repetitions need no new decision."""

    def __init__(self, due: float) -> None:
        self.due = due
        self.times: dict[str, int] = {}


class RuntimeJudge:
    """The sink of the senses.

    Args:
        judge: applies the rules.
        incidents: where violations go.
        allowed: knows the `workload` part of the document.
        responder: acts on new incidents; None: nobody does.
        environment: `production` or `development`, for the document.
    """

    def __init__(
        self,
        *,
        judge: Judge,
        incidents: Incidents,
        allowed: Allowed,
        responder: Responder | None = None,
        environment: str = "production",
        clock: Clock | None = None,
    ) -> None:
        self._judge = judge
        self._incidents = incidents
        self._allowed = allowed
        self._responder = responder
        self._environment = environment
        self._clock = clock or SystemClock()
        self._seen: OrderedDict[tuple[str, str, str], _Seen] = OrderedDict()
        self._lock = threading.Lock()

    def handle(self, event: SensedEvent) -> None:
        """Judge one event and open, or count, what it violates. May be called from several threads."""
        key = (event.container.id, event.kind, event.what)
        with self._lock:
            seen = self._seen.get(key)
            if seen is not None and self._clock.monotonic() < seen.due:
                # A look that finds the posture unchanged is no repetition of anything.
                if event.kind not in ("posture", "sensor"):
                    self._count(seen)
                return
            verdict = self._decide(event)
            before = seen.times if seen is not None else {}
            seen = self._seen[key] = _Seen(self._clock.monotonic() + _JUDGE_AGAIN_SECONDS)
            for violation in verdict.violations:
                self._violated(event, violation, verdict.decision, seen, before)
            while len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)

    def container_gone(self, container: str) -> None:
        """Its incidents are over."""
        with self._lock:
            for key in [key for key in self._seen if key[0] == container]:
                del self._seen[key]
        self._incidents.container_gone(container)

    def concerned(self) -> frozenset[str]:
        """The containers that incidents are open about."""
        return self._incidents.open_containers()

    def document(self, event: SensedEvent) -> dict[str, Any]:
        """The policy input document of an event at the stage `run`."""
        container = event.container
        who: dict[str, Any] = {
            "id": container.id,
            "name": container.name,
            "workload": container.workload,
            "image": container.image,
        }
        if event.deviations:
            who["deviations"] = list(event.deviations)
        return {
            "stage": "run",
            "now": timestamp(self._clock.now()),
            "environment": self._environment,
            "image": {"digest": container.image, "repository": container.repository, "team": container.team},
            "findings": [],
            "workload": dict(self._allowed.allowed(container) or {"name": container.workload}),
            "container": who,
            "event": {"kind": event.kind, "at": timestamp(event.at), **event.detail},
        }

    def _decide(self, event: SensedEvent) -> Verdict:
        try:
            return self._judge.decide(event.container.id, self.document(event))
        except LadingError as error:
            log.error("an event could not be judged", extra={"container": event.container.id, "reason": str(error)})
            title = f"{event.kind} in {event.container.name} could not be judged: {error.what}"
            return Verdict("", (Violation(UNJUDGED, Severity.HIGH, title, title),))

    def _violated(
        self, event: SensedEvent, violation: Violation, decision: str, seen: _Seen, before: dict[str, int]
    ) -> None:
        what = violation.message if event.kind == "posture" else event.what
        evidence = {key: _text(value) for key, value in event.detail.items()} | {"event": event.kind}
        evidence["rule title"] = violation.title
        new = NewIncident(
            container=event.container,
            rule=violation.rule,
            severity=violation.severity,
            title=cut(violation.message),
            what=what,
            evidence=evidence,
            decision=decision,
            lasting=event.kind in _LASTING,
        )
        incident, opened = self._incidents.open(new)
        seen.times[incident.id] = before.get(incident.id, incident.times)
        if not opened and event.kind not in ("posture", "sensor"):
            self._count_one(seen, incident.id)
        elif opened and self._responder is not None:
            self._responder.respond(incident)

    def _count(self, seen: _Seen) -> None:
        for identity in list(seen.times):
            self._count_one(seen, identity)

    def _count_one(self, seen: _Seen, identity: str) -> None:
        """Count, and write it down at 2, 4, 8, 16 … times: the rest is known only here, and lost with this process."""
        seen.times[identity] += 1
        times = seen.times[identity]
        if times & (times - 1) == 0:
            self._incidents.seen_again(identity, times)


def _text(value: str | bool | int) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
