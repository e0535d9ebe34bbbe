"""Incidents: opened once for one thing in one container, counted while it goes on, closed by its end or by a person."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec

from lading.facts import Fact, Ledger
from lading.facts.kinds.runtime_security import IncidentClosed, IncidentOpened, IncidentSeenAgain, ResponseTaken
from lading.kernel.clock import Clock, SystemClock, timestamp
from lading.kernel.errors import Conflict, InvalidInput, NotFound
from lading.kernel.ids import new_id
from lading.kernel.severity import Severity
from lading.runtime_security.containers import RunningContainer
from lading.runtime_security.judge.sql import IncidentStore
from lading.state import Database, Transaction

ACTOR: Final = "system:runtime-security"
MOST_OF_A_RULE: Final = 50
_MOST_REASON: Final = 2_000
_decode_evidence = msgspec.json.Decoder(dict[str, str]).decode
_decode_responses = msgspec.json.Decoder(list[tuple[str, str]]).decode


class NewIncident(NamedTuple):
    """What is to be opened. `what` names the thing that happened, the same each time.

    `lasting` is true of a condition (a privilege, a changed file), which is found again and again: once it was closed
    for a container it stays closed there. What happens anew (an exec, a program) is opened anew.
    """

    container: RunningContainer
    rule: str
    severity: Severity
    title: str
    what: str
    evidence: dict[str, str]
    decision: str
    lasting: bool = False

    @property
    def fingerprint(self) -> str:
        """Of rule, container and thing."""
        return _fingerprint(self.rule, self.container.id, self.what)


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """An incident as people and the bill see it. Times are RFC 3339; `state` is open or closed."""

    id: str
    fingerprint: str
    rule: str
    severity: str
    state: str
    title: str
    container: str
    container_name: str
    workload: str
    image: str
    team: str
    times: int
    opened: str
    seen: str
    closed: str
    resolution: str
    decision: str
    evidence: dict[str, str]
    responses: list[tuple[str, str]]


class Incidents:
    """All incidents of this Lading."""

    def __init__(self, database: Database, ledger: Ledger, clock: Clock | None = None) -> None:
        self._database = database
        self._ledger = ledger
        self._clock = clock or SystemClock()
        self._store = IncidentStore()

    def open(self, new: NewIncident) -> tuple[Incident, bool]:
        """The open incident of this fingerprint, and whether it was opened now.

        A rule that has 50 open incidents in one container gets one more for everything further, so that a program that
        writes a million files makes a number grow and nothing else.
        """
        with self._database.write() as tx:
            row = self._store.open_with(tx, new.fingerprint)
            if row is None and self._store.count_open(tx, new.container.id, new.rule) >= MOST_OF_A_RULE:
                new = new._replace(what="*", title=f"{new.title}, and more of the kind")
                row = self._store.open_with(tx, new.fingerprint)
            if row is None and new.lasting:
                row = self._store.closed_with(tx, new.fingerprint)
            if row is not None:
                return _incident(row), False
            identity = self._add(tx, new)
            return _incident(self._store.get(tx, identity)), True

    def seen_again(self, identity: str, times: int) -> None:
        """It was seen `times` times since it was opened; nothing happens to a closed one."""
        with self._database.write() as tx:
            row = self._store.get(tx, identity)
            if row is None or row.open_fingerprint is None or times <= row.times:
                return
            self._store.update(tx, identity, times=times, seen=timestamp(self._clock.now()))
            fact = IncidentSeenAgain(incident=identity, container=row.container, times=times)
            self._ledger.append(tx, [fact], actor=ACTOR)

    def responded(self, identity: str, action: str, outcome: str) -> None:
        """State that Lading acted."""
        with self._database.write() as tx:
            row = self._found(tx, identity)
            responses = [*_decode_responses(row.responses), (action, outcome)]
            self._store.update(tx, identity, responses=msgspec.json.encode(responses))
            fact = ResponseTaken(incident=identity, container=row.container, action=action, outcome=outcome)
            self._ledger.append(tx, [fact], actor=ACTOR)

    def close(self, identity: str, *, who: str, why: str) -> Incident:
        """Close one by hand.

        Args:
            who: the actor, as `person:…`.
            why: what was found and done; must not be empty.

        Raises:
            NotFound: there is no such incident.
            Conflict: it is closed already.
            InvalidInput: no reason was given.
        """
        if not why.strip() or len(why) > _MOST_REASON:
            raise InvalidInput(
                "An incident is closed with a reason.",
                remedy=f"Say what was found and done, in {_MOST_REASON} characters.",
            )
        with self._database.write() as tx:
            row = self._found(tx, identity)
            if row.open_fingerprint is None:
                raise Conflict(f"Incident {identity} is closed already: {row.resolution}.")
            self._close(tx, [row], f"{who}: {why.strip()}", actor=who)
            return _incident(self._store.get(tx, identity))

    def container_gone(self, container: str, resolution: str = "its container is gone") -> int:
        """Close what is open about a container; returns how many there were."""
        with self._database.read() as tx:
            if not self._store.open_of(tx, container):
                return 0
        with self._database.write() as tx:
            rows = self._store.open_of(tx, container)
            self._close(tx, rows, resolution, actor=ACTOR)
            return len(rows)

    def get(self, identity: str) -> Incident:
        """One incident, by its id; raises NotFound."""
        with self._database.read() as tx:
            return _incident(self._found(tx, identity))

    def list(self, *, every: bool = False, container: str = "", workload: str = "", limit: int = 100) -> list[Incident]:
        """Open ones (with `every`: then closed ones), worst first, youngest first."""
        with self._database.read() as tx:
            rows = self._store.listing(
                tx, every=every, container=container, workload=workload, limit=max(1, min(limit, 10_000))
            )
            return [_incident(row) for row in rows]

    def open_containers(self) -> frozenset[str]:
        """The containers that something is open about."""
        with self._database.read() as tx:
            return self._store.open_containers(tx)

    def _found(self, tx: Transaction, identity: str) -> Any:
        row = self._store.get(tx, identity)
        if row is None:
            raise NotFound(f"There is no incident {identity[:60]!r}.", remedy="`lading incident ls --all` lists them.")
        return row

    def _add(self, tx: Transaction, new: NewIncident) -> str:
        identity, now, who = new_id(), timestamp(self._clock.now()), new.container
        self._store.add(
            tx,
            {
                "id": identity,
                "fingerprint": new.fingerprint,
                "open_fingerprint": new.fingerprint,
                "rule": new.rule,
                "severity": int(new.severity),
                "title": new.title,
                "container": who.id,
                "container_name": who.name,
                "workload": who.workload,
                "image": who.image,
                "team": who.team,
                "evidence": msgspec.json.encode(new.evidence),
                "decision": new.decision,
                "times": 1,
                "opened": now,
                "seen": now,
                "responses": b"[]",
            },
        )
        fact = IncidentOpened(
            incident=identity,
            fingerprint=new.fingerprint,
            rule=new.rule,
            severity=new.severity.label,
            title=new.title,
            container=who.id,
            workload=who.workload,
            image=who.image,
            team=who.team,
            evidence=new.evidence,
            decision=new.decision,
        )
        self._ledger.append(tx, [fact], actor=ACTOR)
        return identity

    def _close(self, tx: Transaction, rows: Sequence[Any], resolution: str, *, actor: str) -> None:
        now = timestamp(self._clock.now())
        facts: list[Fact] = []
        for row in rows:
            self._store.update(tx, row.id, open_fingerprint=None, closed=now, resolution=resolution)
            facts.append(IncidentClosed(incident=row.id, container=row.container, resolution=resolution))
        self._ledger.append(tx, facts, actor=actor)


def _fingerprint(rule: str, container: str, what: str) -> str:
    return hashlib.sha256(f"{rule}\0{container}\0{what}".encode()).hexdigest()[:32]


def _incident(row: Any) -> Incident:
    return Incident(
        id=row.id,
        fingerprint=row.fingerprint,
        rule=row.rule,
        severity=Severity(row.severity).label,
        state="closed" if row.open_fingerprint is None else "open",
        title=row.title,
        container=row.container,
        container_name=row.container_name,
        workload=row.workload,
        image=row.image,
        team=row.team,
        times=row.times,
        opened=row.opened,
        seen=row.seen,
        closed=row.closed,
        resolution=row.resolution,
        decision=row.decision,
        evidence=_decode_evidence(row.evidence),
        responses=_decode_responses(row.responses),
    )
